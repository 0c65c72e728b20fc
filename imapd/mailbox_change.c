/*
 * What all changes to messages have in common; see mailbox_change.h.
 */
#include "imapd/mailbox_change.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct change *
change_new(struct account_store *account, const struct folder *folder,
    size_t count, mailbox_done *done, void *context)
{
	struct change *change = memory_new(1, sizeof(*change));

	change->account = account;
	change->mailbox = folder->info.id;
	change->items = memory_new(count + 1, sizeof(struct item));
	change->modified = memory_new(count + 1, sizeof(uint32_t));
	change->source_uids = memory_new(count + 1, sizeof(uint32_t));
	change->target_uids = memory_new(count + 1, sizeof(uint32_t));
	change->done = done;
	change->context = context;
	account->changing++;
	return change;
}

struct change *
change_of_turn(struct turn *turn, const struct folder *folder, size_t count)
{
	struct change *change =
	    change_new(turn->account, folder, count, turn->done, turn->context);

	change->turn = turn;
	return change;
}

enum status
change_take_quota(struct change *change, uint64_t messages, uint64_t bytes)
{
	if (!quota_takes(change->account, messages, bytes))
		return STATUS_QUOTA;
	change->taken_messages += messages;
	change->taken_bytes += bytes;
	return STATUS_OK;
}

void
change_finish(struct change *change, enum status status)
{
	quota_arrived(
	    change->account, change->taken_messages, change->taken_bytes);
	account_change_ended(change->account);
	change->answer.status = status;
	change->answer.source_uids = change->source_uids;
	change->answer.target_uids = change->target_uids;
	change->answer.modified_uids = change->modified;
	if (status != STATUS_OK)
		change->answer.count = 0;
	change->done(&change->answer, change->context);
	turn_end(&change->turn);
	append_abort(&change->append);
	free(change->names);
	free(change->items);
	free(change->modified);
	free(change->source_uids);
	free(change->target_uids);
	free(change);
}

void
change_draw_delivery(struct delivery_id *delivery)
{
	memset(delivery, 0, sizeof(*delivery));
	if (getrandom(delivery->bytes, 16, 0) != 16)
		fatal("getrandom failed");
}

bool
change_record(struct account_store *account, uint64_t mailbox, uint32_t uid,
    struct message_record *record, char base[RECORD_MAX_BASE_SIZE + 1])
{
	struct index_file file;
	struct index_row row;

	memset(record, 0, sizeof(*record));
	if (!index_find_row(account->index, mailbox, uid, &row) ||
	    !index_find_file(account->index, mailbox, uid, &file))
		return false;
	record->mailbox = mailbox;
	record->uid = uid;
	record->modseq = row.modseq;
	record->born = file.born;
	record->internaldate = row.internaldate;
	record->size = row.size;
	record->stored_size = file.stored_size;
	record->flags = row.flags;
	record->keywords = row.keywords;
	record->blob = file.blob;
	record->form = file.form;
	record->hash = file.hash;
	text_copy(file.base, base, RECORD_MAX_BASE_SIZE + 1);
	record->base = text_of(base);
	return true;
}

/* -- Keywords -- */

enum status
change_keyword_bits(struct folder *folder, const struct text *names,
    size_t count, struct store_batch *batch, size_t *added, uint64_t *bits)
{
	struct text fresh[RECORD_MAX_KEYWORDS] = { { 0 } };
	size_t known = folder->info.keyword_count;

	*bits = 0;
	*added = 0;
	for (size_t i = 0; i < count; i++) {
		size_t n = 0;

		if (names[i].size == 0 ||
		    names[i].size > RECORD_MAX_KEYWORD_SIZE)
			return STATUS_LIMIT;
		while (n < known &&
		       !text_equal_nocase(folder->info.keywords[n], names[i]))
			n++;
		for (size_t f = 0; n >= known && f < *added; f++, n++)
			if (text_equal_nocase(fresh[f], names[i]))
				break;
		if (n == known + *added && batch != NULL) {
			struct message m = { .type = MESSAGE_change_keyword };

			if (n >= RECORD_MAX_KEYWORDS)
				return STATUS_LIMIT;
			m.change_keyword.mailbox = folder->info.id;
			m.change_keyword.number = (uint8_t)n;
			m.change_keyword.name = names[i];
			store_batch_add(batch, &m, -1);
			fresh[(*added)++] = names[i];
		}
		if (n < known + *added)
			*bits |= (uint64_t)1 << n;
	}
	return STATUS_OK;
}

enum status
change_number_keywords(struct folder *folder, const struct text *names,
    size_t count, struct store_batch *batch, size_t *added,
    uint64_t bits[RECORD_MAX_KEYWORDS])
{
	size_t next = folder->info.keyword_count, none;
	uint64_t all;
	enum status status =
	    change_keyword_bits(folder, names, count, batch, added, &all);

	/* New ones were numbered in the order of `names`. */
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		change_keyword_bits(
		    folder, &names[i], 1, NULL, &none, &bits[i]);
		if (bits[i] == 0)
			bits[i] = (uint64_t)1 << next++;
	}
	return status;
}

void
change_learn_keywords(struct account_store *account, uint64_t mailbox,
    const struct text *names, size_t count)
{
	static struct mailbox_record record;
	struct folder *folder = folder_find_id(account, mailbox);

	if (folder == NULL || count == 0)
		return;
	memset(&record, 0, sizeof(record));
	record.id = mailbox;
	record.uidvalidity = folder->info.uidvalidity;
	record.uidnext = folder->info.uidnext;
	record.highest_modseq = folder->info.highest_modseq;
	record.special_use = folder->info.special_use;
	record.name = folder->info.name;
	record.keyword_count = (uint8_t)folder->info.keyword_count;
	for (size_t i = 0; i < folder->info.keyword_count; i++)
		record.keywords[i] = folder->info.keywords[i];
	for (size_t i = 0; i < count; i++) {
		size_t n = 0;

		while (n < record.keyword_count &&
		       !text_equal_nocase(record.keywords[n], names[i]))
			n++;
		if (n == record.keyword_count && n < RECORD_MAX_KEYWORDS)
			record.keywords[record.keyword_count++] = names[i];
	}
	if (record.keyword_count != folder->info.keyword_count)
		apply_mailbox(account, &record);
}

int
names_add(struct names *names, struct text name)
{
	if (names->count == RECORD_MAX_KEYWORDS ||
	    name.size > RECORD_MAX_KEYWORD_SIZE)
		return -1;
	memcpy(names->bytes + names->used, name.data, name.size);
	names->list[names->count++] =
	    text_make(names->bytes + names->used, name.size);
	names->used += name.size;
	return 0;
}

struct names *
change_copy_names(const struct text *names, size_t count)
{
	struct names *copy = memory_new(1, sizeof(*copy));

	for (size_t i = 0; i < count && names_add(copy, names[i]) == 0; i++)
		;
	return copy;
}

/* -- Results -- */

bool
change_next_result(struct reader *r, struct result_record *result)
{
	if (record_get_result(r, result) == 1)
		return true;
	log_error("store-results", "error=too-few");
	return false;
}

void
change_begin_results(
    struct change *change, struct text results, struct reader *r)
{
	struct result_record ignored;

	reader_init(r, results.data, results.size);
	change_learn_keywords(change->account, change->target,
	    change->names->list, change->names->count);
	for (size_t i = 0; i < change->new_keywords; i++)
		change_next_result(r, &ignored);
}

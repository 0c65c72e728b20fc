/*
 * Adopts message files that other programs put into a Maildir: their bytes go
 * to the store by append, under a delivery id that the same file always gets,
 * so that doing it again after a crash doubles nothing.  The files stay where
 * they are, under their own names.  A mailbox that was never used takes over
 * UIDVALIDITY, UIDs and keywords of dovecot-uidlist and dovecot-keywords.
 *
 * Batches of a few hundred files are read ahead (adopt_send.c) while others are
 * committed.
 */
#include "imapd/adoption.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	ADOPT_BATCHES = 3, /* under way */
	ADOPT_PAUSE_MS = 1,
	ADOPT_A_BATCH = 1000 /* files in one of them */
};

/* A delivery id made of mailbox and base name. */
static void
derive_delivery(
    const struct folder *folder, struct text base, struct delivery_id *delivery)
{
	static const uint8_t keys[2][16] = { "firnmail adopts",
		"from a maildir" };
	uint8_t bytes[8 + MAILDIR_MAX_NAME];

	memset(delivery->bytes, 0xff, sizeof(delivery->bytes));
	memcpy(bytes, &folder->info.id, 8);
	memcpy(bytes + 8, base.data, base.size);
	for (size_t i = 0; i < 2; i++) {
		uint64_t half = table_siphash(keys[i], bytes, 8 + base.size);

		memcpy(delivery->bytes + 8 * i, &half, 8);
	}
}

/* Its own base name if that is one of ours. */
void
adopt_delivery(
    const struct folder *folder, struct text base, struct delivery_id *delivery)
{
	if (text_parse_hex(base, delivery->bytes, sizeof(delivery->bytes)) ==
	    -1)
		derive_delivery(folder, base, delivery);
}

static void
adoption_end(struct adoption *adoption)
{
	struct account_store *account = adoption->account;
	struct folder *folder = folder_find_id(account, adoption->mailbox);

	if (folder != NULL) {
		folder->is_adopting = false;
		/* What came meanwhile. */
		if (sync_is_unseen(account, folder))
			watcher_look_soon(account);
		if (adoption->has_failed)
			watcher_look_later(account);
		folder->needs_scan |= adoption->has_failed;
		folder_put(account, folder);
	}
	account_change_ended(account);
	timer_free(&adoption->pause);
	buf_clear(&adoption->keywords);
	for (size_t i = 0; i < adoption->found_count; i++)
		free(adoption->found[i].name);
	free(adoption->found);
	free(adoption);
	if (folder != NULL)
		list_folder_adopted(account, folder);
}

/* Once more, as the last one, by itself. */
static void
put_again(struct adoption *adoption, const struct found *found)
{
	adoption->found = memory_resize(
	    adoption->found, adoption->found_count + 1, sizeof(struct found));
	adoption->found[adoption->found_count] = *found;
	adoption->found[adoption->found_count].name =
	    memory_copy_text(found->name);
	adoption->found[adoption->found_count++].uid = 0;
}

/* Whether the file is that message, or the torn rest of it that an unclean stop
 * left: shorter than its own name says. */
static bool
is_file_of(const struct adopted_file *file, const struct maildir_name *name,
    const struct result_record *result)
{
	return file->record.size == result->size ||
	       (name->has_size && file->record.stored_size < name->size);
}

/*
 * The store knows this delivery from before, and its message is not one of
 * ours here: an expunge that a crash cut if the index was lost as well (the
 * store keeps the bytes), else a file that somebody brought here, which
 * becomes a message of its own.
 */
static void
adopt_known(struct adoption *adoption, struct folder *folder,
    const struct adopted_file *file, const struct result_record *result)
{
	struct account_store *account = adoption->account;
	struct found again = file->found;
	struct delivery_id derived;
	struct maildir_name name;
	char path[ACCOUNT_PATH_MAX];
	struct error error;

	if (maildir_name_parse(text_of(again.name), &name) == -1)
		return;
	derive_delivery(folder, name.base, &derived);
	if (account->is_rebuilt && result->mailbox == folder->info.id &&
	    is_file_of(file, &name, result) &&
	    memcmp(&derived, &again.delivery, sizeof(derived)) != 0) {
		files_path(folder, again.is_new, text_of(again.name), path);
		log_info("expunge-finished", "mailbox=%llu uid=%u",
		    (unsigned long long)result->mailbox, result->uid);
		file_unlink(account->home_fd, path, &error);
		return;
	}
	if (memcmp(&derived, &again.delivery, sizeof(derived)) != 0)
		again.delivery = derived;
	else if (getrandom(again.delivery.bytes, 16, 0) != 16)
		return;
	put_again(adoption, &again);
}

void
adoption_parse_key(const struct delivery_id *delivery, struct hash *key)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->bytes, delivery->bytes, sizeof(delivery->bytes));
}

/* The row of a file that stays where it is, under its own name. */
static void
adopt_row(struct adoption *adoption, struct folder *folder,
    struct adopted_file *file, const struct result_record *result,
    uint64_t sequence)
{
	static const struct message_source there = { .is_assumed = true };
	struct account_store *account = adoption->account;
	struct message_record *record = &file->record;
	struct index_file placed;
	struct maildir_name name;
	struct index_row row;
	struct hash key;

	if (result->mailbox == folder->info.id &&
	    index_find_row(account->index, folder->info.id, result->uid, &row))
		return; /* came back by the list of changes already */
	if (result->born != sequence ||
	    maildir_name_parse(text_of(file->found.name), &name) == -1) {
		adopt_known(adoption, folder, file, result);
		return;
	}
	record->mailbox = folder->info.id;
	record->uid = result->uid;
	record->modseq = result->modseq;
	record->born = sequence;
	record->size = result->size;
	record->blob = result->blob;
	record->hash = result->hash;
	record->base = name.base;
	apply_message(account, record, &there, NULL);
	adoption_parse_key(&file->found.delivery, &key);
	if (parse_note_has(account->parse_note, &key))
		parse_note_add(account->parse_note, &record->hash);
	if (!index_find_file(
		account->index, record->mailbox, record->uid, &placed))
		return;
	placed.name = text_of(file->found.name);
	placed.base = name.base;
	placed.is_new = file->found.is_new;
	if (file->cached.size > 0 && placed.cache_number == 0)
		(void)index_put_cache(account->index, &record->hash,
		    text_make(file->cached.data, file->cached.size));
	placed.cache_number = index_cache_number(account->index, &record->hash);
	index_put_file(account->index, record->mailbox, record->uid, &placed);
}

void
adoption_free_batch(struct adopt_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		buf_clear(&b->files[i].cached);
	store_batch_free(&b->batch);
	free(b);
}

/* A batch was refused: its files one by one, so that one of them does not
 * keep the others out. */
static void
adopt_refused(struct adopt_batch *b, enum status status)
{
	struct adoption *adoption = b->adoption;

	log_warning("adopt", "mailbox=%llu files=%zu status=%s",
	    (unsigned long long)adoption->mailbox, b->count,
	    status_name(status));
	if (status_passes(status) || status == STATUS_MISSING)
		adoption->has_failed = true;
	adoption->is_raised = true;
	adoption->batch_limit = 1;
	for (size_t i = 0; b->count > 1 && i < b->count; i++)
		put_again(adoption, &b->files[i].found);
}

void
adoption_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct adopt_batch *b = context;
	struct adoption *adoption = b->adoption;
	struct account_store *account = adoption->account;
	struct folder *folder = folder_find_id(account, adoption->mailbox);
	struct result_record result;
	struct reader r;

	if (folder == NULL)
		status = STATUS_MISSING;
	if (status != STATUS_OK) {
		adopt_refused(b, status);
	} else {
		reader_init(&r, results.data, results.size);
		apply_begin(account);
		if (b->raises && record_get_result(&r, &result) == 1 &&
		    folder->info.uidnext < adoption->uidnext)
			folder->info.uidnext = adoption->uidnext;
		for (size_t i = 0;
		     i < b->count && record_get_result(&r, &result) == 1; i++)
			adopt_row(
			    adoption, folder, &b->files[i], &result, sequence);
		apply_sequence(account, sequence);
		folder_put(account, folder);
		apply_end(account);
	}
	adoption_free_batch(b);
	adoption->under_way--;
	adoption_go_on(adoption);
}

static void
pause_is_over(void *context)
{
	adoption_go_on(context);
}

/* The store has nothing to do while we read the next batch and the last one
 * lies here. */
static bool
must_pause(struct adoption *adoption)
{
	struct account_store *account = adoption->account;

	if (adoption->under_way == 1 || !store_client_is_full(account->client))
		return false;
	if (adoption->pause == NULL)
		adoption->pause =
		    timer_new(account->loop, pause_is_over, adoption);
	timer_start(adoption->pause, ADOPT_PAUSE_MS);
	return true;
}

void
adoption_go_on(struct adoption *adoption)
{
	struct folder *folder;

	adoption->under_way++; /* it does not end meanwhile */
	while (!adoption->has_failed && adoption->under_way <= ADOPT_BATCHES &&
	       (adoption->next < adoption->found_count ||
		   adoption_must_raise(adoption)) &&
	       !must_pause(adoption) &&
	       (folder = folder_find_id(
		    adoption->account, adoption->mailbox)) != NULL)
		adoption_send(adoption, folder);
	if (--adoption->under_way == 0)
		adoption_end(adoption);
}

struct adoption *
adoption_new(struct account_store *account, struct folder *folder)
{
	struct adoption *adoption = memory_new(1, sizeof(*adoption));

	adoption->account = account;
	adoption->mailbox = folder->info.id;
	adoption->batch_limit = ADOPT_A_BATCH;
	buf_init(&adoption->keywords, 65536);
	folder->is_adopting = true;
	account->changing++;
	return adoption;
}

void
adopt_files(struct account_store *account, struct folder *folder,
    struct found *found, size_t count)
{
	struct adoption *adoption = adoption_new(account, folder);

	adoption->found = found;
	adoption->found_count = count;
	adoption_read_uidlist(adoption, folder);
	if (adoption->uidvalidity != 0)
		adoption_take_identity(adoption);
	else
		adoption_go_on(adoption);
}

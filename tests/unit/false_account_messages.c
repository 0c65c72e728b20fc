/* Changes of the false account's messages, and their bytes. */
#include "tests/unit/false_account_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool reads_later;

static uint64_t
keyword_bits(struct box *box, const struct flag_change *change)
{
	uint64_t bits = 0;
	size_t i, k;

	for (i = 0; i < change->keyword_count; i++) {
		for (k = 0; k < box->info.keyword_count; k++) {
			if (text_equal_nocase(
				box->keywords[k], change->keywords[i]))
				break;
		}
		if (k == box->info.keyword_count) {
			(void)text_copy(
			    change->keywords[i], box->keyword_names[k], 100);
			box->keywords[k] = text_of(box->keyword_names[k]);
			box->info.keyword_count++;
		}
		bits |= UINT64_C(1) << k;
	}
	return bits;
}

static void
change_row(
    struct mailbox_row *row, const struct flag_change *change, uint64_t bits)
{
	if (change->mode == FLAGS_REPLACE) {
		row->flags = change->flags;
		row->keywords = bits;
	} else if (change->mode == FLAGS_ADD) {
		row->flags |= change->flags;
		row->keywords |= bits;
	} else {
		row->flags &= ~change->flags;
		row->keywords &= ~bits;
	}
}

void
mailbox_change_flags(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, const struct flag_change *change, mailbox_done *done,
    void *context)
{
	struct answer_later *later = answer_new(view->account, done, context);
	uint64_t bits, modseq = view->box->info.highest_modseq + 1;
	struct mailbox_answer *answer = &later->answer;
	struct mailbox_row before, *row;
	size_t i;

	if (answer->status != STATUS_OK)
		return;
	bits = keyword_bits(view->box, change);
	for (i = 0; i < uid_count; i++) {
		if (row_find(view->box, uids[i]) == NULL)
			continue;
		row = &row_find(view->box, uids[i])->row;
		before = *row;
		if (change->has_unchanged_since &&
		    row->modseq > change->unchanged_since) {
			later->modified[answer->modified_count++] = uids[i];
			continue;
		}
		change_row(row, change, bits);
		if (row->flags == before.flags &&
		    row->keywords == before.keywords)
			continue;
		row->modseq = view->box->info.highest_modseq = modseq;
		view->modseqs[mailbox_view_number(view, uids[i]) - 1] = modseq;
		later->source[answer->count++] = uids[i];
	}
	changed(view->account, view->box);
}

void
mailbox_copy(struct mailbox_view *view, const uint32_t *uids, size_t uid_count,
    struct text target, bool is_move, mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(view->account, done, context);
	struct box *box = box_find(view->account, target);
	struct row *from, *to;
	size_t i;

	if (later->answer.status != STATUS_OK)
		return;
	later->answer.uidvalidity = box->info.uidvalidity;
	for (i = 0; i < uid_count; i++) {
		from = row_find(view->box, uids[i]);
		to = row_new(box, from->bytes, from->size);
		later->source[later->answer.count] = uids[i];
		later->target[later->answer.count++] = to->row.uid;
		if (is_move)
			row_remove(view->box, uids[i]);
	}
	changed(view->account, box);
}

void
mailbox_expunge(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(view->account, done, context);
	size_t i, k;

	if (later->answer.status != STATUS_OK)
		return;
	for (i = view->box->count; i-- > 0;) {
		struct mailbox_row *row = &view->box->rows[i].row;

		for (k = 0; k < uid_count && uids[k] != row->uid; k++)
			;
		if ((row->flags & FLAG_DELETED) == 0 ||
		    (uids != NULL && k == uid_count))
			continue;
		later->source[later->answer.count++] = row->uid;
		row_remove(view->box, row->uid);
	}
}

static void
read_now(struct mailbox_view *view, uint32_t uid,
    void (*done)(enum status status, struct mailbox_body *body, void *context),
    void *context)
{
	struct row *row = row_find(view->box, uid);
	struct mailbox_body body = { .fd = -1 };

	if (row == NULL) {
		done(STATUS_MISSING, &body, context);
		return;
	}
	body.fd = memfd_create("message", MFD_CLOEXEC);
	body.size = body.wire_size = row->size;
	if (write(body.fd, row->bytes, row->size) != (ssize_t)row->size)
		abort();
	done(STATUS_OK, &body, context);
	if (body.fd != -1)
		close(body.fd);
}

static void
read_late(void *context)
{
	struct read_later *later = context;

	timer_free(&later->timer);
	if (later->done != NULL)
		read_now(later->view, later->uid, later->done, later->context);
	later->done = NULL;
}

void
mailbox_read(struct mailbox_view *view, uint32_t uid,
    void (*done)(enum status status, struct mailbox_body *body, void *context),
    void *context)
{
	struct account_store *account = view->account;
	struct read_later *later;

	if (!reads_later) {
		read_now(view, uid, done, context);
		return;
	}
	later = &account->later[account->later_next++ % MAX_LATER];
	*later = (struct read_later){ account, view, uid, done, context,
		timer_new(account->loop, read_late, later) };
	timer_start(later->timer, 0);
}

void
mailbox_read_cancel(struct account_store *account, void *context)
{
	for (size_t i = 0; i < MAX_LATER; i++)
		if (account->later[i].context == context)
			account->later[i].done = NULL;
}

void
false_account_read_later(bool is_later)
{
	reads_later = is_later;
}

/* Of the first bytes: those of the tests differ there. */
bool
mailbox_content_hash(
    const struct mailbox_view *view, uint32_t uid, struct hash *hash)
{
	const struct row *row = row_find(view->box, uid);

	if (row == NULL)
		return false;
	memset(hash, 0, sizeof(*hash));
	memcpy(hash->bytes, row->bytes,
	    row->size < sizeof(hash->bytes) ? row->size : sizeof(hash->bytes));
	return true;
}

bool
mailbox_cache_find(struct mailbox_view *view, uint32_t uid, struct text *bytes)
{
	return false;
}

bool
mailbox_parse_begin(struct mailbox_view *view, uint32_t uid)
{
	return true;
}

void
mailbox_parse_end(struct mailbox_view *view)
{
}

void
mailbox_cache_put(struct mailbox_view *view, uint32_t uid, struct text bytes)
{
}

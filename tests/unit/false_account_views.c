/* Views of the false account's mailboxes, and what they are told. */
#include "common/memory.h"
#include "tests/unit/false_account_parts.h"

#include <stdlib.h>
#include <string.h>

struct mailbox_view *
view_new(struct account_store *account, struct box *box, bool is_read_only,
    const struct mailbox_view_handler *handler, void *context)
{
	struct mailbox_view *view = memory_new(1, sizeof(*view));
	size_t i;

	view->account = account;
	view->box = box;
	view->is_read_only = is_read_only;
	view->handler = *handler;
	view->context = context;
	for (i = 0; i < box->count; i++) {
		view->uids[i] = box->rows[i].row.uid;
		view->modseqs[i] = box->rows[i].row.modseq;
	}
	view->count = box->count;
	view->told_uidnext = box->info.uidnext;
	view->keyword_count = box->info.keyword_count;
	for (i = 0; i < MAX_VIEWS && account->views[i] != NULL; i++)
		;
	account->views[i] = view;
	return view;
}

struct mailbox_view *
mailbox_view_open(struct account_store *account, struct text name,
    bool is_read_only, const struct mailbox_view_handler *handler,
    void *context, enum status *status)
{
	struct box *box = box_find(account, name);

	if (box == NULL) {
		*status = STATUS_MISSING;
		return NULL;
	}
	return view_new(account, box, is_read_only, handler, context);
}

void
mailbox_view_close(struct mailbox_view **view)
{
	size_t i;

	if (*view == NULL)
		return;
	for (i = 0; i < MAX_VIEWS; i++) {
		if ((*view)->account->views[i] == *view)
			(*view)->account->views[i] = NULL;
	}
	free(*view);
	*view = NULL;
}

const struct mailbox_info *
mailbox_view_info(struct mailbox_view *view)
{
	return &view->box->info;
}

bool
mailbox_view_is_read_only(const struct mailbox_view *view)
{
	return view->is_read_only;
}

bool
mailbox_view_is_gone(const struct mailbox_view *view)
{
	return false;
}

size_t
mailbox_view_count(const struct mailbox_view *view)
{
	return view->count;
}

uint32_t
mailbox_view_uid(const struct mailbox_view *view, size_t number)
{
	return view->uids[number - 1];
}

size_t
mailbox_view_number_from(const struct mailbox_view *view, uint32_t uid)
{
	size_t i;

	for (i = 0; i < view->count && view->uids[i] < uid; i++)
		;
	return i + 1;
}

size_t
mailbox_view_number(const struct mailbox_view *view, uint32_t uid)
{
	size_t number = mailbox_view_number_from(view, uid);

	return number <= view->count && view->uids[number - 1] == uid ? number
								      : 0;
}

bool
mailbox_view_is_recent(const struct mailbox_view *view, uint32_t uid)
{
	return false;
}

size_t
mailbox_view_recent_count(const struct mailbox_view *view)
{
	return 0;
}

size_t
mailbox_view_first_unseen(const struct mailbox_view *view)
{
	size_t i;

	for (i = 0; i < view->box->count; i++) {
		if ((view->box->rows[i].row.flags & FLAG_SEEN) == 0)
			return i + 1;
	}
	return 0;
}

bool
mailbox_row(
    const struct mailbox_view *view, uint32_t uid, struct mailbox_row *row)
{
	struct row *found = row_find(view->box, uid);

	if (found != NULL)
		*row = found->row;
	return found != NULL;
}

bool
mailbox_view_take_keywords(struct mailbox_view *view)
{
	bool is_new = view->keyword_count != view->box->info.keyword_count;

	view->keyword_count = view->box->info.keyword_count;
	return is_new;
}

/* Of the first message whose flags have changed; 0: none. */
static uint64_t
first_change(const struct mailbox_view *view)
{
	uint64_t first = 0;

	for (size_t i = 0; i < view->count; i++) {
		const struct row *row = row_find(view->box, view->uids[i]);

		if (row != NULL && row->row.modseq != view->modseqs[i] &&
		    (first == 0 || row->row.modseq < first))
			first = row->row.modseq;
	}
	return first;
}

bool
mailbox_view_has_updates(const struct mailbox_view *view, bool may_expunge)
{
	return view->keyword_count != view->box->info.keyword_count ||
	       view->told_uidnext != view->box->info.uidnext ||
	       (may_expunge && view->count != view->box->count) ||
	       first_change(view) != 0;
}

bool
mailbox_view_is_past(const struct mailbox_view *view)
{
	return view->box == &view->account->past;
}

void
mailbox_view_remember(const struct mailbox_view *view, struct pool *pool,
    struct mailbox_memory *memory)
{
	uint64_t change = first_change(view);

	memory->is_past = mailbox_view_is_past(view);
	memory->mailbox = view->box->info.id;
	memory->uidvalidity = view->box->info.uidvalidity;
	memory->told_uidnext = view->told_uidnext;
	memory->told_modseq =
	    change != 0 ? change - 1 : view->box->info.highest_modseq;
	memory->keyword_count = (uint8_t)view->keyword_count;
	memory->is_read_only = view->is_read_only;
	memory->uids.ranges =
	    pool_alloc(pool, view->count, sizeof(*memory->uids.ranges));
	for (; memory->uids.count < view->count; memory->uids.count++)
		memory->uids.ranges[memory->uids.count] =
		    (struct imap_range){ view->uids[memory->uids.count],
			    view->uids[memory->uids.count] };
}

void
view_recall(struct mailbox_view *view, const struct mailbox_memory *memory)
{
	view->told_uidnext = memory->told_uidnext;
	view->keyword_count = memory->keyword_count;
	for (view->count = 0; view->count < memory->uids.count; view->count++) {
		uint32_t uid = memory->uids.ranges[view->count].first;
		const struct row *row = row_find(view->box, uid);

		view->uids[view->count] = uid;
		view->modseqs[view->count] =
		    row != NULL && row->row.modseq <= memory->told_modseq
			? row->row.modseq
			: 0;
	}
}

struct mailbox_view *
mailbox_view_recall(struct account_store *account,
    const struct mailbox_memory *memory,
    const struct mailbox_view_handler *handler, void *context,
    enum status *status)
{
	struct mailbox_view *view;
	struct box *box = NULL;

	for (size_t i = 0; i < account->box_count; i++)
		if (account->boxes[i].info.id == memory->mailbox)
			box = &account->boxes[i];
	*status = box == NULL ? STATUS_MISSING : STATUS_OK;
	if (box == NULL)
		return NULL;
	view = view_new(account, box, memory->is_read_only, handler, context);
	view_recall(view, memory);
	return view;
}

static bool
next_expunge(struct mailbox_view *view, struct mailbox_update *update)
{
	size_t i;

	for (i = 0; i < view->count; i++) {
		if (row_find(view->box, view->uids[i]) != NULL)
			continue;
		update->kind = UPDATE_EXPUNGE;
		update->number = i + 1;
		update->uid = view->uids[i];
		view->count--;
		memmove(view->uids + i, view->uids + i + 1,
		    (view->count - i) * sizeof(*view->uids));
		memmove(view->modseqs + i, view->modseqs + i + 1,
		    (view->count - i) * sizeof(*view->modseqs));
		return true;
	}
	return false;
}

static bool
next_exists(struct mailbox_view *view, struct mailbox_update *update)
{
	size_t i, before = view->count;

	for (i = 0; i < view->box->count; i++) {
		struct mailbox_row *row = &view->box->rows[i].row;

		if (row->uid >= view->told_uidnext) {
			view->uids[view->count] = row->uid;
			view->modseqs[view->count++] = row->modseq;
		}
	}
	view->told_uidnext = view->box->info.uidnext;
	update->kind = UPDATE_EXISTS;
	update->number = view->count;
	return view->count != before;
}

bool
mailbox_view_next_update(
    struct mailbox_view *view, bool may_expunge, struct mailbox_update *update)
{
	struct row *row;
	size_t i;

	if (view->keyword_count != view->box->info.keyword_count) {
		view->keyword_count = view->box->info.keyword_count;
		update->kind = UPDATE_KEYWORDS;
		return true;
	}
	if ((may_expunge && next_expunge(view, update)) ||
	    next_exists(view, update))
		return true;
	for (i = 0; i < view->count; i++) {
		row = row_find(view->box, view->uids[i]);
		if (row == NULL || row->row.modseq == view->modseqs[i])
			continue;
		view->modseqs[i] = row->row.modseq;
		update->kind = UPDATE_FLAGS;
		update->number = i + 1;
		update->uid = view->uids[i];
		return true;
	}
	return false;
}

size_t
mailbox_view_take_expunged(
    struct mailbox_view *view, uint32_t *uids, size_t max)
{
	struct mailbox_update update;
	size_t count = 0;

	while (count < max && next_expunge(view, &update))
		uids[count++] = update.uid;
	return count;
}

bool
mailbox_view_misses_only(const struct mailbox_view *view, size_t expunged)
{
	return view->box->count + expunged == view->count &&
	       view->told_uidnext == view->box->info.uidnext;
}

/* The store is asked for what vanished before MODSEQ 3. */
bool
mailbox_view_knows_vanished(const struct mailbox_view *view, uint64_t modseq)
{
	return modseq >= 3 || view->account->has_learned;
}

void
mailbox_learn_vanished(struct account_store *account,
    void (*done)(enum status status, void *context), void *context)
{
	account->has_learned = account->refuse == STATUS_OK;
	done(account->refuse, context);
}

/* UID n came on day n of February 2024, at noon; the past has no such times. */
bool
mailbox_view_has_saved(const struct mailbox_view *view)
{
	return view->box != &view->account->past;
}

bool
mailbox_view_knows_saved(const struct mailbox_view *view)
{
	return view->account->has_learned_saved;
}

void
mailbox_learn_saved(struct account_store *account,
    void (*done)(enum status status, void *context), void *context)
{
	account->has_learned_saved = account->refuse == STATUS_OK;
	done(account->refuse, context);
}

bool
mailbox_view_saved(const struct mailbox_view *view, uint32_t uid, int64_t *time)
{
	*time = mailbox_view_has_saved(view)
		    ? 1706745600 + ((int64_t)uid - 1) * 86400 + 43200
		    : *time;
	return mailbox_view_has_saved(view);
}

void
mailbox_learn_cancel(struct account_store *account, void *context)
{
}

uint64_t
mailbox_view_known_modseq(const struct mailbox_view *view, uint64_t modseq)
{
	return modseq > view->box->info.highest_modseq ? 0 : modseq;
}

void
mailbox_view_each_vanished(const struct mailbox_view *view, uint64_t modseq,
    void (*callback)(uint32_t first, uint32_t last, void *context),
    void *context)
{
	const struct box *box = view->box;

	modseq = mailbox_view_known_modseq(view, modseq);
	for (size_t i = 0; i < box->vanished_count; i++)
		if (box->vanished[i].modseq > modseq)
			callback(box->vanished[i].uid, box->vanished[i].uid,
			    context);
}

/*
 * Mailboxes in memory for tests of sessions.  Answers come from the loop, as
 * the real store's do, so that commands are seen to wait.
 */

#include "tests/unit/false_account.h"

#include "common/memory.h"
#include "imapd/mailbox.h"
#include "imapd/mailbox_keys.h"
#include "imapd/snapshot_mailbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	MAX_BOXES = 32,
	MAX_ROWS = 64,
	MAX_VIEWS = 8,
	MAX_APPENDED = 512,
	MAX_LATER = 8
};

#define PAST_MESSAGE "Subject: Past\r\n\r\nGone\r\n"

struct row {
	struct mailbox_row row;
	char *bytes;
	size_t size;
};

struct vanished {
	uint32_t uid;
	uint64_t modseq;
};

struct box {
	struct mailbox_info info;
	char name[200];
	char keyword_names[64][100];
	struct text keywords[64];
	size_t count;
	struct row rows[MAX_ROWS];
	size_t vanished_count;
	struct vanished vanished[MAX_ROWS];
	uint8_t key; /* 0: none */
};

struct mailbox_view {
	struct account_store *account;
	struct box *box;
	bool is_read_only;
	size_t count;
	uint32_t uids[MAX_ROWS];
	uint64_t modseqs[MAX_ROWS];
	size_t keyword_count;
	uint32_t told_uidnext;
	struct mailbox_view_handler handler;
	void *context;
};

struct answer_later {
	struct mailbox_answer answer;
	uint32_t source[MAX_ROWS], target[MAX_ROWS], modified[MAX_ROWS];
	mailbox_done *done;
	void *context;
	struct timer *timer;
};

/* A body that the store is asked for. */
struct read_later {
	struct account_store *account;
	struct mailbox_view *view;
	uint32_t uid;
	void (*done)(
	    enum status status, struct mailbox_body *body, void *context);
	void *context;
	struct timer *timer;
};

static bool reads_later;

struct account_store {
	struct event_loop *loop;
	unsigned int later_next;
	struct read_later later[MAX_LATER];
	enum status refuse;
	struct change_note note;  /* of whoever acts now */
	struct change_note noted; /* of the last change */
	size_t box_count;
	struct box boxes[MAX_BOXES];
	size_t subscribed_count;
	char subscribed[MAX_BOXES][200];
	struct mailbox_view *views[MAX_VIEWS];
	struct box past; /* each mailbox of the past */
	struct past_later *past_later;
	struct account_listener *listeners;
	bool has_learned_saved;
	bool has_learned;
	uint8_t last_key;
	char owner[100];
};

static void
answer_now(void *context)
{
	struct answer_later *later = context;

	later->done(&later->answer, later->context);
	timer_free(&later->timer);
	free(later);
}

static struct answer_later *
answer_new(struct account_store *account, mailbox_done *done, void *context)
{
	struct answer_later *later = memory_new(1, sizeof(*later));

	account->noted = account->note;
	later->done = done;
	later->context = context;
	later->answer.source_uids = later->source;
	later->answer.target_uids = later->target;
	later->answer.modified_uids = later->modified;
	later->answer.status = account->refuse;
	later->timer = timer_new(account->loop, answer_now, later);
	timer_start(later->timer, 0);
	return later;
}

static struct box *
box_find(struct account_store *account, struct text name)
{
	size_t i;

	for (i = 0; i < account->box_count; i++) {
		if (text_is(name, account->boxes[i].name) ||
		    (i == 0 && text_is_nocase(name, "INBOX")))
			return &account->boxes[i];
	}
	return NULL;
}

static struct box *
box_new(struct account_store *account, struct text name)
{
	struct box *box = &account->boxes[account->box_count++];

	memset(box, 0, sizeof(*box));
	(void)text_copy(name, box->name, sizeof(box->name));
	box->info.id = account->box_count;
	box->info.uidvalidity = 1000 + (uint32_t)account->box_count;
	box->info.uidnext = 1;
	box->info.highest_modseq = 1;
	box->info.name = text_of(box->name);
	box->info.keywords = box->keywords;
	return box;
}

static struct row *
row_new(struct box *box, const void *bytes, size_t size)
{
	struct row *row = &box->rows[box->count++];

	memset(row, 0, sizeof(*row));
	row->row.uid = box->info.uidnext++;
	row->row.modseq = ++box->info.highest_modseq;
	row->row.size = size;
	row->row.internaldate = 1767607200; /* 2026-01-05 10:00 UTC */
	row->bytes = memory_copy(bytes, size);
	row->size = size;
	box->info.message_count = box->count;
	return row;
}

static struct row *
row_find(const struct box *box, uint32_t uid)
{
	size_t i;

	for (i = 0; i < box->count; i++) {
		if (box->rows[i].row.uid == uid)
			return (struct row *)&box->rows[i];
	}
	return NULL;
}

static void
row_remove(struct box *box, uint32_t uid)
{
	struct row *row = row_find(box, uid);
	size_t at;

	if (row == NULL)
		return;
	at = (size_t)(row - box->rows);
	free(row->bytes);
	box->count--;
	memmove(row, row + 1, (box->count - at) * sizeof(*row));
	box->info.message_count = box->count;
	box->info.highest_modseq++;
	if (box->vanished_count < MAX_ROWS)
		box->vanished[box->vanished_count++] =
		    (struct vanished){ uid, box->info.highest_modseq };
}

/* Of messages, or of names; {NULL, 0}: none. */
static void
tell(struct account_store *account, enum happening what, const struct box *box,
    struct text name, struct text old_name)
{
	const struct account_event event = { what, box ? box->info.id : 0,
		box ? box->info.name : name, old_name };

	if (account->listeners != NULL)
		account->listeners->heard(&event, account->listeners->context);
}

static void
changed(struct account_store *account, struct box *box)
{
	size_t i;

	for (i = 0; i < MAX_VIEWS; i++) {
		if (account->views[i] != NULL && account->views[i]->box == box)
			account->views[i]->handler.changed(
			    account->views[i], account->views[i]->context);
	}
	tell(
	    account, HAPPENED_NEW, box, text_make(NULL, 0), text_make(NULL, 0));
}

struct account_store *
false_account_new(struct event_loop *loop)
{
	struct account_store *account = memory_new(1, sizeof(*account));

	account->loop = loop;
	box_new(account, TEXT("INBOX"));
	account->past = *box_new(account, TEXT("past"));
	account->past.info.name = TEXT("Deleted mail");
	account->past.info.keywords = account->past.keywords;
	account->box_count--;
	row_new(&account->past, PAST_MESSAGE, sizeof(PAST_MESSAGE) - 1)
	    ->row.flags = FLAG_ANSWERED;
	return account;
}

void
false_account_free(struct account_store **accountp)
{
	struct account_store *account = *accountp;
	size_t i;

	for (i = 0; i < account->box_count; i++) {
		while (account->boxes[i].count > 0)
			row_remove(&account->boxes[i],
			    account->boxes[i].rows[0].row.uid);
	}
	row_remove(&account->past, 1);
	for (i = 0; i < MAX_LATER; i++)
		timer_free(&account->later[i].timer);
	free(account);
	*accountp = NULL;
}

void
false_account_deliver(struct account_store *account, const char *message)
{
	row_new(&account->boxes[0], message, strlen(message));
	changed(account, &account->boxes[0]);
}

void
false_account_refuse(struct account_store *account, enum status status)
{
	account->refuse = status;
}

void
false_account_expunge(struct account_store *account, uint32_t uid)
{
	row_remove(&account->boxes[0], uid);
	changed(account, &account->boxes[0]);
}

/* ---- account_store.h ---- */

void
account_store_when_ready(struct account_store *account,
    void (*callback)(enum status status, void *context), void *context)
{
	callback(account->refuse == STATUS_FENCED ? STATUS_FENCED : STATUS_OK,
	    context);
}

void
account_store_set_owner(struct account_store *account, struct text user)
{
	(void)text_copy(user, account->owner, sizeof(account->owner));
}

struct text
account_store_owner(const struct account_store *account)
{
	return text_of(account->owner);
}

struct text
account_store_host(const struct account_store *account)
{
	return TEXT("mail.example.net");
}

/* ---- mailbox_keys.h ---- */

static struct box *
box_of(struct account_store *account, uint64_t mailbox)
{
	for (size_t i = 0; i < account->box_count; i++)
		if (account->boxes[i].info.id == mailbox)
			return &account->boxes[i];
	return NULL;
}

enum status
mailbox_key_find(struct account_store *account, uint64_t mailbox,
    uint8_t key[MAILBOX_KEY_SIZE])
{
	const struct box *box = box_of(account, mailbox);

	if (box == NULL || box->key == 0)
		return STATUS_MISSING;
	for (uint8_t i = 0; i < MAILBOX_KEY_SIZE; i++)
		key[i] = (uint8_t)(box->key * MAILBOX_KEY_SIZE + i);
	return STATUS_OK;
}

enum status
mailbox_key_get(struct account_store *account, uint64_t mailbox,
    uint8_t key[MAILBOX_KEY_SIZE])
{
	struct box *box = box_of(account, mailbox);

	if (account->refuse != STATUS_OK)
		return account->refuse;
	if (box->key == 0)
		box->key = ++account->last_key;
	return mailbox_key_find(account, mailbox, key);
}

enum status
mailbox_key_reset(struct account_store *account, uint64_t mailbox)
{
	for (size_t i = 0; i < account->box_count; i++) {
		struct box *box = &account->boxes[i];

		if (mailbox == 0)
			box->key = 0;
		else if (box->info.id == mailbox)
			box->key = ++account->last_key;
	}
	return account->refuse;
}

/* Two messages of at most a KiB, and room for 2000 KiB. */
void
account_store_usage(
    const struct account_store *account, struct account_usage *usage)
{
	*usage = (struct account_usage){ .bytes = 1500,
		.messages = 2,
		.max_bytes = 2000 * 1024,
		.max_messages = 100 };
}

bool
account_store_has_room(const struct account_store *account, uint64_t bytes)
{
	return bytes <= 2000 * 1024 - 1500;
}

void
account_store_listen(
    struct account_store *account, struct account_listener *listener)
{
	listener->next = account->listeners;
	account->listeners = listener;
}

void
account_store_unlisten(
    struct account_store *account, struct account_listener *listener)
{
	account->listeners = listener->next;
}

void
account_store_forget_ready(struct account_store *account, void *context)
{
}

static int
compare_names(struct text a, struct text b)
{
	if (text_is(a, "INBOX") || text_is(b, "INBOX"))
		return text_is(a, "INBOX") ? (text_is(b, "INBOX") ? 0 : -1) : 1;
	return text_compare(a, b);
}

const struct mailbox_info *
mailbox_list_next(struct account_store *account, struct text after)
{
	const struct mailbox_info *best = NULL;
	size_t i;

	for (i = 0; i < account->box_count; i++) {
		const struct mailbox_info *info = &account->boxes[i].info;

		if ((after.data == NULL ||
			compare_names(info->name, after) > 0) &&
		    (best == NULL || compare_names(info->name, best->name) < 0))
			best = info;
	}
	return best;
}

const struct mailbox_info *
mailbox_list_find(struct account_store *account, struct text name)
{
	struct box *box = box_find(account, name);

	return box != NULL ? &box->info : NULL;
}

bool
mailbox_list_next_subscribed(
    struct account_store *account, struct text after, struct text *name)
{
	bool found = false;
	size_t i;

	for (i = 0; i < account->subscribed_count; i++) {
		struct text s = text_of(account->subscribed[i]);

		if ((after.data == NULL || compare_names(s, after) > 0) &&
		    (!found || compare_names(s, *name) < 0)) {
			*name = s;
			found = true;
		}
	}
	return found;
}

bool
mailbox_list_is_subscribed(struct account_store *account, struct text name)
{
	size_t i;

	for (i = 0; i < account->subscribed_count; i++) {
		if (text_is(name, account->subscribed[i]))
			return true;
	}
	return false;
}

const struct mailbox_info *
mailbox_list_find_id(struct account_store *account, uint64_t mailbox)
{
	for (size_t i = 0; i < account->box_count; i++)
		if (account->boxes[i].info.id == mailbox)
			return &account->boxes[i].info;
	return NULL;
}

void
mailbox_list_count(struct account_store *account,
    const struct mailbox_info *info, struct mailbox_counts *counts)
{
	struct box *box = box_find(account, info->name);
	size_t i;

	memset(counts, 0, sizeof(*counts));
	counts->messages = box->count;
	for (i = 0; i < box->count; i++) {
		counts->unseen += (box->rows[i].row.flags & FLAG_SEEN) == 0;
		counts->deleted += (box->rows[i].row.flags & FLAG_DELETED) != 0;
		if (box->rows[i].row.flags & FLAG_DELETED)
			counts->deleted_size += box->rows[i].row.size;
		counts->size += box->rows[i].row.size;
	}
}

void
account_store_act_for(
    struct account_store *account, const struct change_note *note)
{
	memset(&account->note, 0, sizeof(account->note));
	if (note != NULL)
		account->note = *note;
}

const struct change_note *
false_account_noted(const struct account_store *account)
{
	return &account->noted;
}

enum status
mailbox_name_check(struct text name)
{
	return name.size == 0 ? STATUS_INVALID : STATUS_OK;
}

void
mailbox_list_create(struct account_store *account, struct text name,
    uint32_t special_use, mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(account, done, context);

	if (later->answer.status != STATUS_OK)
		return;
	if (box_find(account, name) != NULL)
		later->answer.status = STATUS_EXISTS;
	else {
		box_new(account, name)->info.special_use = special_use;
		tell(account, HAPPENED_NAME, NULL, name, text_make(NULL, 0));
	}
}

void
mailbox_list_delete(struct account_store *account, struct text name,
    mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(account, done, context);
	struct box *box = box_find(account, name);

	if (box == NULL)
		later->answer.status = STATUS_MISSING;
	else if (box == &account->boxes[0])
		later->answer.status = STATUS_REFUSED;
	else {
		while (box->count > 0)
			row_remove(box, box->rows[0].row.uid);
		strcpy(box->name, "\x7f");
		box->info.name = text_of(box->name);
		tell(account, HAPPENED_NAME, NULL, text_make(NULL, 0), name);
	}
}

void
mailbox_list_rename(struct account_store *account, struct text from,
    struct text to, mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(account, done, context);
	struct box *box = box_find(account, from);

	if (box == NULL)
		later->answer.status = STATUS_MISSING;
	else if (box_find(account, to) != NULL)
		later->answer.status = STATUS_EXISTS;
	else {
		(void)text_copy(to, box->name, sizeof(box->name));
		box->info.name = text_of(box->name);
		tell(account, HAPPENED_NAME, NULL, to, from);
	}
}

void
mailbox_list_subscribe(struct account_store *account, struct text name,
    bool is_subscribed, mailbox_done *done, void *context)
{
	(void)answer_new(account, done, context);
	if (is_subscribed)
		(void)text_copy(name,
		    account->subscribed[account->subscribed_count++],
		    sizeof(account->subscribed[0]));
	else
		account->subscribed_count = 0;
	tell(account, HAPPENED_SUBSCRIPTION, NULL, name, text_make(NULL, 0));
}

struct append {
	struct account_store *account;
	char name[200];
	struct box *replaced_in;
	uint32_t replaced;
	size_t count;
	struct {
		struct buf bytes;
		uint32_t flags;
		int64_t date;
	} messages[MAX_APPENDED];
};

struct append *
append_begin(struct account_store *account, struct text mailbox)
{
	struct append *append = memory_new(1, sizeof(*append));

	append->account = account;
	(void)text_copy(mailbox, append->name, sizeof(append->name));
	return append;
}

void
append_message(struct append *append, uint32_t flags,
    const struct text *keywords, size_t keyword_count, int64_t internaldate)
{
	size_t n = append->count++;

	append->messages[n].flags = flags;
	append->messages[n].date = internaldate;
	buf_init(&append->messages[n].bytes, 1 << 20);
}

int
append_write(struct append *append, const void *data, size_t size)
{
	return buf_put(&append->messages[append->count - 1].bytes, data, size);
}

void
append_replace(struct append *append, struct mailbox_view *view, uint32_t uid)
{
	append->replaced_in = view->box;
	append->replaced = uid;
}

static void
append_rows(struct append *append, struct box *box,
    struct mailbox_answer *answer, uint32_t *uids)
{
	for (size_t i = 0; i < append->count; i++) {
		struct buf *bytes = &append->messages[i].bytes;
		struct row *row = row_new(box, bytes->data, bytes->size);

		row->row.flags = append->messages[i].flags;
		row->row.internaldate = append->messages[i].date;
		uids[answer->count++] = row->row.uid;
	}
	answer->uidvalidity = box->info.uidvalidity;
	if (append->replaced_in != NULL)
		row_remove(append->replaced_in, append->replaced);
	changed(append->account, box);
}

void
append_commit(struct append **appendp, mailbox_done *done, void *context)
{
	struct append *append = *appendp;
	struct answer_later *later = answer_new(append->account, done, context);
	struct box *box = box_find(append->account, text_of(append->name));

	if (box == NULL)
		later->answer.status = STATUS_MISSING;
	if (later->answer.status == STATUS_OK)
		append_rows(append, box, &later->answer, later->target);
	append_abort(appendp);
}

void
append_abort(struct append **append)
{
	for (size_t i = 0; *append != NULL && i < (*append)->count; i++)
		buf_clear(&(*append)->messages[i].bytes);
	free(*append);
	*append = NULL;
}

/* ---- mailbox.h ---- */

static struct mailbox_view *
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
mailbox_view_has_updates(const struct mailbox_view *view)
{
	return view->keyword_count != view->box->info.keyword_count ||
	       view->told_uidnext != view->box->info.uidnext ||
	       view->count != view->box->count || first_change(view) != 0;
}

bool
mailbox_view_is_memorable(const struct mailbox_view *view)
{
	return view->box != &view->account->past;
}

void
mailbox_view_remember(const struct mailbox_view *view, struct pool *pool,
    struct mailbox_memory *memory)
{
	uint64_t change = first_change(view);

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
	view->told_uidnext = memory->told_uidnext;
	view->keyword_count = memory->keyword_count;
	for (view->count = 0; view->count < memory->uids.count; view->count++) {
		uint32_t uid = memory->uids.ranges[view->count].first;
		const struct row *row = row_find(box, uid);

		view->uids[view->count] = uid;
		view->modseqs[view->count] =
		    row != NULL && row->row.modseq <= memory->told_modseq
			? row->row.modseq
			: 0;
	}
	return view;
}

bool
account_store_identity(struct account_store *account, struct store_id *store,
    uint64_t *incarnation)
{
	memset(store, 7, sizeof(*store));
	*incarnation = 1;
	return true;
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

/* ---- snapshot_mailbox.h ---- */

struct past_later {
	struct account_store *account;
	struct timer *timer;
	snapshot_trees_listed *trees;
	snapshot_names_listed *names;
	snapshot_opened *opened;
	bool is_missing;
	const struct mailbox_view_handler *handler;
	void *handler_context;
	void *context;
};

static void
past_now(void *context)
{
	static const struct snapshot_tree tree = { 7,
		"2026-01-05 10:00:00 UTC" };
	static const struct text names[] = { { "INBOX", 5 },
		{ "Work/old", 8 } };
	struct past_later *later = context;
	struct account_store *account = later->account;
	enum status status = account->refuse;

	account->past_later = NULL;
	timer_free(&later->timer);
	if (later->is_missing && status == STATUS_OK)
		status = STATUS_MISSING;
	if (later->trees != NULL)
		later->trees(status, &tree, 1, later->context);
	else if (later->names != NULL)
		later->names(status, names, 2, later->context);
	else
		later->opened(status,
		    status != STATUS_OK
			? NULL
			: view_new(account, &account->past, true,
			      later->handler, later->handler_context),
		    later->context);
	free(later);
}

static struct past_later *
past_later(struct account_store *account, void *context)
{
	struct past_later *later = memory_new(1, sizeof(*later));

	later->account = account;
	later->context = context;
	later->timer = timer_new(account->loop, past_now, later);
	timer_start(later->timer, 0);
	account->past_later = later;
	return later;
}

void
snapshot_list_trees(
    struct account_store *account, snapshot_trees_listed *done, void *context)
{
	past_later(account, context)->trees = done;
}

void
snapshot_list_names(struct account_store *account, uint64_t sequence,
    snapshot_names_listed *done, void *context)
{
	past_later(account, context)->names = done;
}

void
snapshot_open(struct account_store *account, struct text name,
    const struct mailbox_view_handler *handler, void *handler_context,
    snapshot_opened *done, void *context)
{
	struct past_later *later = past_later(account, context);

	later->opened = done;
	later->is_missing = !text_is(name, SNAPSHOT_DELETED_MAIL);
	later->handler = handler;
	later->handler_context = handler_context;
}

void
snapshot_cancel(struct account_store *account, void *context)
{
	if (account->past_later == NULL)
		return;
	timer_free(&account->past_later->timer);
	free(account->past_later);
	account->past_later = NULL;
}

struct session_start
false_account_session(int fd)
{
	return (struct session_start){ .fd = fd,
		.number = 1,
		.user = TEXT("ann@example.org"),
		.client_ip = TEXT("127.0.0.1"),
		.is_tls = true };
}

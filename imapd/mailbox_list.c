/*
 * The list of mailboxes: looking, and asking the store to create, retire,
 * rename and subscribe.  What the store committed is applied by
 * account_apply.c through the list of changes, which says for each mailbox
 * what it is now.
 */
#include "imapd/account_state.h"

#include "common/mailbox_name.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAILBOX_MAX_LEVELS = 32,
	MAILBOX_MAX_COUNT = 10000
};

const struct mailbox_info *
mailbox_list_find(struct account_store *account, struct text name)
{
	struct folder *folder = folder_find(account, name);

	return folder == NULL ? NULL : &folder->info;
}

const struct mailbox_info *
mailbox_list_next(struct account_store *account, struct text after)
{
	const struct folder *folder = folder_after(account, after);

	return folder == NULL ? NULL : &folder->info;
}

/* The first subscribed name that is not before that one. */
static size_t
subscribed_position(const struct account_store *account, struct text name)
{
	size_t low = 0, high = account->subscribed_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (folder_compare_names(
			text_of(account->subscribed[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
list_note_subscribed(
    struct account_store *account, struct text name, bool is_subscribed)
{
	size_t at = subscribed_position(account, name);
	size_t behind = account->subscribed_count - at;
	char **place;

	if ((behind > 0 && text_is(name, account->subscribed[at])) ==
	    is_subscribed)
		return false;
	if (is_subscribed) {
		account->subscribed = memory_resize(account->subscribed,
		    account->subscribed_count + 1, sizeof(char *));
		place = &account->subscribed[at];
		memmove(place + 1, place, behind * sizeof(char *));
		*place = (char *)(uintptr_t)folder_copy_text(name).data;
		account->subscribed_count++;
	} else {
		place = &account->subscribed[at];
		free(*place);
		account->subscribed_count--;
		memmove(place, place + 1, (behind - 1) * sizeof(char *));
	}
	return true;
}

bool
mailbox_list_next_subscribed(
    struct account_store *account, struct text after, struct text *name)
{
	size_t at = after.size == 0 ? 0 : subscribed_position(account, after);

	if (at < account->subscribed_count && after.size > 0 &&
	    text_is(after, account->subscribed[at]))
		at++;
	if (at == account->subscribed_count)
		return false;
	*name = text_of(account->subscribed[at]);
	return true;
}

bool
mailbox_list_is_subscribed(struct account_store *account, struct text name)
{
	size_t at;

	if (text_is_nocase(name, "INBOX"))
		name = TEXT("INBOX");
	at = subscribed_position(account, name);
	return at < account->subscribed_count &&
	       text_is(name, account->subscribed[at]);
}

const struct mailbox_info *
mailbox_list_find_id(struct account_store *account, uint64_t mailbox)
{
	const struct folder *folder = folder_find_id(account, mailbox);

	return folder == NULL ? NULL : &folder->info;
}

void
mailbox_list_count(struct account_store *account,
    const struct mailbox_info *info, struct mailbox_counts *counts)
{
	struct folder *folder = folder_find_id(account, info->id);
	struct index_counts known;

	memset(counts, 0, sizeof(*counts));
	if (folder == NULL)
		return;
	sync_folder_if_changed(account, folder);
	index_count(account->index, info->id, &known);
	counts->messages = known.messages;
	counts->unseen = known.unseen;
	counts->deleted = known.deleted;
	counts->deleted_size = known.deleted_bytes;
	counts->size = known.bytes;
	if (folder->state.first_recent < folder->info.uidnext)
		counts->recent = index_set_count(account->index, info->id,
		    INDEX_ALL, folder->state.first_recent);
}

/* -- Names -- */

enum status
mailbox_name_check(struct text name)
{
	struct text rest = name, level;
	struct buf folder;
	size_t levels = 0;
	bool fits;

	if (name.size == 0 || !text_is_utf8(name) ||
	    name.data[name.size - 1] == '/')
		return STATUS_INVALID;
	if (name.size > RECORD_MAX_NAME_SIZE)
		return STATUS_LIMIT;
	for (size_t i = 0; i < name.size; i++)
		if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
			return STATUS_INVALID;
	while (text_next(&rest, '/', &level))
		if (level.size == 0)
			return STATUS_INVALID;
		else if (++levels > MAILBOX_MAX_LEVELS)
			return STATUS_LIMIT;
	buf_init(&folder, 4096);
	fits = maildir_folder_format(name, &folder) == 0;
	buf_clear(&folder);
	return fits ? STATUS_OK : STATUS_LIMIT;
}

/* -- Changes -- */

struct list_change {
	struct list_change *next;
	struct account_store *account;
	mailbox_done *done;
	void *context;
	char *name;              /* create: what was asked for */
	struct change_note note; /* delete */
	struct mailbox_answer answer;
};

static void
finish(struct list_change *change, enum status status)
{
	struct folder *folder;

	account_change_ended(change->account);
	change->answer.status = status;
	if (change->name != NULL && status == STATUS_OK &&
	    (folder = folder_find(change->account, text_of(change->name))) !=
		NULL)
		change->answer.uidvalidity = folder->info.uidvalidity;
	change->done(&change->answer, change->context);
	free(change->name);
	free(change);
}

static void
listed(enum status status, uint64_t sequence, struct text data, void *context)
{
	struct list_change *change = context;

	if (status == STATUS_OK) {
		if (arrive_own_changes(change->account, data) == -1)
			status = STATUS_DAMAGED;
		else
			apply_sequence(change->account, sequence);
	}
	finish(change, status);
}

static void
committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct list_change *change = context;

	if (status != STATUS_OK)
		finish(change, status);
	else
		store_list_changes(change->account->client,
		    sequence == 0 ? 0 : sequence - 1, listed, change);
}

static void
commit(struct account_store *account, struct store_batch *batch, char *name,
    mailbox_done *done, void *context)
{
	struct list_change *change = memory_new(1, sizeof(*change));

	change->account = account;
	change->done = done;
	change->context = context;
	change->name = name;
	account->changing++;
	store_client_commit(account->client, &batch, committed, change);
}

static void
add_create(struct store_batch *batch, struct text name, uint32_t special_use)
{
	struct message m = { .type = MESSAGE_change_create };

	m.change_create.name = name;
	m.change_create.special_use = special_use;
	store_batch_add(batch, &m, -1);
}

/* The levels above `name` that are missing. */
static void
add_parents(
    struct account_store *account, struct store_batch *batch, struct text name)
{
	for (size_t i = 1; i < name.size; i++)
		if (name.data[i] == '/' &&
		    folder_find(account, text_make(name.data, i)) == NULL)
			add_create(batch, text_make(name.data, i), 0);
}

/* STATUS_OK and the normal form of a name that may be made. */
static enum status
new_name(struct account_store *account, struct text name, char **normal)
{
	enum status status = mailbox_name_check(name);

	*normal = NULL;
	if (status != STATUS_OK)
		return status;
	*normal = mailbox_name_normal(name);
	if (*normal == NULL)
		return STATUS_INVALID;
	status = mailbox_name_check(text_of(*normal));
	if (status == STATUS_OK &&
	    folder_find(account, text_of(*normal)) != NULL)
		status = STATUS_EXISTS;
	if (status == STATUS_OK && account->folder_count >= MAILBOX_MAX_COUNT)
		status = STATUS_LIMIT;
	if (status != STATUS_OK)
		memory_free(normal);
	return status;
}

void
mailbox_list_create(struct account_store *account, struct text name,
    uint32_t special_use, mailbox_done *done, void *context)
{
	struct store_batch *batch;
	char *normal;
	enum status status = new_name(account, name, &normal);

	if (status != STATUS_OK) {
		account_answer(done, context, status);
		return;
	}
	batch = store_batch_new(&account->note);
	add_parents(account, batch, text_of(normal));
	add_create(batch, text_of(normal), special_use);
	commit(account, batch, normal, done, context);
}

static void
retire(struct list_change *deletion, struct folder *folder)
{
	struct message m = { .type = MESSAGE_change_retire };
	struct store_batch *batch = store_batch_new(&deletion->note);

	m.change_retire.mailbox = folder->info.id;
	store_batch_add(batch, &m, -1);
	store_client_commit(
	    deletion->account->client, &batch, committed, deletion);
}

void
list_folder_adopted(struct account_store *account, struct folder *folder)
{
	struct list_change *deletion = folder->deletions;

	folder->deletions = NULL;
	while (deletion != NULL) {
		struct list_change *next = deletion->next;

		retire(deletion, folder);
		deletion = next;
	}
}

/* What other programs put there goes to the store before. */
void
mailbox_list_delete(struct account_store *account, struct text name,
    mailbox_done *done, void *context)
{
	struct folder *folder = folder_find(account, name);
	struct list_change *deletion;

	if (folder == NULL || text_is_nocase(name, "INBOX")) {
		account_answer(done, context,
		    folder == NULL ? STATUS_MISSING : STATUS_REFUSED);
		return;
	}
	deletion = memory_new(1, sizeof(*deletion));
	deletion->account = account;
	deletion->done = done;
	deletion->context = context;
	deletion->note = account->note;
	account->changing++;
	sync_folder_if_changed(account, folder);
	if (folder->is_adopting) {
		deletion->next = folder->deletions;
		folder->deletions = deletion;
	} else {
		retire(deletion, folder);
	}
}

static void
add_rename(struct store_batch *batch, uint64_t mailbox, struct text name)
{
	struct message m = { .type = MESSAGE_change_rename };

	m.change_rename.mailbox = mailbox;
	m.change_rename.name = name;
	store_batch_add(batch, &m, -1);
}

static bool
is_child(struct text name, struct text parent)
{
	return name.size > parent.size && name.data[parent.size] == '/' &&
	       memcmp(name.data, parent.data, parent.size) == 0;
}

static bool
has_children(struct account_store *account, struct text parent)
{
	for (size_t i = 0; i < account->folder_count; i++)
		if (is_child(account->folders[i]->info.name, parent))
			return true;
	return false;
}

/* The levels below go along; false if a name gets too long. */
static bool
add_children(struct account_store *account, struct store_batch *batch,
    struct text from, const char *to)
{
	for (size_t i = 0; i < account->folder_count; i++) {
		const struct mailbox_info *info = &account->folders[i]->info;
		struct text name = info->name;
		struct buf buf;
		bool fits;

		if (!is_child(name, from))
			continue;
		buf_init(&buf, 4 * RECORD_MAX_NAME_SIZE);
		buf_put_text(&buf, to);
		buf_put(&buf, name.data + from.size, name.size - from.size);
		name = text_make(buf.data, buf.size);
		fits = mailbox_name_check(name) == STATUS_OK;
		if (fits)
			add_rename(batch, info->id, name);
		buf_clear(&buf);
		if (!fits)
			return false;
	}
	return true;
}

/* RENAME INBOX: its messages move into a new mailbox. */
struct inbox_rename {
	struct account_store *account;
	char *name;
	struct change_note note;
	mailbox_done *done;
	void *context;
	struct mailbox_view *view;
	uint32_t *uids; /* of it, until the change is done */
};

static void
ignore_change(struct mailbox_view *view, void *context)
{
}

static void
inbox_moved(const struct mailbox_answer *answer, void *context)
{
	struct inbox_rename *r = context;

	mailbox_view_close(&r->view);
	r->done(answer, r->context);
	free(r->name);
	free(r->uids);
	free(r);
}

static void
inbox_target_made(const struct mailbox_answer *answer, void *context)
{
	static const struct mailbox_view_handler handler = { ignore_change };
	struct inbox_rename *r = context;
	struct account_store *account = r->account;
	enum status status = answer->status;
	size_t count;

	if (status == STATUS_OK)
		r->view = mailbox_view_open(
		    r->account, TEXT("INBOX"), true, &handler, NULL, &status);
	if (status != STATUS_OK) {
		struct mailbox_answer refused = { .status = status };

		inbox_moved(&refused, r);
		return;
	}
	count = mailbox_view_count(r->view);
	r->uids = memory_new(count + 1, sizeof(*r->uids));
	for (size_t i = 0; i < count; i++)
		r->uids[i] = mailbox_view_uid(r->view, i + 1);
	account_store_act_for(account, &r->note);
	mailbox_copy(
	    r->view, r->uids, count, text_of(r->name), true, inbox_moved, r);
	account_store_act_for(account, NULL);
}

static void
rename_inbox(struct account_store *account, struct text to, mailbox_done *done,
    void *context)
{
	struct inbox_rename *r = memory_new(1, sizeof(*r));

	r->account = account;
	r->name = mailbox_name_normal(to);
	r->note = account->note;
	r->done = done;
	r->context = context;
	mailbox_list_create(account, to, 0, inbox_target_made, r);
}

void
mailbox_list_rename(struct account_store *account, struct text from,
    struct text to, mailbox_done *done, void *context)
{
	struct folder *folder = folder_find(account, from);
	struct store_batch *batch;
	enum status status;
	char *normal;

	/* A level above mailboxes is a name in LIST, too, and they have it. */
	if (folder == NULL && !has_children(account, from)) {
		account_answer(done, context, STATUS_MISSING);
		return;
	}
	status = new_name(account, to, &normal);
	if (status == STATUS_OK && text_is_nocase(from, "INBOX")) {
		free(normal);
		rename_inbox(account, to, done, context);
		return;
	}
	if (status == STATUS_OK && is_child(text_of(normal), from))
		status = STATUS_INVALID; /* into itself */
	if (status != STATUS_OK) {
		free(normal);
		account_answer(done, context, status);
		return;
	}
	batch = store_batch_new(&account->note);
	add_parents(account, batch, text_of(normal));
	if (folder != NULL)
		add_rename(batch, folder->info.id, text_of(normal));
	if (add_children(account, batch, from, normal)) {
		commit(account, batch, normal, done, context);
		return;
	}
	store_batch_free(&batch);
	free(normal);
	account_answer(done, context, STATUS_LIMIT);
}

void
mailbox_list_subscribe(struct account_store *account, struct text name,
    bool is_subscribed, mailbox_done *done, void *context)
{
	struct message m = { .type = MESSAGE_change_subscribe };
	enum status status = mailbox_name_check(name);
	struct store_batch *batch;
	char *normal;

	if (status != STATUS_OK ||
	    (normal = mailbox_name_normal(name)) == NULL) {
		account_answer(done, context,
		    status == STATUS_OK ? STATUS_INVALID : status);
		return;
	}
	batch = store_batch_new(&account->note);
	m.change_subscribe.name = text_of(normal);
	m.change_subscribe.is_subscribed = is_subscribed;
	store_batch_add(batch, &m, -1);
	commit(account, batch, normal, done, context);
}

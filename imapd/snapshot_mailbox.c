/*
 * See snapshot_mailbox.h.  A request asks the store step by step: the kept
 * snapshots, the mailboxes as of one of them, the messages of one of these; or
 * the expunged messages, a page at a time.
 */
#include "imapd/snapshot_mailbox.h"

#include "common/memory.h"
#include "common/table.h"
#include "imapd/account_state.h"

#include <stdlib.h>
#include <string.h>

struct past_request {
	struct past_request *next;
	struct account_store *account;
	bool is_cancelled;
	void *context;
	snapshot_trees_listed *trees_listed;
	snapshot_names_listed *names_listed;
	snapshot_opened *opened;
	/* Opening. */
	const struct mailbox_view_handler *handler;
	void *handler_context;
	char *tree;
	char *mailbox;
	uint64_t sequence;
	struct folder *folder;
	const struct mailbox_memory *memory; /* NULL: it is opened anew */
	/* The deleted mail: keywords of all its mailboxes. */
	uint32_t last;
	uint32_t up_to; /* whatever was deleted later is not in it */
	struct table *keyword_maps; /* mailbox -> struct keyword_map */
	size_t keyword_count;
	char *keywords[RECORD_MAX_KEYWORDS];
};

/* Keyword n of a mailbox is number `to` of the deleted mail. */
struct keyword_map {
	uint64_t to[RECORD_MAX_KEYWORDS]; /* bits; 0: no room for it */
};

static struct past_request *
request_new(struct account_store *account, void *context)
{
	struct past_request *request = memory_new(1, sizeof(*request));

	request->account = account;
	request->context = context;
	request->next = account->past_requests;
	account->past_requests = request;
	return request;
}

/* Out of the list, so that nobody cancels it any more. */
static void
request_end(struct past_request *request)
{
	struct past_request **at = &request->account->past_requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
}

static void
request_free(struct past_request *request)
{
	size_t position = 0;
	void *map;

	while (request->keyword_maps != NULL &&
	       table_next(request->keyword_maps, &position, NULL, NULL, &map))
		free(map);
	table_free(&request->keyword_maps);
	for (size_t i = 0; i < request->keyword_count; i++)
		free(request->keywords[i]);
	if (request->folder != NULL)
		folder_free(&request->folder);
	free(request->tree);
	free(request->mailbox);
	free(request);
}

void
snapshot_cancel(struct account_store *account, void *context)
{
	for (struct past_request *r = account->past_requests; r != NULL;
	     r = r->next)
		if (r->context == context)
			r->is_cancelled = true;
}

/* -- The kept snapshots -- */

static int
parse_trees(struct text data, struct snapshot_tree **trees, size_t *tree_count)
{
	struct snapshot_record record;
	size_t room = 0;
	struct reader r;
	int more;

	*trees = NULL;
	*tree_count = 0;
	reader_init(&r, data.data, data.size);
	while ((more = record_get_snapshot(&r, &record)) == 1) {
		if (*tree_count == room) {
			room = room * 2 + 64;
			*trees = memory_resize(*trees, room, sizeof(**trees));
		}
		(*trees)[*tree_count].sequence = record.sequence;
		snapshot_name_format(
		    record.time, record.id, (*trees)[(*tree_count)++].name);
	}
	return more;
}

static void
trees_listed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct past_request *request = context;
	struct snapshot_tree *trees = NULL;
	size_t count = 0;

	request_end(request);
	if (status == STATUS_OK && parse_trees(data, &trees, &count) == -1)
		status = STATUS_DAMAGED;
	if (!request->is_cancelled)
		request->trees_listed(status, trees,
		    status == STATUS_OK ? count : 0, request->context);
	free(trees);
	request_free(request);
}

void
snapshot_list_trees(
    struct account_store *account, snapshot_trees_listed *done, void *context)
{
	struct past_request *request = request_new(account, context);

	request->trees_listed = done;
	store_list_snapshots(account->client, trees_listed, request);
}

/* -- The mailboxes of one -- */

static int
compare_names(const void *a, const void *b)
{
	return text_compare(*(const struct text *)a, *(const struct text *)b);
}

static void
names_listed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct past_request *request = context;
	static struct change_record change;
	struct text *names = NULL;
	size_t count = 0, room = 0;
	struct reader r;
	int more = 0;

	request_end(request);
	reader_init(&r, data.data, data.size);
	while (status == STATUS_OK &&
	       (more = record_get_change(&r, &change)) == 1) {
		if (change.kind != CHANGE_MAILBOX)
			continue;
		if (count == room) {
			room = room * 2 + 64;
			names = memory_resize(names, room, sizeof(*names));
		}
		names[count++] = change.mailbox.name;
	}
	if (more == -1)
		status = STATUS_DAMAGED;
	if (count > 1)
		qsort(names, count, sizeof(*names), compare_names);
	if (!request->is_cancelled)
		request->names_listed(status, names,
		    status == STATUS_OK ? count : 0, request->context);
	free(names);
	request_free(request);
}

void
snapshot_list_names(struct account_store *account, uint64_t sequence,
    snapshot_names_listed *done, void *context)
{
	struct past_request *request = request_new(account, context);

	request->names_listed = done;
	store_list_mailboxes(account->client, sequence, names_listed, request);
}

/* -- Opening one -- */

/* Sessions that look at the same share its rows. */
static struct folder *
share_folder(struct account_store *account, struct folder **made)
{
	struct folder *folder = account->past_folders;

	while (folder != NULL &&
	       (folder->info.id != (*made)->info.id ||
		   folder->info.uidvalidity != (*made)->info.uidvalidity ||
		   folder->past_sequence != (*made)->past_sequence ||
		   folder_count(folder) != folder_count(*made)))
		folder = folder->next_past;
	if (folder == NULL) {
		folder = *made;
		*made = NULL;
		folder->next_past = account->past_folders;
		account->past_folders = folder;
	}
	return folder;
}

void
snapshot_close_folder(struct account_store *account, struct folder *folder)
{
	struct folder **at = &account->past_folders;

	while (*at != folder)
		at = &(*at)->next_past;
	*at = folder->next_past;
	folder_free(&folder);
}

static void
open_done(struct past_request *request, enum status status)
{
	struct mailbox_view *view = NULL;

	request_end(request);
	if (!request->is_cancelled) {
		if (status == STATUS_OK)
			view = view_new(request->account,
			    share_folder(request->account, &request->folder),
			    true, request->handler, request->handler_context);
		if (view != NULL && request->memory != NULL)
			view_recall_past(view, request->memory);
		request->opened(status, view, request->context);
	}
	request_free(request);
}

static void
add_message(struct folder *folder, const struct message_record *record,
    uint32_t uid, uint64_t modseq, uint32_t flags, uint64_t keywords)
{
	struct past_message past = { .row = { .uid = uid,
					 .flags = flags & FLAG_ALL,
					 .keywords = keywords,
					 .modseq = modseq,
					 .internaldate = record->internaldate,
					 .size = record->size },
		.blob = record->blob,
		.stored_size = record->stored_size,
		.hash = record->hash,
		.form = record->form };

	folder_add_past(folder, &past);
	if (uid >= folder->info.uidnext)
		folder->info.uidnext = uid + 1;
	if (modseq > folder->info.highest_modseq)
		folder->info.highest_modseq = modseq;
}

static void
messages_listed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct past_request *request = context;
	static struct message_record record;
	uint32_t last = 0;
	struct reader r;
	int more = 0;

	reader_init(&r, data.data, data.size);
	while (status == STATUS_OK && !request->is_cancelled &&
	       (more = record_get_message(&r, &record)) == 1) {
		if (record.uid <= last) {
			more = -1;
			break;
		}
		last = record.uid;
		add_message(request->folder, &record, record.uid, record.modseq,
		    record.flags, record.keywords);
	}
	open_done(request, more == -1 ? STATUS_DAMAGED : status);
}

static bool
is_wanted(const struct past_request *request, const struct change_record *c)
{
	struct text wanted;

	if (c->kind != CHANGE_MAILBOX)
		return false;
	if (request->memory != NULL)
		return c->mailbox.id == request->memory->mailbox;
	wanted = text_of(request->mailbox);
	return text_equal(c->mailbox.name, wanted) ||
	       (text_is(c->mailbox.name, "INBOX") &&
		   text_is_nocase(wanted, "INBOX"));
}

/* All of what it knew is forgotten. */
static void
open_empty(struct past_request *request)
{
	static struct mailbox_record record;

	memset(&record, 0, sizeof(record));
	record.id = request->memory->mailbox;
	record.uidvalidity = request->memory->uidvalidity;
	record.uidnext = 1;
	record.highest_modseq = 1;
	request->folder = folder_new_past(&record);
	request->folder->past_sequence = request->sequence;
	open_done(request, STATUS_OK);
}

static bool
is_another(const struct past_request *request, uint32_t uidvalidity)
{
	return request->memory != NULL &&
	       request->memory->uidvalidity != uidvalidity;
}

static void
mailboxes_listed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct past_request *request = context;
	static struct change_record change;
	struct reader r;
	int more = 0;

	reader_init(&r, data.data, data.size);
	while (status == STATUS_OK && !request->is_cancelled &&
	       (more = record_get_change(&r, &change)) == 1 &&
	       !is_wanted(request, &change))
		;
	if (status == STATUS_OK && more == 0 && request->memory != NULL &&
	    !request->is_cancelled) {
		open_empty(request);
		return;
	}
	if (status == STATUS_OK && more != 1)
		status = more == -1 ? STATUS_DAMAGED : STATUS_MISSING;
	else if (status == STATUS_OK &&
		 is_another(request, change.mailbox.uidvalidity))
		status = STATUS_MISSING;
	if (status != STATUS_OK) {
		open_done(request, status);
		return;
	}
	/* The counters are those of now: what there was is told by the rows. */
	change.mailbox.uidnext = 1;
	change.mailbox.highest_modseq = 1;
	request->folder = folder_new_past(&change.mailbox);
	request->folder->past_sequence = request->sequence;
	store_list_messages(request->account->client, change.mailbox.id,
	    request->sequence, messages_listed, request);
}

static void
tree_found(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct past_request *request = context;
	struct snapshot_tree *trees = NULL;
	size_t count = 0, i = 0;

	if (status == STATUS_OK && parse_trees(data, &trees, &count) == -1)
		status = STATUS_DAMAGED;
	while (i < count && strcmp(trees[i].name, request->tree) != 0)
		i++;
	if (status == STATUS_OK && i == count)
		status = STATUS_MISSING;
	if (status == STATUS_OK)
		request->sequence = trees[i].sequence;
	free(trees);
	if (status != STATUS_OK)
		open_done(request, status);
	else
		store_list_mailboxes(request->account->client,
		    request->sequence, mailboxes_listed, request);
}

/* -- The deleted mail -- */

static uint64_t
keyword_bit(struct past_request *request, struct text name)
{
	size_t n = 0;

	while (n < request->keyword_count &&
	       !text_is_nocase(name, request->keywords[n]))
		n++;
	if (n == RECORD_MAX_KEYWORDS)
		return 0;
	if (n == request->keyword_count) {
		request->keywords[n] = memory_new(1, name.size + 1);
		memcpy(request->keywords[n], name.data, name.size);
		request->keyword_count++;
	}
	return (uint64_t)1 << n;
}

static void
learn_keywords(
    struct past_request *request, const struct mailbox_record *mailbox)
{
	struct keyword_map *map = memory_new(1, sizeof(*map));

	for (size_t i = 0; i < mailbox->keyword_count; i++)
		map->to[i] = keyword_bit(request, mailbox->keywords[i]);
	free(table_put_u64(request->keyword_maps, mailbox->id, map));
}

static uint64_t
map_keywords(
    const struct past_request *request, const struct message_record *message)
{
	const struct keyword_map *map =
	    table_find_u64(request->keyword_maps, message->mailbox);
	uint64_t bits = 0;

	for (size_t i = 0; map != NULL && i < RECORD_MAX_KEYWORDS; i++)
		if (message->keywords >> i & 1)
			bits |= map->to[i];
	return bits;
}

/* That of INBOX; later, if the store was put back or made anew, which may count
 * deaths from another beginning: its incarnation is the time of that. */
static uint32_t
deleted_uidvalidity(struct account_store *account)
{
	struct folder *inbox = folder_find(account, TEXT("INBOX"));
	uint32_t since = (uint32_t)(account->meta.incarnation / 1000000);

	return inbox != NULL && inbox->info.uidvalidity > since
		   ? inbox->info.uidvalidity
		   : since;
}

/* What deleted mail has in common; `keywords` may come later. */
static void
describe_deleted(struct past_request *request)
{
	static struct mailbox_record record;
	struct folder *folder = request->folder;

	memset(&record, 0, sizeof(record));
	record.uidvalidity = deleted_uidvalidity(request->account);
	record.uidnext = folder == NULL ? 1 : folder->info.uidnext;
	record.highest_modseq =
	    folder == NULL ? 1 : folder->info.highest_modseq;
	record.name = TEXT(SNAPSHOT_DELETED_MAIL);
	for (size_t i = 0; i < request->keyword_count; i++)
		record.keywords[i] = text_of(request->keywords[i]);
	record.keyword_count = (uint8_t)request->keyword_count;
	if (folder == NULL)
		request->folder = folder_new_past(&record);
	else
		folder_describe_past(folder, &record);
}

static void
expunged_listed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct past_request *request = context;
	static struct change_record change;
	uint32_t before = request->last;
	bool is_end = false;
	struct reader r;
	int more = 0;

	reader_init(&r, data.data, data.size);
	while (status == STATUS_OK && !request->is_cancelled && !is_end &&
	       (more = record_get_change(&r, &change)) == 1) {
		const struct message_record *message = &change.message;

		if (change.kind == CHANGE_MAILBOX)
			learn_keywords(request, &change.mailbox);
		if (change.kind != CHANGE_PAST)
			continue;
		is_end = change.number > request->up_to;
		if (is_end)
			break;
		if (change.number <= request->last) {
			more = -1;
			break;
		}
		request->last = change.number;
		add_message(request->folder, message, change.number,
		    change.number, message->flags & ~(uint32_t)FLAG_DELETED,
		    map_keywords(request, message));
	}
	if (more == -1)
		status = STATUS_DAMAGED;
	if (status == STATUS_OK && request->last != before && !is_end) {
		store_list_expunged(request->account->client, request->last,
		    expunged_listed, request);
		return;
	}
	describe_deleted(request);
	request->folder->past_sequence = request->last;
	open_done(request, status);
}

static void
list_deleted(struct past_request *request, uint32_t up_to)
{
	request->up_to = up_to;
	request->keyword_maps = table_new();
	describe_deleted(request);
	store_list_expunged(
	    request->account->client, 0, expunged_listed, request);
}

void
snapshot_open(struct account_store *account, struct text name,
    const struct mailbox_view_handler *handler, void *handler_context,
    snapshot_opened *done, void *context)
{
	struct past_request *request = request_new(account, context);
	struct text tree, mailbox;

	request->handler = handler;
	request->handler_context = handler_context;
	request->opened = done;
	if (account_store_status(account) != STATUS_OK) {
		open_done(request, account_store_status(account));
	} else if (text_is(name, SNAPSHOT_DELETED_MAIL)) {
		list_deleted(request, UINT32_MAX);
	} else if (snapshot_name_split(name, &tree, &mailbox)) {
		request->tree = memory_new(1, tree.size + 1);
		memcpy(request->tree, tree.data, tree.size);
		request->mailbox = memory_new(1, mailbox.size + 1);
		memcpy(request->mailbox, mailbox.data, mailbox.size);
		store_list_snapshots(account->client, tree_found, request);
	} else {
		open_done(request, STATUS_MISSING);
	}
}

/* By its sequence, not by its name: a snapshot that is not kept any more may
 * lack messages, and one that sees it still has the others. */
void
snapshot_recall(struct account_store *account,
    const struct mailbox_memory *memory,
    const struct mailbox_view_handler *handler, void *handler_context,
    snapshot_opened *done, void *context)
{
	struct past_request *request = request_new(account, context);
	bool is_deleted = memory->mailbox == 0;

	request->handler = handler;
	request->handler_context = handler_context;
	request->opened = done;
	request->memory = memory;
	request->sequence = memory->past_sequence;
	if (account_store_status(account) != STATUS_OK)
		open_done(request, account_store_status(account));
	else if (is_deleted &&
		 is_another(request, deleted_uidvalidity(account)))
		open_done(request, STATUS_MISSING);
	else if (is_deleted)
		list_deleted(request, (uint32_t)memory->past_sequence);
	else
		store_list_mailboxes(account->client, request->sequence,
		    mailboxes_listed, request);
}

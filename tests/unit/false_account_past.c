/* The false account's past: one tree, and one mailbox in it. */
#include "common/memory.h"
#include "imapd/snapshot_mailbox.h"
#include "tests/unit/false_account_parts.h"

#include <stdlib.h>

struct past_later {
	struct account_store *account;
	struct timer *timer;
	snapshot_trees_listed *trees;
	snapshot_names_listed *names;
	snapshot_opened *opened;
	bool is_missing;
	const struct mailbox_memory *memory;
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
	struct mailbox_view *view = NULL;

	account->past_later = NULL;
	timer_free(&later->timer);
	if (later->is_missing && status == STATUS_OK)
		status = STATUS_MISSING;
	if (later->trees != NULL)
		later->trees(status, &tree, 1, later->context);
	else if (later->names != NULL)
		later->names(status, names, 2, later->context);
	else if (status == STATUS_OK)
		view = view_new(account, &account->past, true, later->handler,
		    later->handler_context);
	if (view != NULL && later->memory != NULL)
		view_recall(view, later->memory);
	if (later->opened != NULL)
		later->opened(status, view, later->context);
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
snapshot_recall(struct account_store *account,
    const struct mailbox_memory *memory,
    const struct mailbox_view_handler *handler, void *handler_context,
    snapshot_opened *done, void *context)
{
	struct past_later *later = past_later(account, context);

	later->opened = done;
	later->memory = memory;
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

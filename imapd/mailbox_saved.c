/*
 * When each message came into its mailbox (SAVEDATE, RFC 8514).  The store's
 * log has it; the worker asks for it when the first client wants to know, and
 * then for what came since: who never asks costs nothing.  It survives a lost
 * index and a restore, since it is what the log says that happened.
 */
#include "imapd/account_state.h"
#include "imapd/mailbox.h"

#include "common/log.h"

enum {
	SAVED_FLUSH = 4096 /* records in one transaction of the index */
};

bool
mailbox_view_has_saved(const struct mailbox_view *view)
{
	return view->folder->past == NULL;
}

bool
mailbox_view_knows_saved(const struct mailbox_view *view)
{
	struct account_store *account = view->account;

	return view->folder->past != NULL ||
	       index_saved_up_to(account->index) >= account->applied;
}

bool
mailbox_view_saved(const struct mailbox_view *view, uint32_t uid, int64_t *time)
{
	return view->folder->past == NULL &&
	       index_find_saved(
		   view->account->index, view->folder->info.id, uid, time);
}

static enum status
put_records(struct account_store *account, struct text data, uint64_t sequence)
{
	struct saved_record record;
	size_t unflushed = 0;
	struct reader r;
	int more;

	reader_init(&r, data.data, data.size);
	index_begin(account->index);
	while ((more = record_get_saved(&r, &record)) == 1) {
		if (folder_find_id(account, record.mailbox) == NULL)
			continue;
		index_put_saved(account->index, record.mailbox, record.first,
		    record.last, record.time);
		if (++unflushed % SAVED_FLUSH == 0)
			index_flush(account->index);
	}
	if (more == 0)
		index_set_saved_up_to(account->index, sequence);
	index_commit(account->index);
	return more == 0 ? STATUS_OK : STATUS_DAMAGED;
}

static void
listed(enum status status, uint64_t sequence, struct text data, void *context)
{
	struct account_store *account = context;

	if (status == STATUS_OK)
		status = put_records(account, data, sequence);
	if (status != STATUS_OK)
		log_warning("list-saved", "status=%s", status_name(status));
	askers_tell(&account->saved_askers, status);
}

void
mailbox_learn_saved(struct account_store *account,
    void (*done)(enum status status, void *context), void *context)
{
	if (askers_add(&account->saved_askers, done, context))
		store_list_saved(account->client,
		    index_saved_up_to(account->index), listed, account);
}

/*
 * Which UIDs vanished, and when, for clients that were away (mailbox.h).  The
 * index has what this worker expunged or was told of.  After its loss, or in a
 * mailbox that a restore brought back, the store tells the rest, once and for
 * all mailboxes, when the first client asks for it.
 */
#include "imapd/account_state.h"
#include "imapd/mailbox.h"

#include "common/log.h"

enum {
	VANISHED_FLUSH = 4096 /* records in one transaction of the index */
};

bool
mailbox_view_knows_vanished(const struct mailbox_view *view, uint64_t modseq)
{
	const struct folder *folder = view->folder;

	return folder->past != NULL || modseq >= folder->state.vanished_after;
}

/* -- From the store -- */

static enum status
put_records(struct account_store *account, struct text data)
{
	struct vanished_record record;
	size_t unflushed = 0;
	struct reader r;
	int more;

	reader_init(&r, data.data, data.size);
	index_begin(account->index);
	while ((more = record_get_vanished(&r, &record)) == 1) {
		if (folder_find_id(account, record.mailbox) == NULL)
			continue;
		index_put_vanished(account->index, record.mailbox,
		    record.modseq, record.first, record.last);
		if (++unflushed % VANISHED_FLUSH == 0)
			index_flush(account->index);
	}
	index_commit(account->index);
	return more == 0 ? STATUS_OK : STATUS_DAMAGED;
}

static void
know_all(struct account_store *account)
{
	for (size_t i = 0; i < account->folder_count; i++) {
		struct folder *folder = account->folders[i];

		if (folder->state.vanished_after == 0)
			continue;
		folder->state.vanished_after = 0;
		folder_put(account, folder);
	}
}

static void
listed(enum status status, uint64_t sequence, struct text data, void *context)
{
	struct account_store *account = context;

	if (status == STATUS_OK)
		status = put_records(account, data);
	if (status == STATUS_OK)
		know_all(account);
	else
		log_warning("list-vanished", "status=%s", status_name(status));
	askers_tell(&account->vanished_askers, status);
}

void
mailbox_learn_vanished(struct account_store *account,
    void (*done)(enum status status, void *context), void *context)
{
	if (askers_add(&account->vanished_askers, done, context))
		store_list_vanished(account->client, listed, account);
}

void
mailbox_learn_cancel(struct account_store *account, void *context)
{
	askers_cancel(account->vanished_askers, context);
	askers_cancel(account->saved_askers, context);
}

/* -- To a client -- */

uint64_t
mailbox_view_known_modseq(const struct mailbox_view *view, uint64_t modseq)
{
	return modseq > view->folder->info.highest_modseq ? 0 : modseq;
}

/* A client that knows more than the mailbox has another server's counter (its
 * mail was imported): all UIDs below UIDNEXT were given, or nobody's. After a
 * leap some may have been given in the lost time, and are kept by the client:
 * then only what is known to have died is told. The past forgets without any
 * MODSEQ, and its numbers are never used again. */
void
mailbox_view_each_vanished(const struct mailbox_view *view, uint64_t modseq,
    void (*callback)(uint32_t first, uint32_t last, void *context),
    void *context)
{
	const struct folder *folder = view->folder;
	const struct mailbox_info *info = &folder->info;
	bool is_foreign = modseq > info->highest_modseq &&
			  info->highest_modseq < RECORD_MODSEQ_PART;

	if (folder->past == NULL && !is_foreign)
		index_each_vanished(view->account->index, info->id,
		    mailbox_view_known_modseq(view, modseq), callback, context);
	else if (info->uidnext > 1)
		callback(1, info->uidnext - 1, context);
}

/*
 * The start of an account, once the store has answered the worker's hello:
 * checks the witness, brings the index up to the store's sequence (or makes it
 * anew from the store's rows), and only then lets sessions in.
 *
 * A store that is not the one of the witness, or older than it, is never
 * served: the account stays UNAVAILABLE and an alarm is raised.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* -- Up to date -- */

void
account_confirm(struct account_store *account, uint64_t sequence)
{
	struct index_meta known;

	account->meta.confirmed = sequence;
	apply_sequence(account, sequence);
	if (index_get_meta(account->index, &known) &&
	    known.confirmed == sequence &&
	    known.incarnation == account->meta.incarnation &&
	    memcmp(&known.store, &account->meta.store, sizeof(known.store)) ==
		0)
		return;
	index_begin(account->index);
	index_put_meta(account->index, &account->meta);
	index_commit(account->index);
}

static void
become_ready(struct account_store *account, uint64_t sequence)
{
	account_confirm(account, sequence);
	account->is_index_filled = true;
	account_witness_begin(account);
	account->status = STATUS_OK;
	sync_folders(account);
	if (account->is_rebuilt || index_has_lost_cache(account->index))
		cache_filler_start(account);
	deliver_start(account);
	account_catch_up_start(account);
	quota_tell_anew(account);
	account_tell_waiters(account, STATUS_OK);
}

static void
failed(struct account_store *account, const char *what, enum status status)
{
	log_error(
	    "account-start", "step=%s status=%s", what, status_name(status));
}

static void
applied_changes(enum status status, void *context)
{
	struct account_store *account = context;

	if (status == STATUS_UNAVAILABLE)
		return;
	if (status != STATUS_OK) {
		failed(account, "changes", status);
		account->must_restart = true;
		return;
	}
	become_ready(account, account->listed_up_to);
}

static void
listed_changes(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct account_store *account = context;

	account->listed_up_to = sequence;
	if (status == STATUS_OK)
		arrive_changes(account, data, applied_changes, account);
	else
		applied_changes(status, account);
}

/* -- UIDs that the store has forgotten -- */

/*
 * A leap goes by what the store knows.  The same copy may be put back a second
 * time, and leap as far as the first time: to UIDs that are given by now.  The
 * index, made from the newer state, knows how far they are.
 */
static void
keep_forgotten(struct account_store *account)
{
	size_t count = account->forgotten_count;

	account->forgotten = memory_resize(account->forgotten,
	    count + account->folder_count, sizeof(struct forgotten_uids));
	for (size_t i = 0; i < account->folder_count; i++) {
		const struct mailbox_info *info = &account->folders[i]->info;

		account->forgotten[count + i] =
		    (struct forgotten_uids){ info->id, info->uidvalidity,
			    info->uidnext };
	}
	account->forgotten_count += account->folder_count;
}

static void
raised_forgotten(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct account_store *account = context;

	if (status == STATUS_OK) {
		memory_free(&account->forgotten);
		account->forgotten_count = 0;
	} else if (status != STATUS_UNAVAILABLE) {
		failed(account, "uidnext", status);
		account->must_restart = true;
	}
}

/* Before anything gets a UID; the rows follow with the list of changes. */
static void
raise_forgotten(struct account_store *account)
{
	struct message m = { .type = MESSAGE_change_identity };
	struct store_batch *batch = store_batch_new_for(CAUSE_RECONCILE);

	for (size_t i = 0; i < account->forgotten_count; i++) {
		const struct forgotten_uids *uids = &account->forgotten[i];
		struct folder *folder = folder_find_id(account, uids->mailbox);

		if (folder == NULL ||
		    folder->info.uidvalidity != uids->uidvalidity ||
		    folder->info.uidnext >= uids->uidnext)
			continue;
		log_alarm("uids-forgotten", "mailbox=%llu uidnext=%u was=%u",
		    (unsigned long long)uids->mailbox, folder->info.uidnext,
		    uids->uidnext);
		m.change_identity.mailbox = uids->mailbox;
		m.change_identity.uidvalidity = uids->uidvalidity;
		m.change_identity.uidnext = uids->uidnext;
		store_batch_add(batch, &m, -1);
	}
	if (store_batch_is_empty(batch))
		store_batch_free(&batch);
	else
		store_client_commit(
		    account->client, &batch, raised_forgotten, account);
}

/* -- Making the index from the store's rows -- */

static void
listed_messages(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct account_store *account = context;
	static const struct message_source assumed = { .is_assumed = true };
	static struct message_record record;
	struct reader r;
	int more = 1;

	if (status == STATUS_UNAVAILABLE)
		return;
	reader_init(&r, data.data, data.size);
	apply_begin(account);
	while (status == STATUS_OK &&
	       (more = record_get_message(&r, &record)) == 1)
		apply_message(account, &record, &assumed, NULL);
	apply_end(account);
	if (status != STATUS_OK || more == -1) {
		failed(account, "messages", status);
		account->must_restart = true;
		return;
	}
	if (--account->rebuild_left == 0)
		store_list_changes(account->client, account->meta.confirmed,
		    listed_changes, account);
}

static void
listed_mailboxes(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct account_store *account = context;

	if (status == STATUS_UNAVAILABLE)
		return;
	if (status != STATUS_OK || apply_listing(account, data) == -1) {
		failed(account, "mailboxes", status);
		account->must_restart = true;
		return;
	}
	/* What happens while the mailboxes are listed comes once more. */
	account->meta.confirmed = sequence;
	raise_forgotten(account);
	account->rebuild_left = account->folder_count;
	for (size_t i = 0; i < account->folder_count; i++) {
		struct folder *folder = account->folders[i];

		folder->needs_scan = true;
		folder->must_compare = account->is_unclean;
		folder->state.first_recent = folder->info.uidnext;
		store_list_messages(account->client, folder->info.id, 0,
		    listed_messages, account);
	}
	if (account->rebuild_left == 0)
		become_ready(account, sequence);
}

/* -- Which store is it -- */

static void
give_up(struct account_store *account, enum status status)
{
	log_error("account-start", "step=hello status=%s", status_name(status));
	/* What the store refuses, or we do, waits for an administrator. */
	account->status =
	    status == STATUS_REFUSED ? STATUS_FENCED : STATUS_UNAVAILABLE;
	account_tell_waiters(account, account->status);
}

/* All that was made from another state of the store. */
static void
drop_index(struct account_store *account)
{
	keep_forgotten(account);
	while (account->folder_count > 0)
		folder_free(&account->folders[--account->folder_count]);
	table_free(&account->folders_by_id);
	account->folders_by_id = table_new();
	while (account->subscribed_count > 0)
		free(account->subscribed[--account->subscribed_count]);
	index_empty(account->index);
	account->is_index_filled = false;
	account->applied = 0;
	memset(&account->meta, 0, sizeof(account->meta));
}

/* Nobody has seen anything of it yet. */
static bool
is_untouched(const struct account_store *account)
{
	return account->status != STATUS_OK &&
	       !store_client_is_busy(account->client);
}

/* The store leapt over the time that it has lost. */
static void
claimed(enum status status, void *context)
{
	struct account_store *account = context;

	if (status != STATUS_OK) {
		give_up(account,
		    status == STATUS_UNAVAILABLE ? status : STATUS_REFUSED);
		return;
	}
	if (!is_untouched(account)) {
		account->must_restart = true;
		return;
	}
	account->is_put_back = true;
	account->is_believed = true;
	store_client_greet(account->client);
}

bool
account_start_trusts(const struct store_state *state, void *context)
{
	struct account_store *account = context;
	struct store_state known;

	if (account->is_believed) {
		account->is_believed = false;
		return true;
	}
	switch (account_witness_ask(account, state, &known)) {
	case WITNESS_AGREES:
		return true;
	case WITNESS_KNOWS_NEWER:
		store_client_claim(account->client, &known, claimed, account);
		return false;
	case WITNESS_FOREIGN:
		break;
	}
	give_up(account, STATUS_REFUSED);
	return false;
}

static bool
is_index_of(
    const struct account_store *account, const struct store_state *state)
{
	return account->is_index_filled &&
	       memcmp(&account->meta.store, &state->store,
		   sizeof(state->store)) == 0 &&
	       account->meta.incarnation == state->incarnation &&
	       account->meta.confirmed <= state->sequence;
}

void
account_start_greeted(const struct store_state *state, void *context)
{
	struct account_store *account = context;

	if (state->status != STATUS_OK) {
		give_up(account, state->status);
		return;
	}
	if (is_index_of(account, state)) {
		store_list_changes(account->client, account->meta.confirmed,
		    listed_changes, account);
		return;
	}
	if (account->folder_count > 0) {
		log_alarm("store-changed", "incarnation=%llu",
		    (unsigned long long)state->incarnation);
		if (!is_untouched(account)) {
			account->must_restart = true;
			return;
		}
		account->is_put_back = true;
		drop_index(account);
	}
	account->meta.store = state->store;
	account->meta.incarnation = state->incarnation;
	account->is_rebuilt = true;
	store_list_mailboxes(account->client, 0, listed_mailboxes, account);
}

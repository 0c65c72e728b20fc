/*
 * The life of an account in its worker: opens the index, greets the store
 * (account_start.c goes on from there), knows who waits for the account to be
 * ready, and puts everything away at the end.
 */
#include "imapd/account_store.h"

#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "imapd/mailbox_keys.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	INDEX_COMMIT_MS = 200 /* after the first write that waits for it */
};

struct folder *
folder_find_id(struct account_store *account, uint64_t id)
{
	return table_find_u64(account->folders_by_id, id);
}

void
account_answer(mailbox_done *done, void *context, enum status status)
{
	struct mailbox_answer answer = { .status = status };

	done(&answer, context);
}

/* -- Waiting for it -- */

void
account_tell_waiters(struct account_store *account, enum status status)
{
	struct waiter *waiter;

	timer_stop(account->waiters_timer);
	while ((waiter = account->waiters) != NULL) {
		account->waiters = waiter->next;
		waiter->callback(status, waiter->context);
		free(waiter);
	}
}

static void
waited_enough(void *context)
{
	struct account_store *account = context;

	account_tell_waiters(account, account->status);
}

void
account_store_when_ready(struct account_store *account,
    void (*callback)(enum status status, void *context), void *context)
{
	struct waiter *waiter;

	if (account->status != STATUS_UNAVAILABLE || account->must_restart) {
		callback(account_store_status(account), context);
		return;
	}
	waiter = memory_new(1, sizeof(*waiter));
	waiter->callback = callback;
	waiter->context = context;
	waiter->next = account->waiters;
	if (account->waiters == NULL)
		timer_start(account->waiters_timer, ACCOUNT_READY_WAIT_MS);
	account->waiters = waiter;
}

void
account_store_forget_ready(struct account_store *account, void *context)
{
	struct waiter **at = &account->waiters;

	while (*at != NULL) {
		struct waiter *waiter = *at;

		if (waiter->context != context) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		free(waiter);
	}
}

enum status
account_store_status(const struct account_store *account)
{
	if (account->index == NULL || index_is_broken(account->index))
		return STATUS_UNAVAILABLE;
	return account->status;
}

/* -- Beginning and end -- */

static void
load_mailbox(const struct mailbox_record *record,
    const struct index_mailbox_state *state, void *context)
{
	folder_add(context, record, state);
}

static void
load_subscribed(struct text name, void *context)
{
	(void)list_note_subscribed(context, name, true);
}

static void
load_index(struct account_store *account)
{
	if (!index_get_meta(account->index, &account->meta))
		return;
	account->is_index_filled = true;
	account->applied = account->meta.confirmed;
	index_each_mailbox(account->index, load_mailbox, account);
	if (index_was_killed(account->index))
		for (size_t i = 0; i < account->folder_count; i++)
			account->folders[i]->needs_scan = true;
	index_each_subscribed(account->index, load_subscribed, account);
}

static void
make_home(struct account_store *account)
{
	static const char *const names[] = { "Maildir", "Maildir/cur",
		"Maildir/new", "Maildir/tmp" };
	struct error error;

	/* Emptiness is never believed, so making them is safe. */
	for (size_t i = 0; i < 4; i++)
		if (file_make_directory(
			account->home_fd, names[i], 0700, &error) == -1 &&
		    error.code != ERROR_EXISTS)
			log_warning("maildir-make", "error=\"%s\"", error.text);
}

static void
notify_views(void *context)
{
	struct account_store *account = context;

	for (size_t i = 0; i < account->folder_count; i++)
		for (struct mailbox_view *v = account->folders[i]->views, *next;
		     v != NULL; v = next) {
			next = v->next;
			if (!v->is_pending)
				continue;
			v->is_pending = false;
			v->handler->changed(v, v->context);
		}
}

static void
commit_index(void *context)
{
	struct account_store *account = context;

	account->is_index_due = false;
	index_settle(account->index);
}

void
account_commit_soon(struct account_store *account)
{
	if (account->is_index_due)
		return;
	account->is_index_due = true;
	if (account->index_timer == NULL)
		account->index_timer =
		    timer_new(account->loop, commit_index, account);
	timer_start(account->index_timer, INDEX_COMMIT_MS);
}

struct account_store *
account_store_new(struct event_loop *loop, int home_fd)
{
	static const struct store_client_handler handler = {
		account_start_trusts, account_start_greeted, account_catch_up,
		account_catch_up_away
	};
	struct account_store *account = memory_new(1, sizeof(*account));
	struct error error;
	bool was_made = true;

	account->loop = loop;
	account->home_fd = home_fd;
	account->status = STATUS_UNAVAILABLE;
	account->folders_by_id = table_new();
	account->heals_end = &account->heals;
	account->heals_by_row = table_new();
	account->waiters_timer = timer_new(loop, waited_enough, account);
	account->notify_timer = timer_new(loop, notify_views, account);
	account->client = store_client_new(loop, &handler, account);
	make_home(account);
	message_prepare_clean(account);
	account->parse_note = parse_note_open(loop, home_fd);
	account->index =
	    index_open(home_fd, &was_made, &account->is_unclean, &error);
	if (account->index == NULL)
		log_error("index-open", "error=\"%s\"", error.text);
	else if (!was_made)
		load_index(account);
	return account;
}

void
account_store_attach_snapd(struct account_store *account, int fd)
{
	if (account->index == NULL) {
		close(fd);
		return;
	}
	store_client_attach(account->client, fd);
}

void
account_store_take_deletes(struct account_store *account, bool takes)
{
	account->takes_deletes = takes;
}

void
account_store_act_for(
    struct account_store *account, const struct change_note *note)
{
	static const struct change_note nobody;

	account->note = note != NULL ? *note : nobody;
	if (note != NULL)
		later_yield(account);
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

void
account_store_set_host(struct account_store *account, struct text host)
{
	(void)text_copy(host, account->host, sizeof(account->host));
}

struct text
account_store_host(const struct account_store *account)
{
	return text_of(account->host);
}

bool
account_store_must_restart(const struct account_store *account)
{
	return account->must_restart || account->index == NULL ||
	       index_is_broken(account->index);
}

bool
account_store_is_idle(const struct account_store *account)
{
	return account->changing == 0 && account->healing == 0 &&
	       account->heals == NULL && account->deliveries == NULL &&
	       account->catching_up == NULL && account->readings == NULL &&
	       account->past_requests == NULL &&
	       !store_client_is_busy(account->client);
}

/* Nothing is under way, so all that the store did for this account is in the
 * index: the next start has no changes to go through. */
static void
confirm_applied(struct account_store *account)
{
	if (account->status == STATUS_OK && !account->must_restart &&
	    account_store_is_idle(account) &&
	    account->applied > account->meta.confirmed)
		account_confirm(account, account->applied);
}

void
account_store_trim(struct account_store *account)
{
	confirm_applied(account);
	if (account->index != NULL)
		index_trim_cache(account->index, ACCOUNT_MAX_UNUSED_CACHE);
	for (size_t i = 0; i < account->folder_count; i++)
		if (account->folders[i]->views == NULL)
			folder_unload(account->folders[i]);
	index_rest(account->index);
	memory_give_back();
}

void
account_store_free(struct account_store **account)
{
	struct account_store *a = *account;

	if (a == NULL)
		return;
	if (a->index != NULL)
		confirm_applied(a);
	if (a->status == STATUS_OK)
		sync_settle(a);
	if (a->status == STATUS_OK && !a->must_restart)
		account_witness_write(a, true);
	store_client_free(&a->client);
	deliver_free_all(a);
	heal_free(a);
	folders_free(a);
	watcher_free(a);
	directories_free(a);
	later_free(a);
	cache_filler_free(a);
	mailbox_keys_free(a);
	account_catch_up_free(a);
	free(a->forgotten);
	while (a->waiters != NULL)
		account_store_forget_ready(a, a->waiters->context);
	while (a->folder_count > 0)
		folder_free(&a->folders[--a->folder_count]);
	for (size_t i = 0; i < a->subscribed_count; i++)
		free(a->subscribed[i]);
	free(a->subscribed);
	free(a->folders);
	table_free(&a->folders_by_id);
	if (a->must_restart)
		index_abandon(&a->index);
	else
		index_close(&a->index);
	parse_note_close(&a->parse_note);
	timer_free(&a->waiters_timer);
	timer_free(&a->notify_timer);
	timer_free(&a->index_timer);
	timer_free(&a->witness_timer);
	close(a->home_fd);
	memory_free(account);
}

/*
 * The life of an account in its worker: opens the index, greets the store,
 * checks the witness, brings the index up to the store's sequence (or makes it
 * anew from the store's rows), and only then lets sessions in.
 *
 * A store that is not the one of the witness, or older than it, is never
 * served: the account stays UNAVAILABLE and an alarm is raised.
 */
#include "imapd/account_store.h"

#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SETTLE_MS = 100,       /* between looks whether all is done */
	LOOKS_AGAIN = 50,      /* at folders that were changed meanwhile */
	INDEX_COMMIT_MS = 200, /* after the first write that waits for it */
};

struct folder *
folder_find_id(struct account_store *account, uint64_t id)
{
	return table_find_u64(account->folders_by_id, id);
}

struct folder *
folder_find(struct account_store *account, struct text name)
{
	bool is_inbox = text_is_nocase(name, "INBOX");

	for (size_t i = 0; i < account->folder_count; i++)
		if (is_inbox ? text_is(account->folders[i]->info.name, "INBOX")
			     : text_equal(account->folders[i]->info.name, name))
			return account->folders[i];
	return NULL;
}

void
account_answer(mailbox_done *done, void *context, enum status status)
{
	struct mailbox_answer answer = { .status = status };

	done(&answer, context);
}

/* -- Waiting for it -- */

static void
tell_waiters(struct account_store *account, enum status status)
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

	tell_waiters(account, account->status);
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

/* -- Up to date -- */

static void
confirm(struct account_store *account, uint64_t sequence)
{
	account->meta.confirmed = sequence;
	apply_sequence(account, sequence);
	index_begin(account->index);
	index_put_meta(account->index, &account->meta);
	index_commit(account->index);
}

static void start_catching_up(struct account_store *account);

static void
become_ready(struct account_store *account, uint64_t sequence)
{
	confirm(account, sequence);
	account->is_index_filled = true;
	account_witness_write(account);
	account->status = STATUS_OK;
	sync_folders(account);
	if (account->is_rebuilt)
		cache_filler_start(account);
	deliver_start(account);
	start_catching_up(account);
	tell_waiters(account, STATUS_OK);
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
	tell_waiters(account, account->status);
}

/* All that was made from another state of the store. */
static void
drop_index(struct account_store *account)
{
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

static bool
trusts(const struct store_state *state, void *context)
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

static void
greeted(const struct store_state *state, void *context)
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

/* -- The store changed without us -- */

enum {
	MAX_MISSING_BYTES = 96 << 20
};

struct catching_up {
	struct catching_up *next;
	struct account_store *account;
	uint64_t tag;
	enum catch_up_files files;
	bool is_started;    /* not before the account is ready */
	bool is_applied;    /* only healing, and adopting, is left */
	bool is_orphan;     /* who asked is gone with his channel */
	unsigned int looks; /* CATCH_UP_ALL: that were taken again */
	uint64_t listed_up_to;
	uint64_t written; /* when it began */
	uint64_t failed;
};

static void
end_catching_up(struct catching_up *c, enum status status, struct text missing)
{
	struct account_store *account = c->account;
	struct catching_up **at = &account->catching_up;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (!c->is_orphan)
		store_client_caught_up(account->client, c->tag, status,
		    account->files_written - c->written,
		    account->files_failed - c->failed, missing);
	if (c->files == CATCH_UP_MISSING)
		heal_resume(account);
	free(c);
}

bool
account_is_to_be_looked_at(const struct account_store *account)
{
	const struct catching_up *c = account->catching_up;

	while (c != NULL && c->files != CATCH_UP_MISSING)
		c = c->next;
	return c != NULL;
}

/* A folder that could not be looked at, or was changed meanwhile. */
static bool
is_look_left(const struct account_store *account)
{
	for (size_t i = 0; i < account->folder_count; i++)
		if (account->folders[i]->needs_scan)
			return true;
	return false;
}

/* Whether everything is in the store, all that was found included. */
static bool
has_settled(struct catching_up *c)
{
	struct account_store *account = c->account;

	if (account->heals != NULL || account->healing > 0)
		return false;
	if (c->files != CATCH_UP_ALL)
		return true;
	if (account->changing > 0)
		return false;
	if (!is_look_left(account) || c->looks++ == LOOKS_AGAIN)
		return true;
	sync_folders(account);
	return false;
}

void
account_healed(struct account_store *account)
{
	struct catching_up *c, *next;

	/* What is there again is still marked as missing. */
	if (account->markings != NULL)
		return;
	for (c = account->catching_up; c != NULL; c = next) {
		next = c->next;
		if (c->is_applied && c->files != CATCH_UP_ALL)
			end_catching_up(c, STATUS_OK, text_make(NULL, 0));
	}
}

static void
settle(void *context)
{
	struct account_store *account = context;
	struct catching_up *c, *next;
	bool is_left = false;

	for (c = account->catching_up; c != NULL; c = next) {
		next = c->next;
		if (!c->is_applied)
			continue;
		if (has_settled(c))
			end_catching_up(c,
			    is_look_left(account) ? STATUS_DAMAGED : STATUS_OK,
			    text_make(NULL, 0));
		else
			is_left = true;
	}
	if (is_left)
		timer_start(account->settle_timer, SETTLE_MS);
}

static void
look_at_all(struct account_store *account)
{
	for (size_t i = 0; i < account->folder_count; i++)
		account->folders[i]->needs_scan = true;
	sync_folders(account);
	import_subscriptions(account);
	if (account->settle_timer == NULL)
		account->settle_timer =
		    timer_new(account->loop, settle, account);
	timer_start(account->settle_timer, 0);
}

static void
say_missing(struct catching_up *c)
{
	struct buf missing;
	enum status status;

	buf_init(&missing, MAX_MISSING_BYTES);
	status = look_for_missing_files(c->account, &missing);
	end_catching_up(c, status, text_make(missing.data, missing.size));
	buf_clear(&missing);
}

static void
caught_up(enum status status, void *context)
{
	struct catching_up *c = context;
	struct account_store *account = c->account;

	if (status != STATUS_OK) {
		end_catching_up(c, status, text_make(NULL, 0));
		return;
	}
	confirm(account, c->listed_up_to);
	if (c->files == CATCH_UP_MISSING) {
		say_missing(c);
		return;
	}
	c->is_applied = true;
	if (c->files == CATCH_UP_ALL) {
		look_at_all(account);
		return;
	}
	/* A restore means to have what is gone again. */
	account->is_refilling = true;
	for (size_t i = 0;
	     c->files == CATCH_UP_FILES && i < account->folder_count; i++)
		sync_folder(account, account->folders[i]);
	account->is_refilling = false;
	if (account->heals == NULL && account->healing == 0)
		account_healed(account);
}

static void
listed_missed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct catching_up *c = context;

	c->listed_up_to = sequence;
	if (status == STATUS_OK)
		arrive_changes(c->account, data, caught_up, c);
	else
		caught_up(status, c);
}

static void
catch_up(
    uint64_t tag, uint64_t sequence, enum catch_up_files files, void *context)
{
	struct account_store *account = context;
	struct catching_up *c = memory_new(1, sizeof(*c));

	c->account = account;
	c->tag = tag;
	c->files = files;
	c->written = account->files_written;
	c->failed = account->files_failed;
	c->next = account->catching_up;
	account->catching_up = c;
	/* On a new channel it comes before the greeting. */
	if (account->status == STATUS_OK &&
	    store_client_is_present(account->client))
		start_catching_up(account);
}

static void
start_catching_up(struct account_store *account)
{
	for (struct catching_up *c = account->catching_up; c != NULL;
	     c = c->next) {
		if (c->is_started)
			continue;
		c->is_started = true;
		store_list_changes(
		    account->client, account->meta.confirmed, listed_missed, c);
	}
}

/* Mailboxes stay open, changes are refused by the client. An answer on the
 * next channel would be one to a question that was not asked there. */
static void
away(void *context)
{
	struct account_store *account = context;

	for (struct catching_up *c = account->catching_up; c != NULL;
	     c = c->next)
		c->is_orphan = true;
}

/* -- Beginning and end -- */

static void
load_mailbox(const struct mailbox_record *record,
    const struct index_mailbox_state *state, void *context)
{
	folder_add(context, record, state);
}

struct subscribed_names {
	struct account_store *account;
	struct buf names;
};

static void
load_subscribed(struct text name, void *context)
{
	struct subscribed_names *s = context;

	buf_put(&s->names, name.data, name.size);
	buf_put_byte(&s->names, '\n');
}

static void
load_index(struct account_store *account)
{
	struct subscribed_names s = { account, { 0 } };
	struct text rest, name;

	if (!index_get_meta(account->index, &account->meta))
		return;
	account->is_index_filled = true;
	account->applied = account->meta.confirmed;
	index_each_mailbox(account->index, load_mailbox, account);
	if (index_was_killed(account->index))
		for (size_t i = 0; i < account->folder_count; i++)
			account->folders[i]->needs_scan = true;
	buf_init(&s.names, 16 * 1024 * 1024);
	index_each_subscribed(account->index, load_subscribed, &s);
	rest = text_make(s.names.data, s.names.size);
	while (text_next(&rest, '\n', &name))
		if (name.size > 0)
			apply_subscribed(account, name, true);
	buf_clear(&s.names);
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
	static const struct store_client_handler handler = { trusts, greeted,
		catch_up, away };
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
	account->parse_note = parse_note_open(home_fd);
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
}

void
account_store_set_owner(struct account_store *account, struct text user)
{
	(void)text_copy(user, account->owner, sizeof(account->owner));
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
		confirm(account, account->applied);
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
	malloc_trim(0);
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
		account_witness_write(a);
	store_client_free(&a->client);
	deliver_free_all(a);
	heal_free(a);
	folders_free(a);
	watcher_free(a);
	directories_free(a);
	cache_filler_free(a);
	while (a->catching_up != NULL) {
		struct catching_up *c = a->catching_up;

		a->catching_up = c->next;
		free(c);
	}
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
	timer_free(&a->settle_timer);
	timer_free(&a->index_timer);
	timer_free(&a->witness_timer);
	close(a->home_fd);
	memory_free(account);
}

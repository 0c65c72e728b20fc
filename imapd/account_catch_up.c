/*
 * What the store asks the worker for when it changed without it (a restore), or
 * when somebody wants the Maildir looked at (`snapctl reconcile`, an import,
 * the account's turn): the changes are applied, the files looked for or made
 * again, and the answer is given when all is done.
 */
#include "imapd/account_state.h"

#include "common/memory.h"

#include <stdlib.h>

enum {
	SETTLE_MS = 100,  /* between looks whether all is healed */
	LOOKS_AGAIN = 50, /* at folders that were changed meanwhile */
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

static bool
is_look(const struct catching_up *c)
{
	return c->files == CATCH_UP_ALL || c->files == CATCH_UP_CHANGED;
}

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
		if (sync_is_unseen(account, account->folders[i]))
			return true;
	return false;
}

/* A folder that could not be looked at; what others did since it was looked at
 * is not meant. */
static bool
has_failed(const struct account_store *account)
{
	for (size_t i = 0; i < account->folder_count; i++)
		if (account->folders[i]->needs_scan)
			return true;
	return false;
}

/* What looks have found is on its way to the store. */
static bool
is_taking_over(const struct account_store *account)
{
	if (account->taking_flags > 0 || account->adoptions != NULL ||
	    account->is_making_folder)
		return true;
	for (size_t i = 0; i < account->folder_count; i++)
		if (account->folders[i]->is_adopting ||
		    account->folders[i]->is_letting_go)
			return true;
	return false;
}

/* Whether all that changed before the question is in the store: no more, since
 * others go on. */
static bool
has_changed_all(struct catching_up *c)
{
	struct account_store *account = c->account;

	if (is_taking_over(account))
		return false;
	if (!is_look_left(account) || c->looks++ == LOOKS_AGAIN)
		return true;
	sync_folders(account);
	return !is_taking_over(account) && !is_look_left(account);
}

/* Whether everything is in the store, all that was found included. */
static bool
has_settled(struct catching_up *c)
{
	struct account_store *account = c->account;

	if (c->files == CATCH_UP_CHANGED)
		return has_changed_all(c);
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
account_change_ended(struct account_store *account)
{
	account->changing--;
	if (account->catching_up == NULL || account->settle_timer == NULL)
		return;
	/* What failed is tried again in a while, not at once. */
	if (!is_taking_over(account) && !is_look_left(account))
		timer_start(account->settle_timer, 0);
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
		if (c->is_applied && !is_look(c))
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
			    has_failed(account) ? STATUS_DAMAGED : STATUS_OK,
			    text_make(NULL, 0));
		else
			is_left = true;
	}
	if (is_left)
		timer_start(account->settle_timer, SETTLE_MS);
}

static void
settle_soon(struct account_store *account)
{
	if (account->settle_timer == NULL)
		account->settle_timer =
		    timer_new(account->loop, settle, account);
	timer_start(account->settle_timer, 0);
}

static void
look_at_all(struct account_store *account)
{
	for (size_t i = 0; i < account->folder_count; i++)
		account->folders[i]->needs_scan = true;
	sync_folders(account);
	import_subscriptions(account);
	settle_soon(account);
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
	account_confirm(account, c->listed_up_to);
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

void
account_catch_up(
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
		account_catch_up_start(account);
}

void
account_catch_up_start(struct account_store *account)
{
	for (struct catching_up *c = account->catching_up; c != NULL;
	     c = c->next) {
		if (c->is_started)
			continue;
		c->is_started = true;
		if (c->files == CATCH_UP_CHANGED) {
			c->is_applied = true;
			sync_folders(account);
			settle_soon(account);
			continue;
		}
		store_list_changes(
		    account->client, account->meta.confirmed, listed_missed, c);
	}
}

/* Mailboxes stay open, changes are refused by the client. An answer on the
 * next channel would be one to a question that was not asked there. */
void
account_catch_up_away(void *context)
{
	struct account_store *account = context;

	for (struct catching_up *c = account->catching_up; c != NULL;
	     c = c->next)
		c->is_orphan = true;
}

void
account_catch_up_free(struct account_store *account)
{
	while (account->catching_up != NULL) {
		struct catching_up *c = account->catching_up;

		account->catching_up = c->next;
		free(c);
	}
	timer_free(&account->settle_timer);
}

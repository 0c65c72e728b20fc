/*
 * What happens in the account, as it happens, to those who listen: sessions
 * that asked for it (NOTIFY, RFC 5465), and those that sleep and wait for it.
 * Who does it makes no difference.
 */
#include "imapd/account_state.h"

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
	struct account_listener **at = &account->listeners;

	while (*at != NULL && *at != listener)
		at = &(*at)->next;
	if (*at != NULL)
		*at = listener->next;
}

static void
tell(struct account_store *account, const struct account_event *event)
{
	struct account_listener *listener = account->listeners, *next;

	for (; listener != NULL; listener = next) {
		next = listener->next;
		listener->heard(event, listener->context);
	}
}

void
events_messages(
    struct account_store *account, struct folder *folder, enum happening what)
{
	const struct account_event event = { .what = what,
		.mailbox = folder->info.id,
		.name = folder->info.name };

	if (account->listeners != NULL)
		tell(account, &event);
	sleepers_tell(account, folder, what);
}

void
events_name(
    struct account_store *account, struct text name, struct text old_name)
{
	const struct account_event event = {
		.what = HAPPENED_NAME, .name = name, .old_name = old_name
	};

	if (account->listeners != NULL)
		tell(account, &event);
	sleepers_tell(account, NULL, HAPPENED_NAME);
}

void
events_subscription(struct account_store *account, struct text name)
{
	const struct account_event event = { .what = HAPPENED_SUBSCRIPTION,
		.name = name };

	if (account->listeners != NULL)
		tell(account, &event);
	sleepers_tell(account, NULL, HAPPENED_SUBSCRIPTION);
}

/*
 * What an account may have in its mailboxes (RFC 9208): bytes and messages,
 * which the index counts (index_usage.c).  Who adds by IMAP is refused beyond
 * it; mail is refused by the queue, which is told here how much there is.  What
 * the store restores, and what other programs put into the Maildir, is counted
 * and never refused; snapshots do not count.
 *
 * It is a limit for users, not a wall: a worker that was taken over does not
 * keep it.  The store's allowance (snapd/allowance.h) is the wall.
 */
#include "imapd/account_state.h"

#include "common/log.h"

enum {
	QUOTA_WARN_PERCENT = 90
};

static bool
has_limit(const struct account_quota *quota)
{
	return quota->max_bytes != 0 || quota->max_messages != 0;
}

static bool
fits(uint64_t used, uint64_t more, uint64_t max)
{
	return max == 0 || (used <= max && more <= max - used);
}

static bool
has_room(const struct account_store *account, uint64_t messages, uint64_t bytes)
{
	const struct account_quota *quota = &account->quota;
	const struct index_usage *usage = index_usage(account->index);

	return fits(usage->bytes + quota->coming_bytes, bytes,
		   quota->max_bytes) &&
	       fits(usage->messages + quota->coming_messages, messages,
		   quota->max_messages);
}

bool
quota_takes(struct account_store *account, uint64_t messages, uint64_t bytes)
{
	const struct index_usage *usage = index_usage(account->index);

	if (!has_room(account, messages, bytes)) {
		log_info("quota-refused",
		    "messages=%llu bytes=%llu used_messages=%llu "
		    "used_bytes=%llu",
		    (unsigned long long)messages, (unsigned long long)bytes,
		    (unsigned long long)usage->messages,
		    (unsigned long long)usage->bytes);
		return false;
	}
	account->quota.coming_messages += messages;
	account->quota.coming_bytes += bytes;
	return true;
}

void
quota_arrived(struct account_store *account, uint64_t messages, uint64_t bytes)
{
	account->quota.coming_messages -= messages;
	account->quota.coming_bytes -= bytes;
}

static unsigned int
percent(uint64_t used, uint64_t max)
{
	return max == 0 ? 0 : (unsigned int)(used * 100 / max);
}

/* The fuller of the two. */
static unsigned int
percent_used(const struct account_store *account)
{
	const struct index_usage *usage = index_usage(account->index);
	unsigned int bytes = percent(usage->bytes, account->quota.max_bytes);
	unsigned int messages =
	    percent(usage->messages, account->quota.max_messages);

	return bytes > messages ? bytes : messages;
}

static void
warn(struct account_store *account)
{
	const struct index_usage *usage = index_usage(account->index);
	unsigned int used = percent_used(account);
	bool is_nearly_full = used >= QUOTA_WARN_PERCENT;

	if (is_nearly_full && !account->quota.is_nearly_full)
		log_warning("quota-warning",
		    "percent=%u messages=%llu bytes=%llu", used,
		    (unsigned long long)usage->messages,
		    (unsigned long long)usage->bytes);
	account->quota.is_nearly_full = is_nearly_full;
}

static void
tell(struct account_store *account)
{
	const struct index_usage *usage = index_usage(account->index);
	struct message m = { .type = MESSAGE_usage };

	if (account->queue == NULL || account->status != STATUS_OK ||
	    (account->quota.is_told &&
		usage->bytes == account->quota.told.bytes &&
		usage->messages == account->quota.told.messages))
		return;
	m.usage.bytes = usage->bytes;
	m.usage.messages = usage->messages;
	if (channel_send(account->queue, &m, NULL, 0) == -1)
		return;
	account->quota.told = *usage;
	account->quota.is_told = true;
}

void
quota_look(struct account_store *account)
{
	if (!has_limit(&account->quota) || account->index == NULL)
		return;
	tell(account);
	warn(account);
}

void
quota_tell_anew(struct account_store *account)
{
	account->quota.is_told = false;
	quota_look(account);
}

void
account_store_set_quota(
    struct account_store *account, uint64_t bytes, uint64_t messages)
{
	account->quota.max_bytes = bytes;
	account->quota.max_messages = messages;
	/* What a worker finds at its start its predecessor has warned of. */
	account->quota.is_nearly_full =
	    account->index != NULL &&
	    percent_used(account) >= QUOTA_WARN_PERCENT;
	quota_tell_anew(account);
}

void
account_store_usage(
    const struct account_store *account, struct account_usage *usage)
{
	const struct index_usage *used = index_usage(account->index);

	usage->bytes = used->bytes;
	usage->messages = used->messages;
	usage->max_bytes = account->quota.max_bytes;
	usage->max_messages = account->quota.max_messages;
}

bool
account_store_has_room(const struct account_store *account, uint64_t bytes)
{
	return has_room(account, 1, bytes);
}

/*
 * See claim.h.
 */
#include "snapd/claim.h"

#include "common/log.h"
#include "snapd/leap.h"

#include <stdio.h>

#define DAY_US  ((uint64_t)24 * 3600 * 1000000)
#define WEEK_US (7 * DAY_US)

/* -- Judging -- */

static bool
is_newer(const struct claim *claimed, const struct claim *is)
{
	if (claimed->incarnation != is->incarnation)
		return claimed->incarnation > is->incarnation;
	return claimed->sequence > is->sequence ||
	       claimed->counter > is->counter;
}

static bool
is_within(uint64_t then_us, uint64_t now_us, uint64_t span_us)
{
	return then_us != 0 && now_us - then_us < span_us;
}

enum claim_verdict
claim_judge(const struct claim_case *c)
{
	if (!is_newer(&c->claimed, &c->is))
		return CLAIM_NOT_NEWER;
	if (is_within(c->account_us, c->now_us, DAY_US))
		return CLAIM_TOO_SOON;
	if (is_within(c->other_us, c->now_us, WEEK_US) &&
	    c->other_us > c->store_us &&
	    !is_within(c->store_us, c->now_us, DAY_US))
		return CLAIM_LEAP_STORE;
	return CLAIM_LEAP_ACCOUNT;
}

/* -- Hearing -- */

static enum status
read_case(struct journal *journal, struct transaction *t, uint32_t account,
    struct claim_case *c, struct error *error)
{
	struct account_row row;
	struct leap_note own, whole;
	int found = row_find_account(t, account, &row, error);

	if (found == 0)
		return STATUS_MISSING;
	if (found < 0 || leap_find_note(t, account, &own, error) != 0 ||
	    leap_find_note(t, 0, &whole, error) != 0 ||
	    leap_find_other(t, account, &c->other_us, error) != 0)
		return journal_status_of(error);
	c->is.incarnation = journal->state.incarnation;
	if (own.incarnation > c->is.incarnation)
		c->is.incarnation = own.incarnation;
	c->is.sequence = journal->state.sequence;
	c->is.counter = row.counter;
	c->now_us = journal->state.guard_us;
	c->account_us = own.guard_us;
	c->store_us = whole.guard_us;
	return STATUS_OK;
}

/* Within the round's transaction, so that no batch is overlooked. */
static enum status
look(struct journal *journal, uint32_t account, struct claim_case *c,
    struct error *error)
{
	struct transaction *t;
	enum status status;

	t = journal->round != NULL
		? journal->round
		: transaction_begin(journal->store, false, error);
	if (t == NULL)
		return journal_status_of(error);
	status = read_case(journal, t, account, c, error);
	if (t != journal->round)
		transaction_abort(&t);
	return status;
}

enum status
claim_state(struct journal *journal, uint32_t account, struct claim *is,
    struct error *error)
{
	struct claim_case c = { 0 };
	enum status status = look(journal, account, &c, error);

	*is = c.is;
	return status;
}

static void
describe(const struct claim_case *c, char why[200])
{
	snprintf(why, 200,
	    "a witness has incarnation %llu, event %llu, batch %llu; the store "
	    "%llu, %llu, %llu",
	    (unsigned long long)c->claimed.incarnation,
	    (unsigned long long)c->claimed.sequence,
	    (unsigned long long)c->claimed.counter,
	    (unsigned long long)c->is.incarnation,
	    (unsigned long long)c->is.sequence,
	    (unsigned long long)c->is.counter);
}

/* Who claimed what is in the log, whatever comes of it. */
static void
log_claim(uint32_t account, enum claim_verdict verdict, const char *why)
{
	static const char *const results[] = {
		[CLAIM_NOT_NEWER] = "not-newer",
		[CLAIM_TOO_SOON] = "too-soon",
		[CLAIM_LEAP_ACCOUNT] = "account-leaps",
		[CLAIM_LEAP_STORE] = "store-leaps",
	};

	log_alarm("witness-claim", "account=%u result=%s why=\"%s\"", account,
	    results[verdict], why);
}

enum status
claim_heard(struct journal *journal, uint32_t account,
    const struct claim *claimed, struct claim *is, struct error *error)
{
	struct claim_case c = { .claimed = *claimed };
	enum claim_verdict verdict;
	enum status status;
	char why[200];

	status = look(journal, account, &c, error);
	*is = c.is;
	if (status != STATUS_OK)
		return status;
	verdict = claim_judge(&c);
	describe(&c, why);
	log_claim(account, verdict, why);
	if (verdict == CLAIM_NOT_NEWER)
		return STATUS_REFUSED;
	if (verdict == CLAIM_TOO_SOON)
		return STATUS_LIMIT;
	status = journal_leap(
	    journal, account, verdict == CLAIM_LEAP_STORE, why, error);
	if (status == STATUS_OK)
		status = claim_state(journal, account, is, error);
	return status;
}

/*
 * What the journal has promised: the policies in force (meta "policy", see
 * ratchet.h) and, for a store of before there were any, the first count of what
 * refers to which body (meta "counted").
 */
#include "snapd/journal.h"

#include "common/log.h"
#include "snapd/admin_keys.h"
#include "snapd/blob_use.h"

#include <stdio.h>

static struct key
meta_key(struct text name)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, name.data, name.size);
	return key;
}

uint64_t
journal_lock_us(const struct journal *journal)
{
	return journal->state.guard_us +
	       ratchet_minimum_s(&journal->ratchet) * 1000000;
}

/* -- When the journal is opened -- */

/* 1: rows are counted; 0: not yet; -1. */
static int
load(struct journal *journal, struct error *error)
{
	struct key policy = meta_key(TEXT("policy"));
	struct key counted = meta_key(TEXT("counted"));
	struct transaction *t;
	struct text value;
	int found;

	journal->ratchet = (struct ratchet){ 0 };
	t = transaction_begin(journal->store, false, error);
	if (t == NULL)
		return -1;
	found = store_get(t, DB_META, &policy, &value, error);
	if (found == 1 && ratchet_decode(value, &journal->ratchet) != 0)
		found = error_set(error, ERROR_DAMAGED, "store: policy");
	if (found >= 0)
		found = store_get(t, DB_META, &counted, &value, error);
	transaction_abort(&t);
	return found;
}

static int
count_uses(struct journal *journal, struct error *error)
{
	struct key counted = meta_key(TEXT("counted"));
	struct transaction *t;

	t = transaction_begin(journal->store, true, error);
	if (t == NULL)
		return -1;
	if (blob_use_count_all(t, journal_lock_us(journal), error) != 0 ||
	    store_put(t, DB_META, &counted, TEXT("\1"), error) != 0) {
		transaction_abort(&t);
		return -1;
	}
	return transaction_commit(&t, error);
}

int
journal_load_promises(struct journal *journal, struct error *error)
{
	int found = load(journal, error);

	journal->promises++;
	if (found == 0)
		return count_uses(journal, error);
	return found < 0 ? -1 : 0;
}

/* -- Changes -- */

static const char *const outcomes[] = {
	[RATCHET_SAME] = "same",
	[RATCHET_RAISED] = "raised",
	[RATCHET_WAITS] = "waits",
};

static enum status
put_ratchet(struct journal *journal, const struct ratchet *ratchet,
    enum ratchet_change change, enum role actor, struct error *error)
{
	struct key key = meta_key(TEXT("policy"));
	char text[RETENTION_TEXT_SIZE], detail[240];
	uint8_t data[RATCHET_MAX_SIZE];
	enum status status;
	size_t size;

	status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	size = ratchet_encode(ratchet, data);
	if (store_put(journal->batch, DB_META, &key, text_make(data, size),
		error) != 0) {
		journal_drop(journal);
		return journal_status_of(error);
	}
	retention_policy_format(ratchet_policy(ratchet), text);
	snprintf(
	    detail, sizeof(detail), "%s \"%.220s\"", outcomes[change], text);
	status = journal_finish(journal, EVENT_POLICY, actor, 0, detail, error);
	if (status != STATUS_OK)
		return status;
	journal->ratchet = *ratchet;
	journal->promises++;
	log_info("policy", "change=%s keep=\"%s\"", outcomes[change], text);
	return STATUS_OK;
}

/* One that keeps less needs two administrators, where they have keys. */
static enum status
check_signatures(struct journal *journal, const struct retention *policy,
    struct text signatures, struct error *error)
{
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct admin_keys keys;
	struct transaction *t = journal->round;
	int result = -1;
	size_t size;

	if (t == NULL)
		t = transaction_begin(journal->store, false, error);
	if (t != NULL)
		result =
		    admin_keys_read(t, journal->state.guard_us, &keys, error);
	if (t != journal->round)
		transaction_abort(&t);
	if (result != 0)
		return journal_status_of(error);
	size = admin_policy_statement(journal, policy, statement);
	if (admin_keys_agree(&keys, text_make(statement, size), signatures))
		return STATUS_OK;
	error_set(error, ERROR_REFUSED,
	    "the signatures of %d admin keys are needed", ADMIN_KEYS_NEEDED);
	return STATUS_REFUSED;
}

enum status
journal_set_policy(struct journal *journal, const struct retention *policy,
    struct text signatures, enum ratchet_change *change, struct error *error)
{
	struct ratchet ratchet = journal->ratchet;
	enum status status;

	ratchet_settle(&ratchet, journal->state.guard_us);
	*change = ratchet_set(&ratchet, policy, journal->state.guard_us);
	if (*change == RATCHET_SAME)
		return STATUS_OK;
	if (*change == RATCHET_FULL) {
		error_set(error, ERROR_REFUSED,
		    "%d policies are in force until their minimum has "
		    "passed: wait for one of them",
		    RETENTION_MAX_POLICIES);
		return STATUS_REFUSED;
	}
	if (*change == RATCHET_WAITS) {
		status = check_signatures(journal, policy, signatures, error);
		if (status != STATUS_OK)
			return status;
	}
	return put_ratchet(journal, &ratchet, *change, ROLE_SNAPCTL, error);
}

enum status
journal_configure_policy(struct journal *journal,
    const struct retention *policy, struct error *error)
{
	struct ratchet ratchet = journal->ratchet;
	enum ratchet_change change;

	if (ratchet.has_configured &&
	    ratchet_is_same(&ratchet.configured, policy))
		return STATUS_OK;
	ratchet.has_configured = true;
	ratchet.configured = *policy;
	ratchet_settle(&ratchet, journal->state.guard_us);
	change = ratchet_set(&ratchet, policy, journal->state.guard_us);
	if (change == RATCHET_FULL) {
		log_warning("policy-refused",
		    "why=\"%d policies are in force until their minimum has "
		    "passed\"",
		    RETENTION_MAX_POLICIES);
		return STATUS_OK;
	}
	if (change == RATCHET_WAITS &&
	    check_signatures(journal, policy, text_make(NULL, 0), error) !=
		STATUS_OK) {
		log_warning("policy-refused", "why=\"%s\"", error->text);
		*error = (struct error){ .code = ERROR_NONE };
		return STATUS_OK;
	}
	return put_ratchet(journal, &ratchet, change, ROLE_MASTER, error);
}

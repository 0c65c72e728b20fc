/* See erasure.h. */
#include "snapd/erasure.h"

#include "common/log.h"

#include <string.h>

struct erasure {
	uint64_t wall_us;
	uint64_t requested_us;
	uint64_t confirmed_us;
};

static const char prefix[] = "erasure";

enum {
	PREFIX_SIZE = sizeof(prefix) - 1
};

static struct key
erasure_key(uint32_t account)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, prefix, PREFIX_SIZE);
	key_put_u32(&key, account);
	return key;
}

static int
decode(struct text value, struct erasure *erasure, struct error *error)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	erasure->wall_us = reader_get_u64(&r);
	erasure->requested_us = reader_get_u64(&r);
	erasure->confirmed_us = reader_get_u64(&r);
	return reader_done(&r) == 0
		   ? 0
		   : error_set(error, ERROR_DAMAGED, "store: erasure");
}

int
erasure_list(struct transaction *transaction, uint32_t *accounts, size_t *count,
    struct error *error)
{
	struct key from = erasure_key(0);
	struct erasure erasure;
	struct text key, value;
	struct cursor *cursor;
	int got;

	*count = 0;
	cursor = cursor_open(transaction, DB_META, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key.size == PREFIX_SIZE + 4 &&
	       memcmp(key.data, prefix, PREFIX_SIZE) == 0) {
		if (decode(value, &erasure, error) != 0) {
			got = -1;
			break;
		}
		if (erasure.confirmed_us > 0 && *count < RETENTION_MAX_ERASED)
			accounts[(*count)++] = key_u32_at(key, PREFIX_SIZE);
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

/* -- Steps, in the batch that is open -- */

static enum status
put(struct journal *journal, uint32_t account, const struct erasure *erasure,
    struct error *error)
{
	struct key key = erasure_key(account);
	uint8_t data[25];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, erasure->wall_us);
	writer_put_u64(&w, erasure->requested_us);
	writer_put_u64(&w, erasure->confirmed_us);
	return store_put(journal->batch, DB_META, &key, text_make(data, w.size),
		   error) == 0
		   ? STATUS_OK
		   : journal_status_of(error);
}

static enum status
request(struct journal *journal, uint32_t account, struct error *error)
{
	struct erasure erasure = { .wall_us = (uint64_t)journal->now_us,
		.requested_us = journal->state.guard_us };
	struct account_row row;
	int found = row_find_account(journal->batch, account, &row, error);

	if (found != 1)
		return found == 0 ? STATUS_MISSING : journal_status_of(error);
	return put(journal, account, &erasure, error);
}

static enum status
confirm(struct journal *journal, uint32_t account, struct erasure *erasure,
    uint64_t left_us, struct error *error)
{
	uint32_t accounts[RETENTION_MAX_ERASED];
	size_t count;

	if (left_us > 0) {
		error_set(error, ERROR_REFUSED,
		    "the minimum has not passed since the request");
		return STATUS_REFUSED;
	}
	if (erasure_list(journal->batch, accounts, &count, error) != 0)
		return journal_status_of(error);
	if (count == RETENTION_MAX_ERASED) {
		error_set(error, ERROR_LIMIT, "%d accounts are being erased",
		    RETENTION_MAX_ERASED);
		return STATUS_LIMIT;
	}
	erasure->confirmed_us = journal->state.guard_us;
	return put(journal, account, erasure, error);
}

static enum status
apply(struct journal *journal, uint32_t account, enum erasure_step step,
    uint64_t *left_us, struct error *error)
{
	uint64_t wait_us = ratchet_minimum_s(&journal->ratchet) * 1000000;
	struct key key = erasure_key(account);
	struct erasure erasure;
	struct text value;
	int found = store_get(journal->batch, DB_META, &key, &value, error);

	*left_us = wait_us;
	if (found < 0 || (found == 1 && decode(value, &erasure, error) != 0))
		return journal_status_of(error);
	if (step == ERASURE_REQUEST)
		return found == 1 ? STATUS_EXISTS
				  : request(journal, account, error);
	if (found == 0 || erasure.confirmed_us > 0)
		return found == 0 ? STATUS_MISSING : STATUS_EXISTS;
	if (step == ERASURE_WITHDRAW)
		return store_take(journal->batch, DB_META, &key, error) == 0
			   ? STATUS_OK
			   : journal_status_of(error);
	*left_us =
	    erasure.requested_us + wait_us > journal->state.guard_us
		? erasure.requested_us + wait_us - journal->state.guard_us
		: 0;
	return confirm(journal, account, &erasure, *left_us, error);
}

enum status
erasure_step(struct journal *journal, uint32_t account, enum erasure_step step,
    uint64_t *left_us, struct error *error)
{
	static const char *const details[] = {
		[ERASURE_REQUEST] = "requested",
		[ERASURE_CONFIRM] = "confirmed",
		[ERASURE_WITHDRAW] = "withdrawn",
	};
	enum status status;

	if (step < ERASURE_REQUEST || step > ERASURE_WITHDRAW)
		return STATUS_INVALID;
	status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	status = apply(journal, account, step, left_us, error);
	if (status != STATUS_OK) {
		journal_drop(journal);
		return status;
	}
	journal->promises++;
	log_alarm("erasure", "account=%u step=%s", account, details[step]);
	return journal_finish(journal, EVENT_ERASURE, ROLE_SNAPCTL, account,
	    details[step], error);
}

/*
 * Quotas in a transaction: a recipient without room is refused at RCPT, where
 * it is known; what is known only when all bytes are there is said at the end.
 * LMTP has an answer for each recipient.  SMTP has one for all: it is refused
 * if nobody has room; if some have, the others get this one beyond their quota,
 * for their sender would otherwise send it again to all of them.
 */
#include "smtpd/transaction_state.h"

#include "common/codec.h"
#include "common/memory.h"
#include "common/record.h"
#include "common/smtp_verdict.h"

#include <stdlib.h>
#include <string.h>

/* RCPT number `recipient` leads to the account in place `place`. */
struct way {
	uint32_t recipient;
	uint32_t place;
};

static bool
has_quota(const struct account *account)
{
	return account->quota_bytes != 0 || account->quota_messages != 0;
}

bool
transaction_has_room(const struct transaction *t, const struct account *account)
{
	return !has_quota(account) ||
	       quota_book_has_room(t->queue->quotas, account, t->declared);
}

void
transaction_note_way(struct transaction *t, const struct route *route)
{
	for (size_t i = 0; i < route->count; i++)
		for (size_t n = 0; n < t->count; n++) {
			const struct way way = { (uint32_t)t->given,
				(uint32_t)n };

			if (t->accounts[n] == route->accounts[i]->number &&
			    buf_put(&t->ways, &way, sizeof(way)) == -1)
				t->lacks_ways = true;
		}
}

/* Marks the places of accounts without room; how many there are. */
static size_t
find_over(const struct transaction *t, bool *is_over)
{
	const struct account *account;
	size_t count = 0;

	for (size_t i = 0; i < t->count; i++) {
		account =
		    account_find_number(t->queue->accounts, t->accounts[i]);
		is_over[i] = account != NULL && has_quota(account) &&
			     !quota_book_has_room(t->queue->quotas, account,
				 t->body.stored_size);
		count += is_over[i];
	}
	return count;
}

static struct way
way_at(const struct transaction *t, size_t at)
{
	struct way way;

	memcpy(&way, t->ways.data + at, sizeof(way));
	return way;
}

static bool
is_full(const struct transaction *t, size_t recipient)
{
	return t->full[recipient / 8] >> recipient % 8 & 1;
}

/* A recipient is full if all that it leads to are; an account stays if one that
 * is not leads to it. */
static void
mark_full(struct transaction *t, bool *is_over)
{
	t->full_size = (t->given + 7) / 8;
	for (size_t i = 0; i < t->given; i++)
		t->full[i / 8] |= (uint8_t)(1U << i % 8);
	for (size_t at = 0; at < t->ways.size; at += sizeof(struct way)) {
		struct way way = way_at(t, at);

		if (!is_over[way.place])
			t->full[way.recipient / 8] &=
			    (uint8_t) ~(1U << way.recipient % 8);
	}
	for (size_t at = 0; at < t->ways.size; at += sizeof(struct way)) {
		struct way way = way_at(t, at);

		if (!is_full(t, way.recipient))
			is_over[way.place] = false;
	}
}

/* The list of recipients without those accounts, whose places move up. */
static void
leave_out(struct transaction *t, const bool *is_over)
{
	struct buf old = t->recipients;
	struct recipient_record record;
	uint8_t bytes[1024];
	struct writer writer;
	struct reader reader;
	size_t kept = 0;

	buf_init(&t->recipients, TRANSACTION_RECIPIENTS_SIZE);
	reader_init(&reader, old.data, old.size);
	for (size_t i = 0; record_get_recipient(&reader, &record) == 1; i++) {
		if (is_over[i])
			continue;
		writer_init(&writer, bytes, sizeof(bytes));
		record_put_recipient(&writer, &record);
		(void)buf_put(&t->recipients, bytes, writer.size);
		t->accounts[kept++] = record.account;
	}
	t->count = kept;
	buf_clear(&old);
}

unsigned int
transaction_check_quotas(struct transaction *t)
{
	bool *is_over = memory_new(t->count + 1, sizeof(*is_over));
	size_t count = find_over(t, is_over);
	unsigned int verdict = VERDICT_OK;

	if (count > 0 && count == t->count && t->outgoing.count == 0) {
		verdict = VERDICT_OVERQUOTA;
	} else if (count > 0 && t->is_lmtp && !t->lacks_ways &&
		   t->given <= TRANSACTION_FULL_SIZE * (size_t)8 &&
		   t->outgoing.records.size == 0) {
		mark_full(t, is_over);
		leave_out(t, is_over);
	}
	free(is_over);
	return verdict;
}

void
transaction_count_quotas(const struct transaction *t)
{
	const struct mail_body *body =
	    t->is_converted ? &t->converted : &t->body;
	const struct account *account;

	for (size_t i = 0; i < t->count; i++) {
		account =
		    account_find_number(t->queue->accounts, t->accounts[i]);
		if (account != NULL && has_quota(account))
			quota_book_accepted(t->queue->quotas, t->accounts[i],
			    body->stored_size);
	}
}

/*
 * The envelope of a transaction: who may send what, and where each recipient's
 * mail goes.
 */
#include "smtpd/transaction_state.h"

#include "common/clock.h"
#include "common/codec.h"
#include "common/dsn.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/record.h"
#include "common/route.h"
#include "common/smtp_verdict.h"
#include "smtpd/forwarding.h"
#include "smtpd/future_release.h"
#include "smtpd/received.h"

#include <stdio.h>
#include <sys/random.h>

static void
make_prefix(struct mail_body *body, struct buf *prefix, void *context)
{
	const struct transaction *t = context;
	struct received received = { .sender = text_of(t->sender),
		.helo = text_of(t->helo),
		.client_ip = text_of(t->client_ip),
		.tls = text_of(t->tls),
		.host = t->queue->settings->host,
		.is_esmtp = t->flags & TRANSACTION_ESMTP,
		.is_authenticated = t->is_authenticated,
		.is_lmtp = t->is_lmtp,
		.is_smtputf8 = t->flags & TRANSACTION_SMTPUTF8,
		.time = t->time };
	char id[33];

	transaction_queue_id(t, id);
	received.queue_id = id;
	if (t->given == 1 && t->only_recipient != NULL)
		received.recipient = text_of(t->only_recipient);
	if (t->is_submission) {
		received.needs_date = !body->header.has_date;
		received.needs_message_id = !body->header.has_message_id;
		received.needs_from =
		    body->header.from_count == 0 && received.sender.size > 0;
	}
	received_format(&received, prefix);
}

/* A user of this machine is himself in our first domain. */
static bool
is_own_address(
    const struct queue *queue, const struct grant *grant, struct text address)
{
	const struct settings *settings = queue->settings;
	char own[LOCAL_USER_SIZE + sizeof(settings->domains[0])];

	if (grant->account != 0)
		return route_is_owner(
		    settings, queue->accounts, address, grant->account);
	if (grant->is_trusted)
		return true;
	snprintf(own, sizeof(own), "%s@%s", grant->user,
	    settings->domain_count > 0 ? settings->domains[0] : settings->host);
	return text_is_nocase(address, own);
}

static bool
is_submission(const struct message_transaction_begin *begin)
{
	return begin->service == SERVICE_SUBMIT ||
	       begin->service == SERVICE_LOCAL;
}

/* May this connection send as `begin->sender`? */
static unsigned int
check_sender(const struct front *front,
    const struct message_transaction_begin *begin, const struct grant *grant)
{
	const struct queue *queue = front->queue;

	if (!is_submission(begin))
		return VERDICT_OK;
	if (grant == NULL)
		return VERDICT_NOT_LOGGED_IN;
	if (begin->sender.size > 0 &&
	    !is_own_address(queue, grant, begin->sender))
		return VERDICT_SENDER_NOT_OWNED;
	return VERDICT_OK;
}

static unsigned int
begin_verdict(const struct front *front,
    const struct message_transaction_begin *begin, const struct grant *grant)
{
	const struct queue *queue = front->queue;
	unsigned int verdict = transaction_store_verdict(queue);

	if (verdict != VERDICT_OK)
		return verdict;
	if (table_find_u64(front->transactions, begin->transaction) != NULL)
		return VERDICT_SEQUENCE;
	if (table_count(front->transactions) >= QUEUE_MAX_TRANSACTIONS ||
	    queue->bytes >= QUEUE_MAX_BYTES)
		return VERDICT_BUSY;
	if (begin->size > queue->settings->max_message_bytes)
		return VERDICT_TOO_BIG;
	return check_sender(front, begin, grant);
}

/* What the front says of RFC 4865 is within its limits. */
static int64_t
release_time(const struct transaction *t, int64_t not_before)
{
	int64_t now = clock_wall_us() / 1000000;

	if (!t->is_submission || not_before <= now)
		return 0;
	return not_before > now + FUTURE_RELEASE_MAX_S
		   ? now + FUTURE_RELEASE_MAX_S
		   : not_before;
}

unsigned int
transaction_begin(
    struct front *front, const struct message_transaction_begin *begin)
{
	const struct grant *grant =
	    queue_find_grant(front->queue, front->instance, begin->connection);
	unsigned int verdict = begin_verdict(front, begin, grant);
	struct transaction *t;

	if (verdict != VERDICT_OK)
		return verdict;
	t = memory_new(1, sizeof(*t));
	t->queue = front->queue;
	t->front = front;
	t->number = begin->transaction;
	t->is_submission = is_submission(begin);
	t->is_lmtp = begin->service == SERVICE_LMTP;
	t->is_authenticated = t->is_submission && grant != NULL;
	t->flags = begin->flags & TRANSACTION_ASKED;
	t->declared = begin->size;
	t->priority = (int8_t)begin->priority;
	if (!t->is_submission || t->priority < -9 || t->priority > 9)
		t->priority = 0;
	t->not_before = release_time(t, begin->not_before);
	t->deliver_by = begin->deliver_by > 0 ? begin->deliver_by : 0;
	t->sender = transaction_copy_text(begin->sender);
	t->helo = transaction_copy_text(begin->helo);
	t->client_ip = transaction_copy_text(begin->client_ip);
	t->tls = transaction_copy_text(begin->tls);
	t->account = t->is_authenticated ? grant->account : 0;
	t->envelope_id = transaction_copy_text(begin->envelope_id);
	t->time = clock_wall_us() / 1000000;
	if (getrandom(t->delivery.bytes, 16, 0) != 16)
		fatal("no random numbers");
	buf_init(&t->recipients, TRANSACTION_RECIPIENTS_SIZE);
	buf_init(&t->ways, TRANSACTION_WAYS_SIZE);
	outgoing_init(&t->outgoing);
	mail_body_init(&t->body, make_prefix, t);
	t->body.header.drops_bcc = t->is_submission;
	t->body.is_exact = t->flags & TRANSACTION_BINARYMIME;
	table_put_u64(front->transactions, t->number, t);
	return VERDICT_OK;
}

/* Adds one account unless it is there. 0, or -1 if there is no room. */
static int
add_account(struct transaction *t, uint32_t account, struct text address)
{
	uint8_t record[1024];
	struct recipient_record recipient = { account, address };
	struct writer writer;
	size_t i;

	for (i = 0; i < t->count; i++)
		if (t->accounts[i] == account)
			return 0;
	writer_init(&writer, record, sizeof(record));
	record_put_recipient(&writer, &recipient);
	if (writer.failed || t->count >= UINT16_MAX ||
	    buf_put(&t->recipients, record, writer.size) == -1)
		return -1;
	t->accounts =
	    memory_resize(t->accounts, t->count + 1, sizeof(t->accounts[0]));
	t->accounts[t->count++] = account;
	return 0;
}

static bool
is_full(const struct transaction *t, uint32_t account)
{
	return t->declared > 0 && full_list_has(t->queue->full, account,
				      t->declared, clock_monotonic_us() / 1000);
}

/* To the spool: what is sent, and whom the sender is told of. */
static unsigned int
add_outgoing(struct transaction *t, const struct outgoing_record *record)
{
	if (t->queue->spool == NULL || !t->queue->is_spool_open)
		return VERDICT_UNAVAILABLE;
	if (record_is_to_go(record) && is_full(t, FULL_LIST_SPOOL))
		return VERDICT_NO_SPACE;
	return outgoing_add(&t->outgoing, record) == -1
		   ? VERDICT_TOO_MANY_RECIPIENTS
		   : VERDICT_OK;
}

static unsigned int
add_elsewhere(struct transaction *t, struct text address,
    const struct message_transaction_recipient *given)
{
	const struct outgoing_record record = { given->notify, given->original,
		address, OUTGOING_SEND };

	return add_outgoing(t, &record);
}

/* Mail for others is taken only of those who logged in, if the administrator
 * wants it, and of ourselves. */
static bool
may_relay(const struct transaction *t)
{
	return t->report != 0 || t->release != 0 ||
	       (t->is_authenticated && t->queue->settings->is_relaying);
}

/* RFC 3461 section 5.2.7: who is behind an alias gets what its sender asked
 * for, but success of an alias of several is the alias's. */
static unsigned int
add_remotes(struct transaction *t, const struct route *route,
    const struct message_transaction_recipient *given)
{
	char original[OUTGOING_ORIGINAL_SIZE];
	struct outgoing_record record = { .notify = given->notify,
		.original = given->original };
	unsigned int verdict = VERDICT_OK;

	if (!queue_may_send(
		t->queue, t->account, t->outgoing.count + route->remote_count))
		return VERDICT_SENT_ENOUGH;
	if (record.original.size == 0)
		record.original = outgoing_original(given->address, original);
	if (route->count + route->remote_count > 1 &&
	    record.notify & DSN_NOTIFY_SUCCESS) {
		record.notify &= (uint8_t)~DSN_NOTIFY_SUCCESS;
		if (record.notify == 0)
			record.notify = DSN_NOTIFY_NEVER;
	}
	for (size_t i = 0; i < route->remote_count && verdict == VERDICT_OK;
	     i++) {
		record.address = text_of(route->remotes[i]);
		record.fate = forwarding_is_kept(t->queue, record.address)
				  ? OUTGOING_BACK
				  : OUTGOING_SEND;
		verdict = add_outgoing(t, &record);
	}
	return verdict;
}

/* Where one has room the store takes the message for all. */
static bool
are_all_full(const struct transaction *t, const struct route *route)
{
	for (size_t i = 0; i < route->count; i++)
		if (!is_full(t, route->accounts[i]->number))
			return false;
	return route->count > 0;
}

/* Whoever is behind it, there is no room in his mailboxes. */
static bool
are_all_over(const struct transaction *t, const struct route *route)
{
	for (size_t i = 0; i < route->count; i++)
		if (transaction_has_room(t, route->accounts[i]))
			return false;
	return route->count > 0 && route->remote_count == 0;
}

static unsigned int
add_accounts(struct transaction *t, const struct route *route,
    const struct message_transaction_recipient *given)
{
	if (are_all_full(t, route))
		return VERDICT_NO_SPACE;
	if (are_all_over(t, route))
		return VERDICT_OVERQUOTA;
	for (size_t i = 0; i < route->count; i++)
		if (add_account(
			t, route->accounts[i]->number, given->address) == -1)
			return VERDICT_TOO_MANY_RECIPIENTS;
	return VERDICT_OK;
}

/* One of ours who gets it later: with the aliases and accounts of then. */
static unsigned int
add_held(
    struct transaction *t, const struct message_transaction_recipient *given)
{
	const struct outgoing_record record = { given->notify, given->original,
		given->address, OUTGOING_HERE };

	return add_outgoing(t, &record);
}

/* Success of a recipient here is that the store has it, or that all behind an
 * alias are recipients: the spool tells the sender when that is so. */
static unsigned int
add_told(struct transaction *t, const struct route *route,
    const struct message_transaction_recipient *given)
{
	const struct outgoing_record record = { given->notify, given->original,
		given->address,
		route->count + route->remote_count > 1 ? OUTGOING_EXPANDED
						       : OUTGOING_DELIVERED };

	if (!(given->notify & DSN_NOTIFY_SUCCESS) ||
	    (route->count == 0 && record.fate == OUTGOING_DELIVERED))
		return VERDICT_OK;
	return add_outgoing(t, &record);
}

/* All that is behind the address, or nothing of it: who hears that a recipient
 * was refused tells him so. */
static unsigned int
add_route(struct transaction *t, const struct route *route,
    const struct message_transaction_recipient *given)
{
	const struct outgoing_mark outgoing = outgoing_mark(&t->outgoing);
	size_t count = t->count, size = t->recipients.size;
	unsigned int verdict = add_remotes(t, route, given);

	if (verdict == VERDICT_OK)
		verdict = add_accounts(t, route, given);
	if (verdict == VERDICT_OK)
		verdict = add_told(t, route, given);
	if (verdict != VERDICT_OK) {
		outgoing_return_to(&t->outgoing, &outgoing);
		buf_truncate(&t->recipients, size);
		t->count = count;
		return verdict;
	}
	if (route->remote_count > 0)
		t->is_forwarding = true;
	if (t->is_lmtp)
		transaction_note_way(t, route);
	return VERDICT_OK;
}

unsigned int
transaction_recipient(
    struct transaction *t, const struct message_transaction_recipient *given)
{
	const struct settings *settings = t->queue->settings;
	char home[SRS_ADDRESS_SIZE];
	struct route route;
	unsigned int verdict = transaction_store_verdict(t->queue);

	if (verdict != VERDICT_OK)
		return verdict;
	if (t->given >= settings->max_recipients)
		return VERDICT_TOO_MANY_RECIPIENTS;
	verdict = forwarding_find(t->queue, given->address, &route, home);
	if (verdict == VERDICT_OK)
		verdict = t->not_before != 0 ? add_held(t, given)
					     : add_route(t, &route, given);
	else if (verdict == VERDICT_RELAYING && may_relay(t))
		verdict =
		    queue_may_send(t->queue, t->account, t->outgoing.count + 1)
			? add_elsewhere(t, text_of(home), given)
			: VERDICT_SENT_ENOUGH;
	if (verdict != VERDICT_OK)
		return verdict;
	if (t->given++ == 0)
		t->only_recipient = transaction_copy_text(given->address);
	return VERDICT_OK;
}

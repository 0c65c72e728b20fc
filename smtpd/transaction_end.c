/*
 * The durable end of a transaction: spool_put to the spool for those elsewhere,
 * then accept to snapd for the accounts of ours, under one delivery id.  Where
 * there are both, the spool's part waits for the word of the store, so that
 * there are both or none (docs/design, the way of a message out).
 */
#include "smtpd/transaction_state.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/record.h"
#include "common/smtp_verdict.h"
#include "smtpd/filing.h"
#include "smtpd/forwarding.h"

#include <unistd.h>

enum {
	INLINE_SIZE = 16384 /* as in the row `spool_put` */
};

/* -1: snapd takes no more now. */
static int
send_accept(struct transaction *t)
{
	struct message message = { .type = MESSAGE_accept };
	struct message_accept *accept = &message.accept;
	struct mail_body *body = t->is_converted ? &t->converted : &t->body;

	if (t->queue->snapd == NULL)
		return -1;
	accept->tag = t->tag;
	accept->delivery = t->delivery;
	accept->form = FORM_LF;
	accept->time = t->time;
	accept->sender = text_of(t->sender);
	accept->recipients = text_make(t->recipients.data, t->recipients.size);
	accept->size = body->stored_size;
	if (body->fd == -1)
		accept->data = text_make(body->head.data, body->head.size);
	return channel_send(
	    t->queue->snapd, &message, &body->fd, body->fd != -1);
}

/* What the spool is told of it, but for the bytes. */
static void
fill_put(const struct transaction *t, struct message_spool_put *put,
    struct forwarded *forwarded)
{
	put->tag = t->tag;
	put->delivery = t->delivery;
	put->time = t->time;
	put->account = t->account;
	put->flags = (uint16_t)t->flags;
	put->priority = (uint8_t)t->priority;
	put->not_before = t->not_before;
	put->deliver_by = t->deliver_by;
	if (t->outgoing.told > 0)
		put->flags |= TRANSACTION_TELLS;
	/* REQUIRETLS goes before the field (RFC 8689 section 4.1). */
	if (t->body.header.is_tls_optional &&
	    !(t->flags & TRANSACTION_REQUIRETLS))
		put->flags |= TRANSACTION_TLS_OPTIONAL;
	put->sender = text_of(t->sender);
	if (t->is_forwarding) {
		put->sender =
		    forwarding_sender(t->queue, put->sender, forwarded);
		put->origin = text_of(forwarded->origin);
		put->origin_until = forwarded->until;
	}
	put->envelope_id = text_of(t->envelope_id);
	put->recipients =
	    text_make(t->outgoing.records.data, t->outgoing.records.size);
	put->decider = t->count > 0 ? t->accounts[0] : 0;
}

/* -1: the spool is away, or takes no more now. */
static int
send_put(struct transaction *t)
{
	struct message message = { .type = MESSAGE_spool_put };
	struct message_spool_put *put = &message.spool_put;
	struct forwarded forwarded;
	struct error error;
	struct buf data;
	int fd = -1, result;

	if (t->queue->spool == NULL)
		return -1;
	buf_init(&data, INLINE_SIZE);
	/* Who only has to be told of needs no more than a report has of it. */
	if (t->outgoing.count > 0)
		result =
		    outgoing_body(&t->body, &data, &fd, &put->size, &error);
	else
		result = outgoing_header(&t->body, &data, &put->size, &error);
	fill_put(t, put, &forwarded);
	if (fd == -1)
		put->data = text_make(data.data, data.size);
	if (result == 0)
		result = channel_send(t->queue->spool, &message, &fd, fd != -1);
	if (fd != -1)
		close(fd);
	buf_clear(&data);
	return result;
}

/* -1: whose turn it is takes no more now. */
static int
ask(struct transaction *t, enum transaction_wait wait)
{
	t->wait = wait;
	return wait == WAITS_FOR_SPOOL ? send_put(t) : send_accept(t);
}

unsigned int
transaction_hand_over(struct transaction *t)
{
	t->tag = ++t->queue->next_tag;
	t->deadline_ms = clock_monotonic_us() / 1000 + QUEUE_ACCEPT_DEADLINE_MS;
	table_put_u64(t->queue->accepts, t->tag, t);
	return ask(t, t->outgoing.records.size > 0 ? WAITS_FOR_SPOOL
						   : WAITS_FOR_STORE) == -1
		   ? VERDICT_UNAVAILABLE
		   : VERDICT_OK;
}

static unsigned int
accept_verdict(enum status status)
{
	switch (status) {
	case STATUS_OK:
		return VERDICT_ACCEPTED;
	case STATUS_FULL:
		return VERDICT_NO_SPACE;
	case STATUS_LIMIT:
	case STATUS_INVALID:
		return VERDICT_REFUSED;
	default:
		return VERDICT_UNAVAILABLE;
	}
}

static void
file_all(struct transaction *t)
{
	struct delivery_id delivery = t->delivery;
	size_t i;

	for (i = 0; i < t->count; i++) {
		delivery.bytes[16] = (uint8_t)(i >> 8);
		delivery.bytes[17] = (uint8_t)i;
		filing_add(t->queue->filings, t->accounts[i], &delivery);
	}
}

/* The spool's word about one of its reports: what to do with it. */
static enum status
report_status(unsigned int verdict)
{
	switch (verdict) {
	case VERDICT_ACCEPTED:
		return STATUS_OK;
	case VERDICT_NO_SPACE:
	case VERDICT_OVERQUOTA:
		return STATUS_FULL;
	case VERDICT_UNKNOWN_USER:
	case VERDICT_RELAYING:
	case VERDICT_BAD_RECIPIENT:
		return STATUS_MISSING;
	case VERDICT_REFUSED:
	case VERDICT_TOO_BIG:
		return STATUS_REFUSED;
	default:
		return STATUS_UNAVAILABLE;
	}
}

static void
say_report(struct queue *queue, uint64_t tag, unsigned int verdict)
{
	struct message message = { .type = MESSAGE_report_routed };

	if (queue->spool == NULL)
		return; /* its successor offers it again */
	message.report_routed.tag = tag;
	message.report_routed.status = (uint8_t)report_status(verdict);
	(void)channel_send(queue->spool, &message, NULL, 0);
}

void
transaction_finish(struct transaction *t, unsigned int verdict)
{
	char id[33];

	transaction_queue_id(t, id);
	if (t->wait != WAITS_FOR_NOBODY && t->count > 0 &&
	    t->outgoing.records.size > 0)
		transaction_decide(
		    t->queue, &t->delivery, verdict == VERDICT_ACCEPTED);
	if (t->report != 0)
		say_report(t->queue, t->report, verdict);
	else if (t->release != 0)
		transaction_say_released(t, verdict);
	else
		transaction_say_end(t, verdict);
	log_info(verdict == VERDICT_ACCEPTED ? "mail-accepted" : "mail-refused",
	    "qid=%s ip=%s recipients=%zu elsewhere=%zu size=%llu code=%u", id,
	    t->client_ip, t->count, t->outgoing.count,
	    (unsigned long long)t->body.stored_size,
	    (unsigned int)smtp_verdict_row(verdict)->code);
	transaction_free(t);
}

/* For those who ask at RCPT. */
static void
note_room(struct transaction *t, uint32_t account, enum status status)
{
	if (status == STATUS_FULL)
		full_list_note(t->queue->full, account, t->body.stored_size,
		    clock_monotonic_us() / 1000);
	else if (status == STATUS_OK)
		full_list_forget(t->queue->full, account);
}

void
transaction_accepted(struct queue *queue, uint64_t tag, enum status status)
{
	struct transaction *t = table_find_u64(queue->accepts, tag);
	unsigned int verdict = accept_verdict(status);

	if (t == NULL || t->wait != WAITS_FOR_STORE)
		return;
	for (size_t i = 0; i < t->count; i++)
		note_room(t, t->accounts[i], status);
	if (verdict == VERDICT_ACCEPTED) {
		transaction_count_quotas(t);
		file_all(t);
	}
	transaction_finish(t, verdict);
}

void
transaction_kept(struct queue *queue, uint64_t tag, enum status status)
{
	struct transaction *t = table_find_u64(queue->accepts, tag);
	unsigned int verdict = accept_verdict(status);

	if (t == NULL || t->wait != WAITS_FOR_SPOOL)
		return;
	if (status == STATUS_LIMIT)
		verdict = VERDICT_SENT_ENOUGH;
	else if (status == STATUS_MISSING)
		verdict = VERDICT_UNKNOWN_USER; /* a sender that was kept */
	note_room(t, FULL_LIST_SPOOL, status);
	if (verdict != VERDICT_ACCEPTED || t->count == 0)
		transaction_finish(t, verdict);
	else if (ask(t, WAITS_FOR_STORE) == -1)
		transaction_finish(t, VERDICT_UNAVAILABLE);
}

void
transaction_resend(struct queue *queue, enum transaction_wait wait)
{
	size_t position = 0;
	struct transaction *t;
	void *value;

	while (table_next(queue->accepts, &position, NULL, NULL, &value)) {
		t = value;
		if (t->wait == wait && ask(t, wait) == -1)
			return; /* the deadline answers them */
	}
}

void
transaction_expire(struct queue *queue, int64_t now_ms)
{
	struct transaction *t;
	size_t position = 0;
	void *value;

	while (table_next(queue->accepts, &position, NULL, NULL, &value)) {
		t = value;
		if (now_ms >= t->deadline_ms)
			transaction_finish(t, VERDICT_UNAVAILABLE);
	}
}

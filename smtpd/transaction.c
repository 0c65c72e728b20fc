/*
 * Incoming mail, request by request: its envelope (transaction_envelope.c) and
 * its body.  Every request is answered once; the answer to the end of data is
 * given when snapd, the spool or both have said that the message is on disk,
 * and only then is it a 250 (transaction_end.c).
 */
#include "smtpd/transaction.h"

#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/transaction_state.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_RECEIVED = 50 /* hops: RFC 5321 section 6.3 */
};

char *
transaction_copy_text(struct text text)
{
	char *copy = memory_new(text.size + 1, 1);

	if (text.size > 0)
		memcpy(copy, text.data, text.size);
	return copy;
}

void
transaction_free(struct transaction *transaction)
{
	struct queue *queue = transaction->queue;

	if (transaction->front != NULL)
		table_remove_u64(
		    transaction->front->transactions, transaction->number);
	if (transaction->tag != 0)
		table_remove_u64(queue->accepts, transaction->tag);
	queue->bytes -= transaction->counted;
	transaction_stop_fetch(transaction);
	mail_body_clear(&transaction->body);
	if (transaction->is_converted)
		mail_body_clear(&transaction->converted);
	buf_clear(&transaction->recipients);
	buf_clear(&transaction->ways);
	buf_clear(&transaction->verdicts);
	outgoing_clear(&transaction->outgoing);
	free(transaction->envelope_id);
	free(transaction->accounts);
	free(transaction->sender);
	free(transaction->helo);
	free(transaction->client_ip);
	free(transaction->tls);
	free(transaction->only_recipient);
	free(transaction);
}

static void
say(struct front *front, uint64_t number, unsigned int verdict,
    const char *text, struct text full)
{
	struct message message = { .type = MESSAGE_transaction_verdict };

	if (front == NULL)
		return;
	message.transaction_verdict.transaction = number;
	message.transaction_verdict.verdict = (uint16_t)verdict;
	message.transaction_verdict.text = text_of(text);
	message.transaction_verdict.full = full;
	/* Nothing can be done if it does not fit: the front is dying. */
	(void)channel_send(front->channel, &message, NULL, 0);
}

void
transaction_say(struct front *front, uint64_t number, unsigned int verdict,
    const char *text)
{
	say(front, number, verdict, text, TEXT(""));
}

void
transaction_say_end(const struct transaction *t, unsigned int verdict)
{
	char id[33];

	transaction_queue_id(t, id);
	say(t->front, t->number, verdict, verdict == VERDICT_ACCEPTED ? id : "",
	    text_make(t->full, t->full_size));
}

void
transaction_queue_id(const struct transaction *transaction, char id[33])
{
	text_format_hex(transaction->delivery.bytes, 16, id);
}

unsigned int
transaction_store_verdict(const struct queue *queue)
{
	if (queue->store == STATUS_OK)
		return VERDICT_OK;
	return queue->store == STATUS_MISSING ? VERDICT_NO_STORE
					      : VERDICT_UNAVAILABLE;
}

static unsigned int
put(struct transaction *t, struct text data)
{
	struct queue *queue = t->queue;
	struct error error;

	if (t->verdict != VERDICT_OK)
		return t->verdict;
	if (t->count == 0 && t->outgoing.count == 0)
		t->verdict = VERDICT_NO_RECIPIENTS;
	else if (t->counted + data.size > queue->settings->max_message_bytes)
		t->verdict = VERDICT_TOO_BIG;
	else if (queue->bytes + data.size > QUEUE_MAX_BYTES)
		t->verdict = VERDICT_BUSY;
	else if (mail_body_put(&t->body, (const uint8_t *)data.data, data.size,
		     &error) == -1)
		t->verdict = VERDICT_BUSY;
	if (t->verdict != VERDICT_OK) {
		mail_body_clear(&t->body);
		return t->verdict;
	}
	t->counted += data.size;
	queue->bytes += data.size;
	return VERDICT_OK;
}

/* Where a part that an URL names begins or ends: a CR before that and an LF
 * behind it are one line end, and each of them alone is made one. */
static unsigned int
close_seam(struct transaction *t, bool is_before_lf)
{
	if (!t->is_at_seam || t->body.is_exact)
		return VERDICT_OK;
	t->is_at_seam = false;
	if (t->body.is_after_cr == is_before_lf)
		return VERDICT_OK;
	return put(t, is_before_lf ? TEXT("\r") : TEXT("\n"));
}

unsigned int
transaction_put(struct transaction *t, struct text data)
{
	unsigned int verdict = VERDICT_OK;

	if (data.size > 0)
		verdict = close_seam(t, data.data[0] == '\n');
	return verdict == VERDICT_OK ? put(t, data) : verdict;
}

/* What the front says about defects adds to what is seen here: it undid dots
 * and, but for mail of strangers, made bare line ends whole. */
static unsigned int
defect_verdict(const struct transaction *t, unsigned int said)
{
	unsigned int defects =
	    t->body.defects | t->defects | (said & DEFECT_NUL);

	if (t->flags & TRANSACTION_BINARYMIME)
		return VERDICT_OK;
	if (!t->is_submission && !t->is_lmtp)
		defects |= said;
	if (defects & DEFECT_NUL)
		return VERDICT_NUL;
	if (defects & DEFECT_BARE_LF)
		return VERDICT_BARE_LF;
	return defects & DEFECT_BARE_CR ? VERDICT_BARE_CR : VERDICT_OK;
}

/* VERDICT_OK: it is on its way to snapd and the spool and answered later. */
static unsigned int
end_verdict(struct transaction *t, const struct message_transaction_end *end)
{
	struct queue *queue = t->queue;
	unsigned int verdict = transaction_put(t, end->data);
	struct error error;

	if (verdict == VERDICT_OK)
		verdict = close_seam(t, false);
	if (verdict == VERDICT_OK)
		verdict = transaction_store_verdict(queue);
	if (verdict == VERDICT_OK && mail_body_finish(&t->body, &error) == -1)
		verdict = VERDICT_BUSY;
	if (verdict == VERDICT_OK)
		verdict = defect_verdict(t, end->defects);
	if (verdict == VERDICT_OK &&
	    t->body.header.received_count > MAX_RECEIVED)
		verdict = VERDICT_LOOP;
	if (verdict == VERDICT_OK && t->is_submission &&
	    t->body.header.from_count > 1)
		verdict = VERDICT_MANY_FROM;
	if (verdict == VERDICT_OK)
		verdict = transaction_check_quotas(t);
	if (verdict == VERDICT_OK && t->body.is_exact && t->count > 0 &&
	    transaction_convert(t, &error) == -1)
		verdict = VERDICT_BINARY;
	return verdict == VERDICT_OK ? transaction_hand_over(t) : verdict;
}

static struct transaction *
find(struct front *front, uint64_t number)
{
	struct transaction *t = table_find_u64(front->transactions, number);

	return t != NULL && t->tag == 0 && t->fetch == NULL ? t : NULL;
}

void
transaction_end(
    struct transaction *t, const struct message_transaction_end *end)
{
	unsigned int verdict = end_verdict(t, end);

	if (verdict == VERDICT_OK)
		return;
	transaction_say(t->front, end->transaction, verdict, "");
	transaction_free(t);
}

static void
handle_end(struct front *front, const struct message_transaction_end *end)
{
	struct transaction *t = find(front, end->transaction);

	if (t == NULL)
		transaction_say(front, end->transaction, VERDICT_SEQUENCE, "");
	else
		transaction_end(t, end);
}

static void
handle_url(struct front *front, const struct message_transaction_url *said)
{
	struct transaction *t = find(front, said->transaction);
	unsigned int verdict;

	verdict = t == NULL ? VERDICT_SEQUENCE : transaction_fetch(t, said);
	if (verdict == VERDICT_OK)
		return;
	transaction_say(front, said->transaction, verdict, "");
	if (t != NULL && said->is_last)
		transaction_free(t);
}

/* RSET, or the client is gone. A message on its way to snapd is not called
 * back: its client has not been answered and will send it again. */
static void
handle_abort(struct front *front, uint64_t number)
{
	struct transaction *t = table_find_u64(front->transactions, number);

	if (t != NULL && t->tag == 0)
		transaction_free(t);
}

void
transaction_handle(struct front *front, const struct message *message)
{
	struct transaction *t;

	switch (message->type) {
	case MESSAGE_transaction_begin:
		transaction_say(front, message->transaction_begin.transaction,
		    transaction_begin(front, &message->transaction_begin), "");
		break;
	case MESSAGE_transaction_recipient:
		t = find(front, message->transaction_recipient.transaction);
		transaction_say(front,
		    message->transaction_recipient.transaction,
		    t == NULL ? VERDICT_SEQUENCE
			      : transaction_recipient(
				    t, &message->transaction_recipient),
		    "");
		break;
	case MESSAGE_transaction_part:
		t = find(front, message->transaction_part.transaction);
		transaction_say(front, message->transaction_part.transaction,
		    t == NULL
			? VERDICT_SEQUENCE
			: transaction_put(t, message->transaction_part.data),
		    "");
		break;
	case MESSAGE_transaction_end:
		handle_end(front, &message->transaction_end);
		break;
	case MESSAGE_transaction_url:
		handle_url(front, &message->transaction_url);
		break;
	case MESSAGE_transaction_abort:
		handle_abort(front, message->transaction_abort.transaction);
		break;
	default:
		break;
	}
}

void
transaction_drop_all(struct front *front)
{
	struct transaction *t;
	size_t position = 0;
	void *value;

	while (table_next(front->transactions, &position, NULL, NULL, &value)) {
		t = value;
		if (t->tag == 0) {
			transaction_free(t);
			continue;
		}
		table_remove_u64(front->transactions, t->number);
		t->front = NULL;
	}
}

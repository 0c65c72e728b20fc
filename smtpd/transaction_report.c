/*
 * Reports of the spool's on their way in: transactions without a front, routed
 * and made durable like any other.
 */
#include "smtpd/transaction_state.h"

#include "common/dsn.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"

enum {
	MAX_REPORT = 1 << 20 /* the spool's are smaller */
};

/* Nobody handed it in: it has no trace but where it came from in the end. */
static void
make_report_prefix(struct mail_body *body, struct buf *prefix, void *context)
{
	buf_put_text(prefix, "Return-Path: <>\n");
}

static struct transaction *
report_new(struct queue *queue, const struct message_spool_report *report)
{
	struct transaction *t = memory_new(1, sizeof(*t));
	struct text none = text_make(NULL, 0);

	t->queue = queue;
	t->report = report->tag;
	t->flags = TRANSACTION_ESMTP | TRANSACTION_8BITMIME;
	t->flags |=
	    report->flags & (TRANSACTION_TLS_OPTIONAL | TRANSACTION_REQUIRETLS);
	if (!text_is_ascii(report->recipient))
		t->flags |= TRANSACTION_SMTPUTF8;
	t->sender = transaction_copy_text(none);
	t->helo = transaction_copy_text(none);
	t->client_ip = transaction_copy_text(none);
	t->tls = transaction_copy_text(none);
	t->envelope_id = transaction_copy_text(none);
	t->delivery = report->delivery;
	t->time = report->time;
	buf_init(&t->recipients, TRANSACTION_RECIPIENTS_SIZE);
	buf_init(&t->ways, 0);
	outgoing_init(&t->outgoing);
	mail_body_init(&t->body, make_report_prefix, t);
	return t;
}

static unsigned int
put_report(
    struct transaction *t, const struct message_spool_report *report, int fd)
{
	struct text data = report->data;
	unsigned int verdict;
	struct error error;
	struct buf bytes;

	buf_init(&bytes, MAX_REPORT);
	if (data.size < report->size) {
		if (fd == -1 || file_read_all(fd, &bytes, &error) == -1) {
			buf_clear(&bytes);
			return VERDICT_REFUSED;
		}
		data = text_make(bytes.data, bytes.size);
	}
	verdict = transaction_put(t, data);
	buf_clear(&bytes);
	return verdict;
}

void
transaction_report(
    struct queue *queue, const struct message_spool_report *report, int fd)
{
	struct message_transaction_recipient recipient = {
		.address = report->recipient,
		.notify = DSN_NOTIFY_NEVER,
	};
	struct transaction *t = report_new(queue, report);
	unsigned int verdict = transaction_store_verdict(queue);
	struct error error;

	if (verdict == VERDICT_OK)
		verdict = transaction_recipient(t, &recipient);
	if (verdict == VERDICT_OK)
		verdict = put_report(t, report, fd);
	if (verdict == VERDICT_OK && mail_body_finish(&t->body, &error) == -1)
		verdict = VERDICT_BUSY;
	if (verdict == VERDICT_OK)
		verdict = transaction_hand_over(t);
	if (verdict != VERDICT_OK)
		transaction_finish(t, verdict);
}

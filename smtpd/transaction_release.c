/*
 * What its sender wanted to go later (RFC 4865), for recipients of ours: the
 * spool had it until now, and hands it over as a transaction without a front.
 * Aliases and accounts are those of now, and each recipient has a verdict of
 * his own.
 */
#include "smtpd/transaction_state.h"

#include "common/clock.h"
#include "common/codec.h"
#include "common/memory.h"
#include "common/record.h"
#include "common/smtp_verdict.h"

#include <unistd.h>

enum {
	STEP = 61440,
	MAX_RECIPIENTS = 100 /* as in the row `due_routed` */
};

static void
make_release_prefix(struct mail_body *body, struct buf *prefix, void *context)
{
	const struct transaction *t = context;

	(void)buf_put_format(prefix, "Return-Path: <%s>\n", t->sender);
}

static struct transaction *
release_new(struct queue *queue, const struct message_spool_due *release)
{
	struct transaction *t = memory_new(1, sizeof(*t));
	struct text none = text_make(NULL, 0);

	t->queue = queue;
	t->release = release->job;
	t->flags = release->flags & TRANSACTION_ASKED;
	t->sender = transaction_copy_text(release->sender);
	t->helo = transaction_copy_text(none);
	t->client_ip = transaction_copy_text(none);
	t->tls = transaction_copy_text(none);
	t->envelope_id = transaction_copy_text(release->envelope_id);
	t->delivery = release->delivery;
	t->time = clock_wall_us() / 1000000;
	buf_init(&t->recipients, TRANSACTION_RECIPIENTS_SIZE);
	buf_init(&t->verdicts, 2 * MAX_RECIPIENTS);
	outgoing_init(&t->outgoing);
	mail_body_init(&t->body, make_release_prefix, t);
	t->body.is_exact = t->flags & TRANSACTION_BINARYMIME;
	return t;
}

static void
note(struct transaction *t, unsigned int verdict)
{
	uint16_t number = (uint16_t)verdict;

	(void)buf_put(&t->verdicts, &number, sizeof(number));
}

/* VERDICT_OK if somebody gets it; else the last word. */
static unsigned int
add_recipients(struct transaction *t, struct text records)
{
	struct outgoing_record record;
	unsigned int verdict, result = VERDICT_NO_RECIPIENTS;
	struct reader reader;

	reader_init(&reader, records.data, records.size);
	while (t->verdicts.size < sizeof(uint16_t) * MAX_RECIPIENTS &&
	       record_get_outgoing(&reader, &record) == 1) {
		const struct message_transaction_recipient given = {
			.address = record.address,
			.notify = record.notify,
			.original = record.original
		};

		verdict = transaction_recipient(t, &given);
		note(t, verdict);
		if (result != VERDICT_OK)
			result = verdict;
	}
	return result;
}

static unsigned int
put_body(struct transaction *t, int fd, uint64_t size)
{
	unsigned int verdict = VERDICT_OK;
	uint8_t *bytes = memory_new(1, STEP);
	uint64_t offset = 0;
	ssize_t got;

	while (verdict == VERDICT_OK && offset < size) {
		got = pread(fd, bytes, STEP, (off_t)offset);
		if (got <= 0)
			verdict = VERDICT_UNAVAILABLE;
		else
			verdict =
			    transaction_put(t, text_make(bytes, (size_t)got));
		offset += got > 0 ? (uint64_t)got : 0;
	}
	memory_free(&bytes);
	return verdict;
}

void
transaction_release(
    struct queue *queue, const struct message_spool_due *release, int fd)
{
	struct transaction *t = release_new(queue, release);
	unsigned int verdict = transaction_store_verdict(queue);
	struct error error;

	if (verdict == VERDICT_OK)
		verdict = add_recipients(t, release->recipients);
	if (verdict == VERDICT_OK)
		verdict = put_body(t, fd, release->size);
	if (verdict == VERDICT_OK && mail_body_finish(&t->body, &error) == -1)
		verdict = VERDICT_BUSY;
	if (verdict == VERDICT_OK)
		verdict = transaction_check_quotas(t);
	if (verdict == VERDICT_OK && t->body.is_exact && t->count > 0 &&
	    transaction_convert(t, &error) == -1)
		verdict = VERDICT_BINARY;
	if (verdict == VERDICT_OK)
		verdict = transaction_hand_over(t);
	if (verdict != VERDICT_OK)
		transaction_finish(t, verdict);
}

/* Who was taken shares the fate of the message. */
void
transaction_say_released(struct transaction *t, unsigned int verdict)
{
	struct message message = { .type = MESSAGE_due_routed };
	uint16_t *verdicts = (uint16_t *)(void *)t->verdicts.data;

	for (size_t i = 0; i < t->verdicts.size / sizeof(*verdicts); i++)
		if (verdicts[i] == VERDICT_OK)
			verdicts[i] = (uint16_t)verdict;
	if (t->queue->spool == NULL)
		return; /* its successor has it released again */
	message.due_routed.job = t->release;
	message.due_routed.verdicts =
	    text_make(t->verdicts.data, t->verdicts.size);
	(void)channel_send(t->queue->spool, &message, NULL, 0);
}

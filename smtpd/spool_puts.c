/*
 * See spool_puts.h.
 */
#include "smtpd/spool_puts.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/pool.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool.h"
#include "smtpd/spool_sent.h"
#include "smtpd/spool_undecided.h"
#include "smtpd/spool_writer.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct spool_puts {
	struct spool *spool;
	struct spool_writer *writer;
};

/* A message that waits for its body's file, then for its commit. */
struct put {
	struct spool_change change;
	struct spool_writing writing;
	struct spool *spool;
	uint64_t queue; /* its instance: it may be gone by then */
	uint64_t tag;
	struct pool *pool;
	struct spool_mail mail;
	uint64_t id; /* 0: it was there before */
	struct spool_arrival arrival;
};

static struct put *
put_of(struct spool_writing *writing)
{
	return (struct put *)((char *)writing - offsetof(struct put, writing));
}

/* -- Its end -- */

static void
answer(const struct put *put, enum status status)
{
	struct message message = { .type = MESSAGE_spool_kept };
	struct spool *spool = put->spool;
	struct channel *queue = spool_find_queue(spool, put->queue);
	struct error error;
	char id[33];

	text_format_hex(put->mail.delivery.bytes, 16, id);
	log_info(status == STATUS_OK ? "mail-queued" : "mail-not-queued",
	    "qid=%s account=%u size=%llu status=%s", id, put->mail.account,
	    (unsigned long long)put->mail.size, status_name(status));
	message.spool_kept.tag = put->tag;
	message.spool_kept.status = (uint8_t)status;
	message.spool_kept.account = put->mail.account;
	(void)spool_sent_find(spool_store_env(spool->store), put->mail.account,
	    spool_now() / 1000, &message.spool_kept.sent, &error);
	if (queue != NULL)
		(void)channel_send(queue, &message, NULL, 0);
}

static void
put_free(struct put *put)
{
	if (put->mail.fd != -1)
		close(put->mail.fd);
	pool_free(&put->pool);
	free(put);
}

static void
end(struct put *put, enum status status)
{
	struct spool *spool = put->spool;
	bool is_new = status == STATUS_OK && put->id != 0;

	answer(put, status);
	if (is_new && put->mail.decider != 0)
		spool_undecided_add(spool->undecided, put->id, put->queue,
		    spool_find_queue(spool, put->queue) == NULL);
	else if (is_new)
		spool_arrived(spool, put->id, &put->arrival);
	else if (put->mail.id != 0)
		spool_store_drop_body(spool->store, put->mail.id);
	put_free(put);
}

/* -- Its rows -- */

static uint32_t
limit_of(const struct spool *spool, uint32_t number)
{
	const struct account *account = NULL;

	if (spool->options.accounts != NULL)
		account = account_find_number(spool->options.accounts, number);
	return account != NULL ? account->send_per_day : 0;
}

static int
apply(struct spool_change *change, struct error *error)
{
	struct put *put = (struct put *)change;
	struct spool_store *store = put->spool->store;
	uint64_t id;
	int result;

	put->id = 0;
	put->mail.send_per_day = limit_of(put->spool, put->mail.account);
	if (!spool_store_has_room(store, put->mail.size))
		return error_set(error, ERROR_FULL, "the spool is full");
	result = spool_store_put(store, &put->mail, &id, error);
	if (result == 1)
		put->id = id;
	put->arrival.report_count = 0;
	if (result == 1 && put->mail.decider == 0 &&
	    put->mail.flags & TRANSACTION_TELLS)
		result = spool_arrive_now(put->spool, id, &put->arrival, error);
	return result == -1 ? -1 : 0;
}

static void
done(struct spool_change *change, enum status status)
{
	end((struct put *)change, status);
}

/* -- Its body -- */

/* A disk that failed ends the process, as at a commit. */
static void
written(struct spool_writing *writing)
{
	struct put *put = put_of(writing);
	struct spool_round *round = put->spool->round;
	enum status status;

	if (writing->result == 0) {
		spool_round_add(round, &put->change);
		return;
	}
	status = spool_round_status(&writing->error);
	if (writing->error.code == ERROR_SYSTEM)
		spool_round_fail(round, &writing->error);
	if (spool_round_is_failed(round))
		put_free(put);
	else
		end(put, status);
}

static void
write_body(struct spool_puts *puts, struct put *put)
{
	put->mail.id = spool_store_new_id(puts->spool->store);
	put->writing = (struct spool_writing){ .id = put->mail.id,
		.size = put->mail.size,
		.fd = put->mail.fd,
		.done = written };
	spool_writer_add(puts->writer, &put->writing);
}

/* -- Its start -- */

static struct text
copy(struct pool *pool, struct text text)
{
	return text_make(pool_copy(pool, text.data, text.size), text.size);
}

void
spool_puts_take(struct spool_puts *puts, uint64_t queue,
    const struct message_spool_put *said, int *fds)
{
	struct put *put = memory_new(1, sizeof(*put));

	put->change.apply = apply;
	put->change.done = done;
	put->spool = puts->spool;
	put->queue = queue;
	put->tag = said->tag;
	put->pool = pool_new();
	put->mail = (struct spool_mail){
		.delivery = said->delivery,
		.time = said->time,
		.next = said->not_before,
		.deliver_by = said->deliver_by,
		.priority = (int8_t)said->priority,
		.account = said->account,
		.flags = said->flags,
		.sender = copy(put->pool, said->sender),
		.envelope_id = copy(put->pool, said->envelope_id),
		.recipients = copy(put->pool, said->recipients),
		.size = said->size,
		.data = copy(put->pool, said->data),
		.fd = fds[0],
		.decider = said->decider,
		.origin = copy(put->pool, said->origin),
		.origin_until = said->origin_until,
	};
	fds[0] = -1;
	if (put->mail.fd != -1 && spool_store_wants_file(&put->mail))
		write_body(puts, put);
	else
		spool_round_add(puts->spool->round, &put->change);
}

struct spool_puts *
spool_puts_new(struct spool *spool)
{
	struct spool_puts *puts = memory_new(1, sizeof(*puts));

	puts->spool = spool;
	puts->writer = spool_writer_new(
	    spool->loop, spool_store_body_folder(spool->store));
	return puts;
}

void
spool_puts_free(struct spool_puts **puts)
{
	if (*puts == NULL)
		return;
	spool_writer_free(&(*puts)->writer);
	memory_free(puts);
}

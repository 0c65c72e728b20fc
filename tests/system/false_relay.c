/*
 * A relay that goes nowhere: what becomes of a recipient stands in the address.
 * It is started in the place of smtpd-relay (tests/instance --replace), and
 * says in the log what it was given, so that a test can count.
 *
 *   ok@      taken                 passed@  taken by one without DSN
 *   late@    deferred, 450         no@      refused for good, 550
 *   wait@    not answered          die@     it dies of it
 *   anybody @dead.test             nobody is there
 */
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/record.h"
#include "common/relay_route.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct channel *spool;

static const struct {
	const char *start;
	enum relay_outcome outcome;
	unsigned int code;
	const char *enhanced;
	const char *text;
} rows[] = {
	{ "ok", RELAY_DELIVERED, 250, "2.1.5", "Ok" },
	{ "passed", RELAY_PASSED_ON, 250, "2.1.5", "Ok" },
	{ "late", RELAY_DEFERRED, 450, "4.2.1", "Come again" },
	{ "no", RELAY_FAILED, 550, "5.1.1", "No such user" },
};

static void
say_recipient(uint64_t job, unsigned int number, struct text address)
{
	struct message message = { .type = MESSAGE_relay_recipient };
	struct message_relay_recipient *said = &message.relay_recipient;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!text_starts_nocase(address, rows[i].start))
			continue;
		said->job = job;
		said->recipient = (uint16_t)number;
		said->outcome = (uint8_t)rows[i].outcome;
		said->code = (uint16_t)rows[i].code;
		said->enhanced = text_of(rows[i].enhanced);
		said->text = text_of(rows[i].text);
		said->host = TEXT("mx.false.test");
		(void)channel_send(spool, &message, NULL, 0);
	}
}

static void
take_job(const struct message_relay_job *job)
{
	struct message done = { .type = MESSAGE_relay_done };
	bool is_dead = text_is(job->domain, "dead.test");
	struct outgoing_record record;
	struct reader reader;
	char id[33];

	text_format_hex(job->delivery.bytes, 16, id);
	reader_init(&reader, job->recipients.data, job->recipients.size);
	for (unsigned int i = 0; record_get_outgoing(&reader, &record) == 1;
	     i++) {
		log_info("false-relay", "qid=%s to=%.*s size=%llu", id,
		    TEXT_FMT(record.address), (unsigned long long)job->size);
		if (text_starts_nocase(record.address, "wait"))
			return;
		if (text_starts_nocase(record.address, "die"))
			_exit(0);
		if (!is_dead)
			say_recipient(job->job, i, record.address);
	}
	done.relay_done.job = job->job;
	if (is_dead) {
		done.relay_done.trouble = RELAY_DESTINATION_TROUBLE;
		done.relay_done.text = TEXT("nobody is there");
	}
	(void)channel_send(spool, &done, NULL, 0);
}

static void
spool_says(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_relay_job)
		take_job(&message->relay_job);
}

static void
spool_gone(struct channel *channel, const struct error *error, void *context)
{
	channel_free(&spool);
}

static const struct channel_handler spool_handler = { spool_says, spool_gone };

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_stop)
		event_loop_stop(loop);
	if (message->type != MESSAGE_introduce ||
	    message->introduce.role != ROLE_SPOOL || fds[0] == -1)
		return;
	channel_free(&spool);
	spool = channel_new(
	    loop, fds[0], ROLE_RELAY, ROLE_SPOOL, &spool_handler, NULL);
	fds[0] = -1;
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

int
main(void)
{
	static const struct channel_handler handler = { received, closed };
	struct process process;
	struct channel *starter;
	uint32_t walls;

	process_begin(&process, ROLE_RELAY);
	walls = process_confine(&process);
	loop = event_loop_new();
	starter = process_ready(&process, loop, walls, &handler, NULL);
	event_loop_run(loop);
	channel_free(&spool);
	channel_free(&starter);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

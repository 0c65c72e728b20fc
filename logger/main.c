/*
 * logger: everybody's log lines come in by channels that say who sends, and go
 * out to syslog's socket or stderr with role, pid and account in front.  It
 * holds nothing else, trusts no field but level and text, and never waits: a
 * line that cannot be written is counted, and the count is written later.
 */
#include "logger/log_output.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	GATHER_NS = 1000 * 1000,
	GATHER_LINES = 32 /* in a round: so many are no reason to wait */
};

struct sender {
	struct channel *channel;
	struct log_sender who;
	uint64_t instance;
};

static struct event_loop *loop;
static struct log_output output;
static unsigned int lines; /* of this round */

static void add_sender(const struct message *message, int *fds);

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct sender *sender = context;

	if (message->type == MESSAGE_introduce) {
		add_sender(message, fds);
	} else if (message->type == MESSAGE_log_line && sender != NULL) {
		log_output_write(&output, &sender->who, &message->log_line);
		lines++;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct sender *sender = context;

	process_peer_closed(
	    error, sender->who.role, sender->who.account, sender->instance);
	if (error->code == ERROR_INPUT)
		log_output_complain(&output, &sender->who, error->text);
	channel_free(&sender->channel);
	free(sender);
}

static const struct channel_handler handler = { received, closed };

static void
add_sender(const struct message *message, int *fds)
{
	const struct message_introduce *introduce = &message->introduce;
	struct sender *sender;

	if (fds[0] == -1 || introduce->role >= ROLE_COUNT)
		return;
	sender = memory_new(1, sizeof(*sender));
	sender->who.role = (enum role)introduce->role;
	sender->who.pid = introduce->pid;
	sender->who.account = introduce->account;
	sender->instance = introduce->instance;
	sender->channel = channel_new(
	    loop, fds[0], ROLE_LOGGER, sender->who.role, &handler, sender);
	fds[0] = -1;
}

/* What others say meanwhile is read in one go: to be woken for each line would
 * cost as much again, on a processor that they may want. */
static void
gather(void *context)
{
	static const struct timespec moment = { .tv_nsec = GATHER_NS };

	if (lines > 0 && lines < GATHER_LINES)
		(void)nanosleep(&moment, NULL);
	lines = 0;
}

/* What was sent before `stop` is still in the channels: one more round. */
static void
last_round(void *context)
{
	event_loop_stop(loop);
}

static void
from_master(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_stop)
		timer_start(timer_new(loop, last_round, NULL), 20);
	else
		received(channel, message, fds, NULL);
}

static void
master_gone(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

static const struct channel_handler master_handler = { from_master,
	master_gone };

int
main(void)
{
	struct process process;
	uint32_t walls;

	process_begin(&process, ROLE_LOGGER);
	log_output_open(&output, process_take(&process, START_SYSLOG, 0));
	walls = process_confine(&process);
	loop = event_loop_new();
	process_ready(&process, loop, walls, &master_handler, NULL);
	event_loop_on_round(loop, gather, NULL);
	event_loop_run(loop);
	return 0;
}

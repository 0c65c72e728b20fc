/*
 * smtpd-relay
 */
#include "common/process.h"

#include <stdlib.h>

static struct event_loop *loop;

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_stop)
		event_loop_stop(loop);
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
	channel_free(&starter);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

/*
 * A process that begins, shuts its sandbox, says ready, and then does nothing:
 * what a role is before it has any work.  But a queue asks for the worker of
 * account 1, and an imapd attaches a connection that nobody granted.  Its role comes from the name it was
 * started under (firnmail-ROLE).
 */
#include "common/log.h"
#include "common/process.h"

#include <string.h>

static struct event_loop *loop;

static enum role self;

static const struct channel_handler peer_handler;

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_introduce && fds[0] != -1) {
		enum role peer = (enum role)message->introduce.role;

		log_info("introduced", "peer=%s", role_name(peer));
		channel_new(loop, fds[0], self, peer, &peer_handler, NULL);
		fds[0] = -1;
	}
	if (message->type == MESSAGE_worker_started)
		log_info("worker-started", "status=%u",
		    message->worker_started.status);
	if (message->type == MESSAGE_attached)
		log_info("attached", "status=%u", message->attached.status);
	if (message->type == MESSAGE_settings)
		log_info("settings", "generation=%llu",
		    (unsigned long long)message->settings.generation);
	if (message->type == MESSAGE_stop)
		event_loop_stop(loop);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

static void
peer_closed(struct channel *channel, const struct error *error, void *context)
{
	channel_free(&channel);
}

static const struct channel_handler peer_handler = { received, peer_closed };
static const struct channel_handler handler = { received, closed };

static void
ask(struct channel *starter)
{
	struct message message = { .type = MESSAGE_need_worker };

	if (self == ROLE_QUEUE) {
		message.need_worker.account = 1;
		(void)channel_send(starter, &message, NULL, 0);
	}
	if (self == ROLE_IMAPD) {
		message.type = MESSAGE_attach;
		message.attach.connection = 7;
		(void)channel_send(starter, &message, NULL, 0);
	}
}

int
main(int argc, char **argv)
{
	const char *dash = argc > 0 ? strchr(argv[0], '-') : NULL;
	enum role role = ROLE_COUNT;
	struct process process;
	uint32_t walls;

	for (int i = 0; dash != NULL && i < ROLE_COUNT; i++)
		if (strcmp(role_name((enum role)i), dash + 1) == 0)
			role = (enum role)i;
	if (role == ROLE_COUNT)
		fatal("what=\"no role in the name\"");
	self = role;
	process_begin(&process, role);
	walls = process_confine(&process);
	loop = event_loop_new();
	ask(process_ready(&process, loop, walls, &handler, NULL));
	event_loop_run(loop);
	return 0;
}

/*
 * A process that begins, shuts its sandbox, says ready, and then does nothing:
 * what a role is before it has any work.  But a queue asks for the worker of
 * account 2, then of 1 (there is one place: 2, who says that it idles, has to
 * go), and an imapd attaches a connection that nobody granted.  Its role comes
 * from the name it was started under (firnmail-ROLE).
 */
#include "common/log.h"
#include "common/process.h"
#include "common/status.h"

#include <string.h>

static struct event_loop *loop;

static enum role self;

static struct channel *starter;

static struct timer *asking;

static uint32_t wanted = 2;

static const struct channel_handler peer_handler;

static void
ask_worker(void *context)
{
	struct message message = { .type = MESSAGE_need_worker };

	message.need_worker.account = wanted;
	(void)channel_send(starter, &message, NULL, 0);
}

/* The first may not have said yet that it idles: once more, later. */
static void
worker_started(const struct message_worker_started *said)
{
	log_info("worker-started", "account=%u status=%u", said->account,
	    said->status);
	if (said->status == STATUS_OK && said->account == 1)
		return;
	if (said->status == STATUS_OK)
		wanted = 1;
	timer_start(asking, 50);
}

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
		worker_started(&message->worker_started);
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
ask(void)
{
	struct message message = { .type = MESSAGE_worker_idle };

	if (self == ROLE_QUEUE)
		ask_worker(NULL);
	if (self == ROLE_WORKER)
		(void)channel_send(starter, &message, NULL, 0);
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
	asking = timer_new(loop, ask_worker, NULL);
	starter = process_ready(&process, loop, walls, &handler, NULL);
	ask();
	event_loop_run(loop);
	return 0;
}

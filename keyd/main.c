/*
 * keyd: holds the private keys and signs TLS handshakes for the fronts.  It
 * reads the keys from descriptors that master opened, shuts its sandbox and
 * then knows nothing but its channels: master's, from which it gets new keys
 * and the broker; the broker's, which introduces each front; and theirs.
 */
#include "common/log.h"
#include "common/process.h"
#include "keyd/key_requests.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct channel *master;
static struct channel *broker; /* NULL while there is none */
static struct key_requests *requests;

/* Master knows the broker, who started the front and ends it. */
static void
tell_misbehaved(enum role role, uint64_t instance, void *context)
{
	struct message message = { .type = MESSAGE_misbehaved };

	message.misbehaved.role = (uint8_t)role;
	message.misbehaved.instance = instance;
	(void)channel_send(master, &message, NULL, 0);
}

/* -- The broker -- */

static void
from_broker(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_introduce *introduce = &message->introduce;
	int fd = fds[0];

	if (message->type != MESSAGE_introduce || fd == -1)
		return;
	fds[0] = -1;
	if (key_requests_serve(requests, fd, (enum role)introduce->role,
		introduce->instance) == -1)
		log_alarm("introduce-refused", "role=%u", introduce->role);
}

/* The fronts are his and end with him; master starts the next one. */
static void
broker_closed(struct channel *channel, const struct error *error, void *context)
{
	channel_free(&broker);
}

static void
set_broker(int *fd)
{
	static const struct channel_handler handler = { from_broker,
		broker_closed };

	channel_free(&broker);
	broker = channel_new(loop, *fd, ROLE_KEYD, ROLE_BROKER, &handler, NULL);
	*fd = -1;
}

/* -- Master -- */

/* All keys of a reload or none: a half-read set would sign with wrong ones. */
static void
new_keys(const struct message_settings *settings, const int *fds)
{
	struct keys *keys = keys_new();
	struct error error;

	for (size_t i = 0; i < settings->kinds.size; i++) {
		if (settings->kinds.data[i] != START_KEY ||
		    keys_add(keys, fds[i], &error) == 0)
			continue;
		log_error("reload", "why=\"%s\"", error.text);
		keys_free(&keys);
		return;
	}
	key_requests_set_keys(requests, keys);
}

static void
from_master(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	switch (message->type) {
	case MESSAGE_introduce:
		if (message->introduce.role == ROLE_BROKER && fds[0] != -1)
			set_broker(&fds[0]);
		break;
	case MESSAGE_settings:
		new_keys(&message->settings, fds);
		break;
	case MESSAGE_stop:
		event_loop_stop(loop);
		break;
	default:
		break;
	}
}

static void
master_closed(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

static struct keys *
take_keys(struct process *process)
{
	struct keys *keys = keys_new();
	struct error error;
	int fd;

	for (unsigned int n = 0;
	     (fd = process_take(process, START_KEY, n)) != -1; n++) {
		if (keys_add(keys, fd, &error) == -1)
			fatal("why=\"%s\"", error.text);
		close(fd);
	}
	return keys;
}

int
main(void)
{
	static const struct channel_handler handler = { from_master,
		master_closed };
	struct process process;
	struct keys *keys;
	uint32_t walls;

	process_begin(&process, ROLE_KEYD);
	keys = take_keys(&process);
	walls = process_confine(&process);
	loop = event_loop_new();
	requests = key_requests_new(loop, keys, tell_misbehaved, NULL);
	master = process_ready(&process, loop, walls, &handler, NULL);
	event_loop_run(loop);
	channel_free(&broker);
	key_requests_free(&requests);
	channel_free(&master);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

/*
 * keyd: holds the private keys and signs TLS handshakes for the fronts.  It
 * reads the keys from descriptors that master opened, shuts its sandbox and
 * then knows nothing but its channels.
 */
#include "common/log.h"
#include "common/process.h"
#include "keyd/key_requests.h"
#include "keyd/keys.h"

#include <stdlib.h>
#include <unistd.h>

struct keyd {
	struct event_loop *loop;
	struct keys *keys;
};

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct keyd *keyd = context;

	if (message->type == MESSAGE_stop) {
		event_loop_stop(keyd->loop);
	} else if (message->type == MESSAGE_introduce && fds[0] != -1) {
		int fd = fds[0];

		fds[0] = -1;
		if (key_requests_serve(keyd->loop, fd,
			(enum role)message->introduce.role, keyd->keys) == -1)
			log_error("introduce-refused", "role=%u",
			    message->introduce.role);
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct keyd *keyd = context;

	event_loop_stop(keyd->loop);
}

int
main(void)
{
	static const struct channel_handler handler = { received, closed };
	struct process process;
	struct error error;
	struct keyd keyd;
	uint32_t walls;
	int fd;

	process_begin(&process, ROLE_KEYD);
	keyd.keys = keys_new();
	for (;;) {
		fd = process_take(&process, START_KEY, 0);
		if (fd == -1)
			break;
		if (keys_add(keyd.keys, fd, &error) == -1)
			fatal("%s", error.text);
		close(fd);
	}
	walls = process_confine(&process);
	keyd.loop = event_loop_new();
	(void)process_ready(&process, keyd.loop, walls, &handler, &keyd);
	event_loop_run(keyd.loop);
	keys_free(&keyd.keys);
	return EXIT_SUCCESS;
}

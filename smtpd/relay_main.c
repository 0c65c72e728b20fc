/*
 * smtpd-relay: takes mail to other hosts.  It opens streams to the network,
 * whose bytes it trusts nobody for, and has no file but the bodies that it is
 * given.
 */
#include "common/log.h"
#include "common/process.h"
#include "common/settings_slices.h"
#include "smtpd/relay.h"

#include <stdlib.h>

static struct event_loop *loop;
static struct relay *relay;
static struct settings_slices slices;

static void
reload(const struct message_settings *said, const int *fds)
{
	struct settings_slices fresh;

	if (settings_slices_read(&fresh, &slices, said, fds) == -1)
		return;
	relay_reload(relay, fresh.settings);
	settings_slices_replace(&slices, &fresh);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_introduce) {
		if (fds[0] != -1 && relay_introduce(relay, fds[0],
					(enum role)message->introduce.role,
					message->introduce.instance))
			fds[0] = -1;
	} else if (message->type == MESSAGE_settings) {
		reload(&message->settings, fds);
	} else if (message->type == MESSAGE_stop) {
		relay_stop(relay);
	}
}

/* Without master there is nobody who would start what is missing. */
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
	struct error error;
	uint32_t walls;

	process_begin(&process, ROLE_RELAY);
	settings_slices_take(&slices, &process);
	walls = process_confine(&process);
	loop = event_loop_new();
	relay = relay_new(loop, slices.settings, &relay_default_limits, &error);
	if (relay == NULL)
		fatal("TLS: %s", error.text);
	starter = process_ready(&process, loop, walls, &handler, NULL);
	event_loop_run(loop);
	relay_free(&relay);
	channel_free(&starter);
	settings_slices_clear(&slices);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

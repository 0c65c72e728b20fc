/*
 * smtpd: the front of SMTP.  Talks to clients on 25, 465 and 587, parses what
 * they say and hands it on to the queue.  It runs in an empty root, opens no
 * connection and keeps nothing.
 */
#include "common/log.h"
#include "common/process.h"
#include "common/settings_slices.h"
#include "smtpd/smtp_front.h"

#include <stdlib.h>

static struct event_loop *loop;
static struct smtp_front *front;
static struct settings_slices slices;

/* The settings stand before the listeners, which are all there are from now
 * on: connections of the others live on. */
static void
reload(const struct message_settings *said, int *fds)
{
	struct settings_slices fresh;
	bool has_listeners = false;

	if (settings_slices_read(&fresh, &slices, said, fds) == 0) {
		smtp_front_reload(front, fresh.settings);
		settings_slices_replace(&slices, &fresh);
	}
	for (size_t i = 0; i < said->kinds.size; i++) {
		if (said->kinds.data[i] != START_LISTENER)
			continue;
		if (!has_listeners)
			smtp_front_stop_listening(front);
		has_listeners = true;
		smtp_front_listen(front, fds[i]);
		fds[i] = -1;
	}
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_introduce) {
		if (fds[0] != -1 && smtp_front_introduce(front, fds[0],
					(enum role)message->introduce.role,
					message->introduce.instance))
			fds[0] = -1;
	} else if (message->type == MESSAGE_settings) {
		reload(&message->settings, fds);
	} else if (message->type == MESSAGE_stop) {
		smtp_front_stop(front);
	}
}

/* Without the broker there is nobody to hand mail to. */
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
	unsigned int place;
	uint32_t walls;
	int fd;

	process_begin(&process, ROLE_SMTPD);
	settings_slices_take(&slices, &process);
	loop = event_loop_new();
	front = smtp_front_new(loop, slices.settings);
	for (place = 0;
	     (fd = process_take(&process, START_LISTENER, place)) != -1;
	     place++)
		smtp_front_listen(front, fd);
	walls = process_confine(&process);
	starter = process_ready(&process, loop, walls, &handler, NULL);
	event_loop_run(loop);
	smtp_front_free(&front);
	channel_free(&starter);
	settings_slices_clear(&slices);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

/*
 * smtpd: the front of SMTP.  Talks to clients on 25, 465 and 587, parses what
 * they say and hands it on to the queue.  It runs in an empty root, opens no
 * connection and keeps nothing.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"
#include "smtpd/smtp_listener.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct smtp_front *front;
static struct settings *settings;
static struct smtp_listener *listeners[SETTINGS_MAX_LISTENERS];

static void
reload(const struct message_settings *said, int *fds)
{
	struct settings *fresh;
	struct error error;
	size_t i;

	for (i = 0; i < said->kinds.size; i++) {
		if (said->kinds.data[i] != START_SETTINGS)
			continue;
		fresh = settings_read_slice(fds[i], &error);
		if (fresh == NULL) {
			log_error("reload", "why=\"%s\"", error.text);
			return;
		}
		smtp_front_reload(front, fresh);
		settings_free(&settings);
		settings = fresh;
	}
}

static void
stop(void)
{
	size_t i;

	for (i = 0; i < SETTINGS_MAX_LISTENERS; i++)
		smtp_listener_free(&listeners[i]);
	smtp_front_stop(front);
	event_loop_stop(loop);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_introduce) {
		if (fds[0] != -1 && smtp_front_introduce(front, fds[0],
					(enum role)message->introduce.role))
			fds[0] = -1;
	} else if (message->type == MESSAGE_settings) {
		reload(&message->settings, fds);
	} else if (message->type == MESSAGE_stop) {
		stop();
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	stop();
}

/* The n-th listener is the n-th `listen` line that is ours. */
static void
make_listeners(struct process *process)
{
	unsigned int n = 0;
	size_t i;
	int fd;

	for (i = 0; i < settings->listener_count; i++) {
		if (settings->listeners[i].service == SERVICE_IMAP)
			continue;
		fd = process_take(process, START_LISTENER, n);
		if (fd == -1)
			fatal("no socket for listener %u", n);
		listeners[n++] =
		    smtp_listener_new(front, fd, &settings->listeners[i]);
	}
}

int
main(void)
{
	static const struct channel_handler handler = { received, closed };
	struct process process;
	struct channel *starter;
	struct error error;
	uint32_t walls;
	int fd;

	process_begin(&process, ROLE_SMTPD);
	fd = process_take(&process, START_SETTINGS, 0);
	settings = settings_read_slice(fd, &error);
	if (settings == NULL)
		fatal("settings: %s", error.text);
	close(fd);
	loop = event_loop_new();
	front = smtp_front_new(loop, settings);
	make_listeners(&process);
	walls = process_confine(&process);
	starter = process_ready(&process, loop, walls, &handler, NULL);
	event_loop_run(loop);
	smtp_front_free(&front);
	channel_free(&starter);
	settings_free(&settings);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

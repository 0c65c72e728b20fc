/*
 * smtpd-spool: mail for other hosts, until it has gone.  Started by master with
 * the queue's folder as its root; it has no network.
 */
#include "common/control_socket.h"
#include "common/log.h"
#include "common/process.h"
#include "common/settings_slices.h"
#include "smtpd/spool.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct spool *spool;
static struct settings_slices slices;
static bool is_failed;

static void
reload(const struct message_settings *said, const int *fds)
{
	struct settings_slices fresh;

	if (settings_slices_read(&fresh, &slices, said, fds) == -1)
		return;
	spool_configure(spool, fresh.settings, fresh.accounts);
	settings_slices_replace(&slices, &fresh);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_introduce *introduce = &message->introduce;

	if (message->type == MESSAGE_settings) {
		reload(&message->settings, fds);
	} else if (message->type == MESSAGE_stop) {
		event_loop_stop(loop);
	} else if (message->type == MESSAGE_introduce && fds[0] != -1 &&
		   introduce->role != ROLE_QUEUE) {
		/* Queues are the broker's to introduce. */
		spool_introduce(spool, (enum role)introduce->role,
		    introduce->instance, fds[0]);
		fds[0] = -1;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

static void
accept_control(int fd, int events, void *context)
{
	int client = control_socket_accept(fd, NULL);

	if (client != -1)
		spool_add_control(spool, client);
}

static void
failed(void *context)
{
	is_failed = true;
	event_loop_stop(loop);
}

int
main(void)
{
	static const struct channel_handler handler = { received, closed };
	struct spool_options options = { .path = ".", .failed = failed };
	struct watch *control = NULL;
	struct process process;
	struct channel *starter;
	struct error error;
	uint32_t walls;
	int control_fd;

	process_begin(&process, ROLE_SPOOL);
	settings_slices_take(&slices, &process);
	control_fd = process_take(&process, START_CONTROL, 0);
	walls = process_confine(&process);
	options.settings = slices.settings;
	options.accounts = slices.accounts;
	loop = event_loop_new();
	spool = spool_new(loop, &options, &error);
	if (spool == NULL)
		fatal("spool: %s", error.text);
	starter = process_ready(&process, loop, walls, &handler, NULL);
	if (control_fd != -1)
		control = watch_new(
		    loop, control_fd, WATCH_READ, accept_control, NULL);
	event_loop_run(loop);
	watch_free(&control);
	spool_free(&spool);
	/* Last: master kills who closes his channel and is still there. */
	channel_free(&starter);
	settings_slices_clear(&slices);
	event_loop_free(&loop);
	return is_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

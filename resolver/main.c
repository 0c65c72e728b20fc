/*
 * resolver: the names of the DNS, for the relay and the fetcher.  It is the one
 * process that speaks the DNS: master starts it and introduces those who ask;
 * it has no file, and nothing to say but answers.  The administrator's command
 * asks on a control socket.
 */
#include "common/control_socket.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/settings_slices.h"
#include "resolver/lookups.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct lookups *lookups;
static struct settings_slices slices;

/* What is in the cache came from those who were asked before: it goes. */
static void
new_settings(const struct message_settings *said, const int *fds)
{
	struct settings_slices fresh;
	struct recursor *recursor;
	struct error error;

	if (settings_slices_read(&fresh, &slices, said, fds) == -1)
		return;
	recursor = recursor_new(loop, fresh.settings, &error);
	if (recursor == NULL) {
		log_error("reload", "why=\"%s\"", error.text);
		settings_slices_clear(&fresh);
		return;
	}
	lookups_set_recursor(lookups, recursor);
	settings_slices_replace(&slices, &fresh);
	/* The old one took as much, and lies below the new one. */
	memory_give_back();
}

static void
from_master(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_introduce *introduce = &message->introduce;
	int fd = fds[0];

	switch (message->type) {
	case MESSAGE_introduce:
		if (fd == -1)
			break;
		fds[0] = -1;
		if (lookups_serve(lookups, fd, (enum role)introduce->role,
			introduce->instance) == -1)
			log_alarm(
			    "introduce-refused", "role=%u", introduce->role);
		break;
	case MESSAGE_settings:
		new_settings(&message->settings, fds);
		break;
	case MESSAGE_stop:
		event_loop_stop(loop);
		break;
	default:
		break;
	}
}

static void
accept_control(int fd, int events, void *context)
{
	int client = control_socket_accept(fd, NULL);

	if (client != -1)
		(void)lookups_serve(lookups, client, ROLE_FIRNMAIL, 0);
}

static void
master_closed(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

int
main(void)
{
	static const struct channel_handler handler = { from_master,
		master_closed };
	struct recursor *recursor;
	struct process process;
	struct channel *master;
	struct error error;
	struct watch *control = NULL;
	uint32_t walls;
	int control_fd;

	process_begin(&process, ROLE_RESOLVER);
	settings_slices_take(&slices, &process);
	control_fd = process_take(&process, START_CONTROL, 0);
	walls = process_confine(&process);
	loop = event_loop_new();
	recursor = recursor_new(loop, slices.settings, &error);
	if (recursor == NULL)
		fatal("why=\"%s\"", error.text);
	lookups = lookups_new(loop, recursor, LOOKUPS_DEADLINE_MS);
	master = process_ready(&process, loop, walls, &handler, NULL);
	if (control_fd != -1)
		control = watch_new(
		    loop, control_fd, WATCH_READ, accept_control, NULL);
	event_loop_run(loop);
	watch_free(&control);
	lookups_free(&lookups);
	channel_free(&master);
	settings_slices_clear(&slices);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

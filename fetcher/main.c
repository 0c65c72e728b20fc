/*
 * fetcher: HTTPS for the relay and the spool.  It is the one process with an
 * HTTP library in it: master starts it and introduces those who ask and the
 * resolver; it has no file and keeps nothing.
 */
#include "common/log.h"
#include "common/process.h"
#include "common/settings_slices.h"
#include "fetcher/fetches.h"

#include <stdlib.h>

static struct event_loop *loop;
static struct transfers *transfers;
static struct fetches *fetches;
static struct settings_slices slices;

static void
new_settings(const struct message_settings *said, const int *fds)
{
	struct settings_slices fresh;

	if (settings_slices_read(&fresh, &slices, said, fds) == -1)
		return;
	transfers_set_authorities(transfers, fresh.settings->ca_pem);
	settings_slices_replace(&slices, &fresh);
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
		if (fetches_meet(fetches, fd, (enum role)introduce->role,
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
master_closed(struct channel *channel, const struct error *error, void *context)
{
	event_loop_stop(loop);
}

int
main(void)
{
	static const struct channel_handler handler = { from_master,
		master_closed };
	struct process process;
	struct channel *master;
	uint32_t walls;

	process_begin(&process, ROLE_FETCHER);
	settings_slices_take(&slices, &process);
	transfers_prepare();
	walls = process_confine(&process);
	loop = event_loop_new();
	transfers = transfers_new(loop);
	transfers_set_authorities(transfers, slices.settings->ca_pem);
	fetches = fetches_new(loop, transfers, FETCHES_DEADLINE_MS);
	master = process_ready(&process, loop, walls, &handler, NULL);
	event_loop_run(loop);
	fetches_free(&fetches);
	channel_free(&master);
	settings_slices_clear(&slices);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

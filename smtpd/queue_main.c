/*
 * smtpd-queue: the router between the fronts, the snapshot store and the
 * workers.  It has no network and opens no file.
 */
#include "common/digest.h"
#include "common/log.h"
#include "common/process.h"
#include "common/settings_slices.h"
#include "smtpd/queue.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct queue *queue;
static struct settings_slices slices;

static void
reload(const struct message_settings *said, const int *fds)
{
	struct settings_slices fresh;

	if (settings_slices_read(&fresh, &slices, said, fds) == -1)
		return;
	queue_reload(queue, fresh.settings, fresh.accounts);
	settings_slices_replace(&slices, &fresh);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_settings)
		reload(&message->settings, fds);
	else if (message->type == MESSAGE_stop)
		queue_stop(queue);
	else
		queue_starter_says(queue, message, fds);
}

/* Without the broker there is nobody to work for: what was accepted lies in
 * the store, the rest was not answered. */
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
	uint32_t walls;

	process_begin(&process, ROLE_QUEUE);
	settings_slices_take(&slices, &process);
	digest_prepare();
	walls = process_confine(&process);
	loop = event_loop_new();
	queue = queue_new(loop, slices.settings, slices.accounts);
	starter = process_ready(&process, loop, walls, &handler, NULL);
	queue_set_starter(queue, starter);
	event_loop_run(loop);
	queue_set_starter(queue, NULL);
	queue_free(&queue);
	channel_free(&starter);
	settings_slices_clear(&slices);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

/*
 * smtpd-queue: the router between the fronts, the snapshot store and the
 * workers.  It has no network and opens no file.
 */
#include "common/digest.h"
#include "common/log.h"
#include "common/process.h"
#include "smtpd/queue.h"

#include <stdlib.h>
#include <unistd.h>

static struct event_loop *loop;
static struct queue *queue;
static struct settings *settings;
static struct account_table *accounts;

/* Both slices are read before either takes effect. */
static void
reload(const struct message_settings *said, int *fds)
{
	struct account_table *fresh_accounts = NULL;
	struct settings *fresh = NULL;
	struct error error;
	size_t i;

	for (i = 0; i < said->kinds.size; i++) {
		if (said->kinds.data[i] == START_SETTINGS && fresh == NULL)
			fresh = settings_read_slice(fds[i], &error);
		if (said->kinds.data[i] == START_ACCOUNTS &&
		    fresh_accounts == NULL)
			fresh_accounts = account_table_read(fds[i], &error);
	}
	if (fresh == NULL || fresh_accounts == NULL) {
		log_error("reload", "why=\"settings or accounts are unreadable"
				    "\"");
		settings_free(&fresh);
		account_table_free(&fresh_accounts);
		return;
	}
	queue_reload(queue, fresh, fresh_accounts);
	settings_free(&settings);
	account_table_free(&accounts);
	settings = fresh;
	accounts = fresh_accounts;
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

static void
take_slices(struct process *process)
{
	int settings_fd = process_take(process, START_SETTINGS, 0);
	int accounts_fd = process_take(process, START_ACCOUNTS, 0);
	struct error error;

	settings = settings_read_slice(settings_fd, &error);
	if (settings == NULL)
		fatal("settings: %s", error.text);
	accounts = account_table_read(accounts_fd, &error);
	if (accounts == NULL)
		fatal("accounts: %s", error.text);
	close(settings_fd);
	close(accounts_fd);
}

int
main(void)
{
	static const struct channel_handler handler = { received, closed };
	struct process process;
	struct channel *starter;
	uint32_t walls;

	process_begin(&process, ROLE_QUEUE);
	take_slices(&process);
	digest_prepare();
	walls = process_confine(&process);
	loop = event_loop_new();
	queue = queue_new(loop, settings, accounts);
	starter = process_ready(&process, loop, walls, &handler, NULL);
	queue_set_starter(queue, starter);
	event_loop_run(loop);
	queue_set_starter(queue, NULL);
	queue_free(&queue);
	channel_free(&starter);
	account_table_free(&accounts);
	settings_free(&settings);
	event_loop_free(&loop);
	return EXIT_SUCCESS;
}

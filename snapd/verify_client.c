/*
 * Asking snapd-verify: see verify_client.h.
 */
#include "snapd/verify_client.h"

#include "common/memory.h"
#include "snapd/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct verify_client {
	struct channel *channel; /* NULL: the process is gone */
	struct transaction *held;
	uint64_t tag;
	bool is_asked;
	struct verify_answer answer;
};

static void
take_first(void *context, const char *text)
{
	struct error *error = context;

	if (error->code == ERROR_NONE)
		error_set(
		    error, ERROR_DAMAGED, "the store is damaged: %s", text);
}

int
verify_before_open(const char *path, struct error *error)
{
	struct error first = { .code = ERROR_NONE };
	struct verify_options options = { .depth = VERIFY_CHEAP,
		.findings = { take_first, &first, 0 } };
	struct verify_result result;
	char data_path[4096];
	int fd, status;

	snprintf(data_path, sizeof(data_path), "%s/index/data.mdb", path);
	fd = open(data_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(error, "%s", data_path);
	status = verify_run(fd, &options, &result);
	close(fd);
	if (status != 0)
		*error = first;
	return status;
}

static void
finish(struct verify_client *client, const struct message_verify_done *done,
    const struct error *error)
{
	transaction_abort(&client->held);
	if (!client->is_asked)
		return;
	client->is_asked = false;
	client->answer.done(client->answer.context, done, error);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct verify_client *client = context;
	const struct verify_answer *answer = &client->answer;

	if (!client->is_asked)
		return;
	switch ((int)message->type) {
	case MESSAGE_verify_finding:
		if (answer->finding != NULL)
			answer->finding(
			    answer->context, message->verify_finding.text);
		break;
	case MESSAGE_verify_progress:
		if (answer->progress != NULL)
			answer->progress(answer->context,
			    message->verify_progress.done,
			    message->verify_progress.total);
		break;
	case MESSAGE_verify_done:
		if (message->verify_done.tag == client->tag)
			finish(client, &message->verify_done, NULL);
		break;
	default:
		break;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct verify_client *client = context;
	struct error why;

	error_set(&why, ERROR_UNAVAILABLE, "snapd-verify ended");
	channel_free(&client->channel);
	finish(client, NULL, &why);
}

static const struct channel_handler handler = { received, closed };

struct verify_client *
verify_client_new(struct event_loop *loop, int fd)
{
	struct verify_client *client = memory_new(1, sizeof(*client));

	client->channel =
	    channel_new(loop, fd, ROLE_SNAPD, ROLE_VERIFY, &handler, client);
	return client;
}

void
verify_client_free(struct verify_client **client)
{
	struct error why;

	if (*client == NULL)
		return;
	error_set(&why, ERROR_UNAVAILABLE, "snapd-verify was replaced");
	finish(*client, NULL, &why);
	channel_free(&(*client)->channel);
	memory_free(client);
}

int
verify_client_ask(struct verify_client *client, struct store *store,
    unsigned int percent, const struct verify_answer *answer,
    struct error *error)
{
	struct message message = { .type = MESSAGE_verify_start };
	uint8_t meta[PAGE_META_SIZE];

	if (client == NULL || client->channel == NULL)
		return error_set(
		    error, ERROR_UNAVAILABLE, "snapd-verify does not run");
	if (client->is_asked)
		return error_set(
		    error, ERROR_BUSY, "a verification is running");
	client->held = transaction_begin(store, false, error);
	if (client->held == NULL || transaction_read_meta(client->held, meta,
					sizeof(meta), error) != 0) {
		transaction_abort(&client->held);
		return -1;
	}
	message.verify_start.tag = ++client->tag;
	message.verify_start.depth = VERIFY_ALL;
	message.verify_start.percent = (uint8_t)(percent > 100 ? 100 : percent);
	message.verify_start.meta = text_make(meta, sizeof(meta));
	client->answer = *answer;
	client->is_asked = true;
	if (channel_send(client->channel, &message, NULL, 0) == 0)
		return 0;
	client->is_asked = false;
	transaction_abort(&client->held);
	return error_set(
	    error, ERROR_UNAVAILABLE, "snapd-verify does not answer");
}

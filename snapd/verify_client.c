/*
 * Asking snapd-verify: see verify_client.h.
 */
#include "snapd/verify_client.h"

#include "common/memory.h"
#include "snapd/segment_folder.h"
#include "snapd/segments.h"
#include "snapd/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct verify_client {
	struct channel *channel; /* NULL: the process is gone */
	struct transaction *held;
	struct segment_hold **holds; /* of the segments, as long */
	size_t hold_count;
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
let_go(struct verify_client *client)
{
	transaction_abort(&client->held);
	while (client->hold_count > 0)
		segment_hold_free(&client->holds[--client->hold_count]);
	memory_free(&client->holds);
}

static void
finish(struct verify_client *client, const struct message_verify_done *done,
    const struct error *error)
{
	let_go(client);
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

/* -- A question -- */

struct handing {
	struct verify_client *client;
	struct segments *segments;
	struct error *error;
};

static int
send_segment(struct handing *handing, uint32_t number, struct text meta, int fd)
{
	struct message message = { .type = MESSAGE_verify_segment };

	message.verify_segment.segment = number;
	message.verify_segment.meta = meta;
	if (channel_send(handing->client->channel, &message, &fd, 1) == 0)
		return 0;
	return error_set(
	    handing->error, ERROR_UNAVAILABLE, "snapd-verify does not answer");
}

/* One that is too damaged for LMDB: as it lies there. */
static int
hand_file(struct handing *handing, uint32_t number)
{
	const char *path = segments_options(handing->segments)->path;
	int fd = segment_folder_file(path, number), result;

	if (fd == -1)
		return 0; /* it is missing, and will be said to be */
	result = send_segment(handing, number, text_make(NULL, 0), fd);
	close(fd);
	return result;
}

static int
hand_segment(void *context, uint32_t number)
{
	struct handing *handing = context;
	struct verify_client *client = handing->client;
	struct error error;
	struct segment_env *env =
	    segments_get(handing->segments, number, &error);
	uint8_t meta[PAGE_META_SIZE];
	struct segment_hold *hold;
	int fd;

	if (env == NULL)
		return hand_file(handing, number);
	hold = segment_env_hold(env, meta, &fd, handing->error);
	if (hold == NULL)
		return -1;
	client->holds = memory_resize(client->holds, client->hold_count + 1,
	    sizeof(struct segment_hold *));
	client->holds[client->hold_count++] = hold;
	return send_segment(handing, number, text_make(meta, sizeof(meta)), fd);
}

static int
hold_all(struct verify_client *client, struct store *store, uint8_t *meta,
    struct error *error)
{
	struct handing handing = { client, NULL, error };

	client->held = transaction_begin(store, false, error);
	if (client->held == NULL || transaction_read_meta(client->held, meta,
					PAGE_META_SIZE, error) != 0)
		return -1;
	handing.segments = store_segments(client->held);
	return handing.segments == NULL
		   ? 0
		   : segments_each(handing.segments, hand_segment, &handing);
}

int
verify_client_ask(struct verify_client *client, struct store *store,
    unsigned int percent, const struct verify_answer *answer,
    struct error *error)
{
	struct message message = { .type = MESSAGE_verify_start };
	struct segments *segments;
	uint8_t meta[PAGE_META_SIZE];

	if (client == NULL || client->channel == NULL)
		return error_set(
		    error, ERROR_UNAVAILABLE, "snapd-verify does not run");
	if (client->is_asked)
		return error_set(
		    error, ERROR_BUSY, "a verification is running");
	if (hold_all(client, store, meta, error) != 0) {
		let_go(client);
		return -1;
	}
	segments = store_segments(client->held);
	message.verify_start.tag = ++client->tag;
	message.verify_start.depth = VERIFY_ALL;
	message.verify_start.percent = (uint8_t)(percent > 100 ? 100 : percent);
	message.verify_start.meta = text_make(meta, sizeof(meta));
	if (segments != NULL)
		message.verify_start.key = text_make(
		    segments_options(segments)->key.bytes, AEAD_KEY_SIZE);
	client->answer = *answer;
	client->is_asked = true;
	if (channel_send(client->channel, &message, NULL, 0) == 0)
		return 0;
	client->is_asked = false;
	let_go(client);
	return error_set(
	    error, ERROR_UNAVAILABLE, "snapd-verify does not answer");
}

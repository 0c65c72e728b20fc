/*
 * Asking snapd-verify: see verify_client.h.
 */
#include "snapd/verify_client.h"

#include "common/memory.h"
#include "snapd/segment_folder.h"
#include "snapd/segments_open.h"
#include "snapd/verify.h"

#include <fcntl.h>
#include <string.h>
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
hand_file(struct handing *handing, const char *path, uint32_t number)
{
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
		return hand_file(
		    handing, segments_options(handing->segments)->path, number);
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

static int
is_free(const struct verify_client *client, struct error *error)
{
	if (client == NULL || client->channel == NULL)
		return error_set(
		    error, ERROR_UNAVAILABLE, "snapd-verify does not run");
	if (client->is_asked)
		return error_set(
		    error, ERROR_BUSY, "a verification is running");
	return 0;
}

/* Segments were handed before. */
static int
ask(struct verify_client *client, struct text meta, const struct aead_key *key,
    unsigned int percent, const struct verify_answer *answer,
    struct error *error)
{
	struct message message = { .type = MESSAGE_verify_start };

	message.verify_start.tag = ++client->tag;
	message.verify_start.depth = VERIFY_ALL;
	message.verify_start.percent = (uint8_t)(percent > 100 ? 100 : percent);
	message.verify_start.meta = meta;
	if (key != NULL)
		message.verify_start.key = text_make(key->bytes, AEAD_KEY_SIZE);
	client->answer = *answer;
	client->is_asked = true;
	if (channel_send(client->channel, &message, NULL, 0) == 0)
		return 0;
	client->is_asked = false;
	let_go(client);
	return error_set(
	    error, ERROR_UNAVAILABLE, "snapd-verify does not answer");
}

int
verify_client_ask(struct verify_client *client, struct store *store,
    unsigned int percent, const struct verify_answer *answer,
    struct error *error)
{
	struct segments *segments;
	uint8_t meta[PAGE_META_SIZE];

	if (is_free(client, error) != 0)
		return -1;
	if (hold_all(client, store, meta, error) != 0) {
		let_go(client);
		return -1;
	}
	segments = store_segments(client->held);
	return ask(client, text_make(meta, sizeof(meta)),
	    segments != NULL ? &segments_options(segments)->key : NULL, percent,
	    answer, error);
}

static int
hand_all_files(
    struct verify_client *client, const char *path, struct error *error)
{
	struct handing handing = { client, NULL, error };
	uint32_t *numbers;
	size_t count, i;
	int result = 0;

	if (segment_folder_list(path, &numbers, &count, error) != 0)
		return -1;
	for (i = 0; i < count && result == 0; i++)
		result = hand_file(&handing, path, numbers[i]);
	memory_free(&numbers);
	return result;
}

int
verify_client_ask_closed(struct verify_client *client, const char *path,
    unsigned int percent, const struct verify_answer *answer,
    struct error *error)
{
	struct aead_key key;
	struct error why;
	int dir, result;

	if (is_free(client, error) != 0 ||
	    hand_all_files(client, path, error) != 0)
		return -1;
	dir = segments_open_folder(path, error);
	if (dir == -1)
		return -1;
	/* Without the key blocks are not opened. */
	result = store_key_load(dir, &key, &why);
	close(dir);
	result = ask(client, text_make(NULL, 0), result == 0 ? &key : NULL,
	    percent, answer, error);
	explicit_bzero(&key, sizeof(key));
	return result;
}

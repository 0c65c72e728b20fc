/*
 * Rounds and channels: see snapd.h.  Messages come from queue, workers and
 * snapctl; answers go back after the commit.
 */
#include "snapd/snapd.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/table.h"
#include "snapd/batch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	INLINE_MAX = 60000 /* bytes of a listing or result in the packet */
};

/* What waits for the commit: an answer, or a reading. */
struct pending {
	struct pending *next;
	uint64_t client;
	struct message answer;
	struct buf data;
	struct reading *reading;
};

struct snapd {
	struct event_loop *loop;
	struct snapd_options options;
	struct store *store;
	struct journal *journal;
	struct reader_thread *reader;
	struct table *clients; /* by id */
	uint64_t next_client;
	struct pending *first;
	struct pending **last;
	bool is_failed;
};

struct journal *
snapd_journal(struct snapd *snapd)
{
	if (snapd->journal != NULL)
		journal_set_clock(
		    snapd->journal, clock_wall_us(), clock_raw_us());
	return snapd->journal;
}

static struct pending *
add_pending(struct client *client)
{
	struct pending *pending = memory_new(1, sizeof(*pending));

	pending->client = client->id;
	buf_init(&pending->data, READING_MAX_BYTES);
	*client->snapd->last = pending;
	client->snapd->last = &pending->next;
	return pending;
}

void
snapd_answer(
    struct client *client, const struct message *answer, struct text data)
{
	struct pending *pending = add_pending(client);

	pending->answer = *answer;
	buf_put(&pending->data, data.data, data.size);
}

void
snapd_read(struct client *client, struct reading *reading)
{
	add_pending(client)->reading = reading;
	reading->account = client->account;
	reading->context = (void *)(uintptr_t)client->id;
}

/* The status field of the answers that follow a change. */
static void
set_status(struct message *answer, enum status status)
{
	switch ((int)answer->type) {
	case MESSAGE_accepted:
		answer->accepted.status = (uint8_t)status;
		break;
	case MESSAGE_batch_done:
		answer->batch_done.status = (uint8_t)status;
		break;
	case MESSAGE_control_done:
		answer->control_done.status = (uint8_t)status;
		break;
	default:
		break;
	}
}

static void
send_pending(struct snapd *snapd, struct pending *pending, enum status status)
{
	struct client *client = table_find_u64(snapd->clients, pending->client);
	struct message *answer = &pending->answer;
	struct error error;
	int fd = -1;

	if (client == NULL)
		return;
	if (pending->reading != NULL) {
		reader_thread_submit(snapd->reader, pending->reading);
		pending->reading = NULL;
		return;
	}
	if (status != STATUS_OK)
		set_status(answer, status);
	if (answer->type == MESSAGE_control_row) {
		/* A row of what was not committed says nothing. */
		if (status != STATUS_OK)
			return;
		answer->control_row.record =
		    text_make(pending->data.data, pending->data.size);
	} else if (answer->type == MESSAGE_control_done) {
		answer->control_done.text =
		    text_make(pending->data.data, pending->data.size);
	}
	if (answer->type == MESSAGE_batch_done && status == STATUS_OK) {
		answer->batch_done.size = pending->data.size;
		answer->batch_done.results =
		    text_make(pending->data.data, pending->data.size);
		if (pending->data.size > INLINE_MAX) {
			fd = file_sealed_memory("results", pending->data.data,
			    pending->data.size, &error);
			answer->batch_done.results = text_make(NULL, 0);
		}
	}
	if (channel_send(client->channel, answer, &fd, fd >= 0) != 0)
		log_warning("answer-dropped", "peer=%s account=%u",
		    role_name(client->role), client->account);
	if (fd >= 0)
		close(fd);
}

static void
free_pending(struct pending *pending)
{
	buf_clear(&pending->data);
	reading_free(&pending->reading);
	free(pending);
}

/* The end of a round: one commit, then the answers. */
static void
on_round(void *context)
{
	struct snapd *snapd = context;
	struct pending *pending = snapd->first, *next;
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_OK;

	snapd->first = NULL;
	snapd->last = &snapd->first;
	if (snapd->journal != NULL && !snapd->is_failed)
		status = journal_commit(snapd->journal, &error);
	if (status == STATUS_UNAVAILABLE && !snapd->is_failed) {
		snapd->is_failed = true;
		log_alarm("store-failed", "error=%s", error.text);
		if (snapd->options.failed != NULL)
			snapd->options.failed(snapd->options.context);
	}
	for (; pending != NULL; pending = next) {
		next = pending->next;
		if (!snapd->is_failed)
			send_pending(snapd, pending, status);
		free_pending(pending);
	}
}

static void
reading_done(struct reading *reading, void *context)
{
	struct snapd *snapd = context;
	struct client *client = table_find_u64(
	    snapd->clients, (uint64_t)(uintptr_t)reading->context);

	if (client != NULL && !snapd->is_failed)
		mail_reading_done(client, reading);
	reading_free(&reading);
}

static void
free_client(struct client *client)
{
	table_remove_u64(client->snapd->clients, client->id);
	channel_free(&client->channel);
	batch_free(&client->batch);
	free(client);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct client *client = context;

	if (client->snapd->is_failed)
		return;
	if (client->role == ROLE_SNAPCTL)
		control_request_received(client, message);
	else
		mail_request_received(client, message, fds);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct client *client = context;

	process_peer_closed(
	    error, client->role, client->account, client->instance);
	free_client(client);
}

static const struct channel_handler handler = { received, closed };

static struct client *
add_client(struct snapd *snapd, int fd, enum role peer, uint32_t account)
{
	struct client *client = memory_new(1, sizeof(*client));

	client->id = ++snapd->next_client;
	client->snapd = snapd;
	client->role = peer;
	client->account = account;
	client->channel =
	    channel_new(snapd->loop, fd, ROLE_SNAPD, peer, &handler, client);
	table_put_u64(snapd->clients, client->id, client);
	return client;
}

void
snapd_add_channel(struct snapd *snapd, int fd, enum role peer, uint32_t account)
{
	(void)add_client(snapd, fd, peer, account);
}

void
snapd_add_introduced(
    struct snapd *snapd, int fd, const struct message_introduce *introduce)
{
	struct client *client = add_client(
	    snapd, fd, (enum role)introduce->role, introduce->account);

	client->instance = introduce->instance;
}

/* Opens the store only if it is the one that the settings name. */
static int
open_store(struct snapd *snapd, struct error *error)
{
	size_t map_bytes = snapd->options.map_bytes;
	char id[33];

	if (map_bytes == 0)
		map_bytes = (size_t)1 << 40;
	snapd->store = store_open(snapd->options.path, map_bytes, error);
	if (snapd->store == NULL)
		return -1;
	text_format_hex(store_identity(snapd->store)->bytes, 16, id);
	if (strcmp(id, snapd->options.store_id) != 0)
		return error_set(error, ERROR_REFUSED,
		    "the store is %s and not %s", id, snapd->options.store_id);
	snapd->journal = journal_new(snapd->store, error);
	return snapd->journal != NULL ? 0 : -1;
}

struct snapd *
snapd_new(struct event_loop *loop, const struct snapd_options *options)
{
	struct snapd *snapd = memory_new(1, sizeof(*snapd));
	struct error error;

	snapd->loop = loop;
	snapd->options = *options;
	snapd->clients = table_new();
	snapd->last = &snapd->first;
	if (open_store(snapd, &error) != 0) {
		log_alarm("store-unavailable", "error=%s", error.text);
		store_close(&snapd->store);
	} else {
		snapd->reader =
		    reader_thread_new(loop, snapd->store, reading_done, snapd);
	}
	event_loop_on_round(loop, on_round, snapd);
	return snapd;
}

void
snapd_free(struct snapd **snapd)
{
	struct pending *pending, *next;
	struct snapd *s = *snapd;
	size_t position = 0;
	void *client;

	if (s == NULL)
		return;
	event_loop_on_round(s->loop, NULL, NULL);
	reader_thread_free(&s->reader);
	for (pending = s->first; pending != NULL; pending = next) {
		next = pending->next;
		free_pending(pending);
	}
	while (table_next(s->clients, &position, NULL, NULL, &client))
		free_client(client);
	table_free(&s->clients);
	journal_free(&s->journal);
	store_close(&s->store);
	memory_free(snapd);
}

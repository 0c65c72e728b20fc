/*
 * A worker's batches that come in bulk: their bodies go to the sealer first
 * (seal_bulk.h), and the batch is applied when they stand in a segment.  What
 * the worker asks meanwhile waits behind it, in order: its requests go through
 * the sealer's queue as bulk without bodies.  A worker that sends faster than
 * segments are written is not read from (channel_pause).
 *
 * A worker that is gone by then, or that another one replaces, has not been
 * answered: its batch is not applied, since the next one of its account may
 * have begun with the same counter.
 */
#include "common/codec.h"
#include "common/memory.h"
#include "snapd/batch.h"
#include "snapd/seal_bulk.h"
#include "snapd/sealer.h"
#include "snapd/snapd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LARGE_BATCH = 1 << 20,       /* bytes: goes into segments at once */
	WAITING_MAX = 4,             /* requests of one worker, */
	WAITING_BYTES_MAX = 64 << 20 /* and their bytes, unless it is one */
};

struct bulk_request {
	struct bulk bulk;
	struct snapd *snapd;
	uint64_t client;
	uint64_t bytes;
	struct batch *batch; /* else it is another message: */
	int fd;
	size_t size;
	uint8_t packet[];
};

static void
free_request(struct bulk_request *request)
{
	seal_bulk_clear(&request->bulk);
	batch_free(&request->batch);
	if (request->fd >= 0)
		close(request->fd);
	free(request);
}

static bool
is_too_much(const struct client *client)
{
	return client->bulk_waiting >= WAITING_MAX ||
	       client->bulk_bytes >= WAITING_BYTES_MAX;
}

static void
carry_out(struct client *client, struct bulk_request *request)
{
	struct message message;
	struct error error;

	if (request->batch != NULL)
		mail_commit_batch(client, request->batch, &request->bulk);
	else if (message_decode(request->packet, request->size, ROLE_WORKER,
		     ROLE_SNAPD, &message, &error) == 0)
		mail_request_carry_out(client, &message, &request->fd);
}

static void
written(struct bulk *bulk, bool is_ending)
{
	struct bulk_request *request = bulk->context;
	struct client *client = NULL;
	struct journal *journal;
	struct error error;

	if (!is_ending)
		client = snapd_client(request->snapd, request->client);
	if (client != NULL) {
		client->bulk_waiting--;
		client->bulk_bytes -= request->bytes;
		if (!is_too_much(client))
			channel_resume(client->channel);
		if (snapd_is_replaced(client))
			client = NULL;
	}
	if (client != NULL) {
		carry_out(client, request);
	} else if (!is_ending) {
		journal = snapd_journal(request->snapd);
		(void)seal_bulk_disown(journal, bulk, &error);
	}
	free_request(request);
}

static struct bulk_request *
new_request(struct client *client, size_t packet_size)
{
	struct bulk_request *request =
	    memory_new(1, sizeof(*request) + packet_size);

	request->snapd = client->snapd;
	request->client = client->id;
	request->fd = -1;
	request->bulk.account = client->account;
	request->bulk.done = written;
	request->bulk.context = request;
	return request;
}

static void
hand_over(struct client *client, struct bulk_request *request)
{
	client->bulk_waiting++;
	client->bulk_bytes += request->bytes;
	if (is_too_much(client))
		channel_pause(client->channel);
	sealer_bulk(snapd_sealer(client->snapd), &request->bulk);
}

/* One that would be refused leaves nothing in a segment. */
static bool
goes_into_segments(struct client *client, const struct batch *batch)
{
	return batch_bytes(batch) >= LARGE_BATCH &&
	       batch_is_welcome(
		   batch, snapd_journal(client->snapd), client->account);
}

bool
bulk_takes_batch(struct client *client, struct batch **batch)
{
	struct bulk_request *request;
	struct bulk *bulk;
	bool is_large;

	if (snapd_sealer(client->snapd) == NULL)
		return false;
	is_large = goes_into_segments(client, *batch);
	if (!is_large && client->bulk_waiting == 0)
		return false;
	request = new_request(client, 0);
	request->batch = *batch;
	request->bytes = batch_bytes(*batch);
	*batch = NULL;
	bulk = &request->bulk;
	if (is_large) {
		bulk->count = batch_bodies(request->batch, NULL);
		bulk->bodies =
		    memory_new(bulk->count + 1, sizeof(*bulk->bodies));
		batch_bodies(request->batch, bulk->bodies);
		/* What the log has would have other numbers behind these. */
		snapd_settle(client->snapd);
		seal_bulk_begin(bulk, snapd_journal(client->snapd));
	}
	hand_over(client, request);
	return true;
}

bool
bulk_takes_request(
    struct client *client, const struct message *message, int *fds)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	struct bulk_request *request;
	size_t size;

	if (client->bulk_waiting == 0)
		return false;
	size = message_encode(message, packet);
	request = new_request(client, size);
	memcpy(request->packet, packet, size);
	request->size = size;
	request->bytes = size;
	request->fd = fds[0];
	fds[0] = -1;
	hand_over(client, request);
	return true;
}

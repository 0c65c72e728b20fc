/* See pending.h. */
#include "snapd/pending.h"

#include "common/file.h"
#include "common/log.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	INLINE_MAX = 60000 /* bytes of a result in the packet */
};

/* The status field of the answers that follow a change. */
static void
set_status(struct message *answer, enum status status)
{
	switch ((int)answer->type) {
	case MESSAGE_accepted:
		answer->accepted.status = (uint8_t)status;
		break;
	case MESSAGE_delivery_found:
		answer->delivery_found.status = (uint8_t)status;
		break;
	case MESSAGE_batch_done:
		answer->batch_done.status = (uint8_t)status;
		break;
	case MESSAGE_control_done:
		answer->control_done.status = (uint8_t)status;
		break;
	case MESSAGE_witness_heard:
		answer->witness_heard.status = (uint8_t)status;
		break;
	default:
		break;
	}
}

/* Points the answer at its data: -1, or a descriptor that goes with it. */
static int
attach_data(struct message *answer, const struct buf *data, enum status status)
{
	struct text text = text_make(data->data, data->size);
	struct error error;

	switch ((int)answer->type) {
	case MESSAGE_control_row:
		answer->control_row.record = text;
		return -1;
	case MESSAGE_control_done:
		answer->control_done.text = text;
		return -1;
	case MESSAGE_batch_done:
		if (status != STATUS_OK)
			return -1;
		answer->batch_done.size = data->size;
		answer->batch_done.results = text;
		if (data->size <= INLINE_MAX)
			return -1;
		answer->batch_done.results = text_make(NULL, 0);
		return file_sealed_memory(
		    "results", data->data, data->size, &error);
	default:
		return -1;
	}
}

void
pending_send(struct snapd *snapd, struct pending *pending, enum status status)
{
	struct client *client = snapd_client(snapd, pending->client);
	struct message *answer = &pending->answer;
	int fd;

	if (client == NULL)
		return;
	if (pending->reading != NULL) {
		snapd_read_on(client, pending->reading);
		pending->reading = NULL;
		return;
	}
	/* A row of what was not committed says nothing. */
	if (status != STATUS_OK && answer->type == MESSAGE_control_row)
		return;
	if (status != STATUS_OK)
		set_status(answer, status);
	fd = attach_data(answer, &pending->data, status);
	if (channel_send(client->channel, answer, &fd, fd >= 0) != 0)
		log_warning("answer-dropped", "peer=%s account=%u",
		    role_name(client->role), client->account);
	if (fd >= 0)
		close(fd);
}

void
pending_free(struct pending *pending)
{
	buf_clear(&pending->data);
	reading_free(&pending->reading);
	free(pending);
}

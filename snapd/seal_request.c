/*
 * snapctl seal: a pass of the sealer is asked for, and the answer goes out when
 * it has ended; the asker may be gone by then.
 */
#include "common/memory.h"
#include "snapd/sealer.h"
#include "snapd/snapd.h"

struct request {
	struct snapd *snapd;
	uint64_t client;
	uint64_t tag;
};

static void
answer(void *context, const struct error *error)
{
	struct request *request = context;
	struct client *client = snapd_client(request->snapd, request->client);
	struct message done = { .type = MESSAGE_control_done };

	done.control_done.tag = request->tag;
	if (error != NULL) {
		done.control_done.status = (uint8_t)journal_status_of(error);
		done.control_done.text = text_of(error->text);
	}
	if (client != NULL)
		(void)channel_send(client->channel, &done, NULL, 0);
	memory_free(&request);
}

void
seal_request_received(
    struct client *client, const struct message_control_seal *question)
{
	struct request *request = memory_new(1, sizeof(*request));
	struct sealer *sealer = snapd_sealer(client->snapd);
	struct error error;

	request->snapd = client->snapd;
	request->client = client->id;
	request->tag = question->tag;
	if (sealer != NULL) {
		sealer_request(sealer, answer, request);
		return;
	}
	error_set(&error, ERROR_UNAVAILABLE, "there is no store to serve");
	answer(request, &error);
}

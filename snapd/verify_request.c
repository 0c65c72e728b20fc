/*
 * snapctl verify: the question goes to snapd-verify, its findings and progress
 * go back as rows, whenever they come; the asker may be gone by then.
 */
#include "common/control_record.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/snapd.h"
#include "snapd/verify_client.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	ROW_MAX = 2 * CONTROL_MAX_TEXT + 100
};

struct request {
	struct snapd *snapd;
	uint64_t client;
	uint64_t tag;
};

static void
send_row(
    struct request *request, enum control_row_kind kind, const struct writer *w)
{
	struct client *client = snapd_client(request->snapd, request->client);
	struct message row = { .type = MESSAGE_control_row };

	if (client == NULL)
		return;
	row.control_row.tag = request->tag;
	row.control_row.kind = (uint8_t)kind;
	row.control_row.record = text_make(w->data, w->size);
	(void)channel_send(client->channel, &row, NULL, 0);
}

static void
finding(void *context, struct text text)
{
	struct control_finding row = { .where = TEXT("index"), .what = text };
	struct text rest = text, first;
	uint8_t data[ROW_MAX];
	struct writer w;

	/* "segment 3: what is wrong" */
	if (text_starts_nocase(text, "segment ") &&
	    text_next(&rest, ':', &first) && rest.size > 1) {
		row.where = first;
		row.what = text_skip(rest, 1);
	}
	log_alarm("store-damaged", "finding=\"%.*s\"", TEXT_FMT(text));
	writer_init(&w, data, sizeof(data));
	control_put_finding(&w, &row);
	send_row(context, CONTROL_FINDING, &w);
}

static void
progress(void *context, uint64_t done, uint64_t total)
{
	struct control_progress row = { done, total, TEXT("bytes") };
	uint8_t data[ROW_MAX];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_progress(&w, &row);
	send_row(context, CONTROL_PROGRESS, &w);
}

static void
send_done(struct request *request, enum status status, const char *text)
{
	struct client *client = snapd_client(request->snapd, request->client);
	struct message done = { .type = MESSAGE_control_done };

	if (client == NULL)
		return;
	done.control_done.tag = request->tag;
	done.control_done.status = (uint8_t)status;
	done.control_done.text = text_of(text);
	(void)channel_send(client->channel, &done, NULL, 0);
}

static void
put_fact(struct request *request, const char *name, uint64_t number)
{
	struct control_fact row = { .name = text_of(name) };
	uint8_t data[ROW_MAX];
	struct writer w;
	char value[24];

	snprintf(value, sizeof(value), "%" PRIu64, number);
	row.value = text_of(value);
	writer_init(&w, data, sizeof(data));
	control_put_fact(&w, &row);
	send_row(request, CONTROL_FACT, &w);
}

static void
done(void *context, const struct message_verify_done *answer,
    const struct error *error)
{
	struct request *request = context;
	char text[120];

	if (answer == NULL) {
		send_done(request, journal_status_of(error), error->text);
		memory_free(&request);
		return;
	}
	put_fact(request, "pages", answer->pages);
	put_fact(request, "rows", answer->rows);
	put_fact(request, "events", answer->events);
	put_fact(request, "heads", answer->heads);
	put_fact(request, "bodies", answer->bodies);
	put_fact(request, "body_bytes", answer->body_bytes);
	snprintf(text, sizeof(text), "%" PRIu64 " findings", answer->findings);
	send_done(request, (enum status)answer->status,
	    answer->findings > 0 ? text : "");
	memory_free(&request);
}

void
verify_request_received(
    struct client *client, const struct message_control_verify *question)
{
	struct request *request = memory_new(1, sizeof(*request));
	const struct verify_answer answer = { finding, progress, done,
		request };
	struct journal *journal = snapd_journal(client->snapd);
	const char *damaged = snapd_damaged_path(client->snapd);
	struct verify_client *verifier = snapd_verifier(client->snapd);
	struct error error;

	request->snapd = client->snapd;
	request->client = client->id;
	request->tag = question->tag;
	error_set(&error, ERROR_UNAVAILABLE, "there is no store to serve");
	if (journal != NULL &&
	    verify_client_ask(verifier, journal->store, question->read_percent,
		&answer, &error) == 0)
		return;
	if (damaged != NULL &&
	    verify_client_ask_closed(verifier, damaged, question->read_percent,
		&answer, &error) == 0)
		return;
	send_done(request, journal_status_of(&error), error.text);
	memory_free(&request);
}

/*
 * See drill.h.  A drill goes through: rows are sent (as fast as snapd-drill
 * takes them), all are sent, it is over.  It ends early when snapd-drill says
 * so or goes away, when the store cannot be read, or when nobody waits any
 * more.
 */
#include "snapd/drill.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/control.h"
#include "snapd/control_reading.h"
#include "snapd/drill_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	ROW_MAX = RECORD_MAX_NAME_SIZE + CONTROL_MAX_TEXT + 100
};

struct drill {
	struct snapd *snapd;
	uint64_t process; /* client id of snapd-drill; 0: it does not run */
	uint64_t last_tag;
	/* The one that runs. */
	bool is_running;
	uint64_t asker; /* client id; 0: the timer */
	uint64_t asker_tag;
	int64_t started_us;
	int64_t moved_us; /* when it last took a step */
	int64_t told_us;  /* when the asker last heard of it */
	uint64_t accounts;
	uint64_t sent; /* messages */
	struct drill_record record;
};

bool
drill_is_running(const struct drill *drill)
{
	return drill->is_running;
}

bool
drill_is_ready(const struct drill *drill)
{
	return !drill->is_running && drill->process != 0;
}

static struct client *
asker_of(struct drill *drill)
{
	return drill->asker == 0 ? NULL
				 : snapd_client(drill->snapd, drill->asker);
}

static bool
was_left(struct drill *drill)
{
	return drill->asker != 0 && asker_of(drill) == NULL;
}

/* At once, not after a commit: it tells of nothing that was changed. */
static void
tell_asker(
    struct drill *drill, enum control_row_kind kind, const struct writer *w)
{
	struct client *asker = asker_of(drill);
	struct message row = { .type = MESSAGE_control_row };

	if (asker == NULL)
		return;
	row.control_row.tag = drill->asker_tag;
	row.control_row.kind = (uint8_t)kind;
	row.control_row.record = text_make(w->data, w->size);
	(void)channel_send(asker->channel, &row, NULL, 0);
}

/* -- The end -- */

static void
answer(struct drill *drill, enum status status, const struct error *error)
{
	const struct drill_record *record = &drill->record;
	const struct control_drill row = { .sequence = record->sequence,
		.accounts = drill->accounts,
		.mailboxes = record->mailboxes,
		.messages = record->messages,
		.bytes = record->bytes,
		.restore_us = record->restore_us,
		.check_us = record->check_us,
		.total_us = record->total_us,
		.findings = record->findings };
	struct client *asker = asker_of(drill);
	uint8_t data[sizeof(row)];
	struct writer w;

	if (asker == NULL)
		return;
	asker->is_asking = false;
	writer_init(&w, data, sizeof(data));
	control_put_drill(&w, &row);
	if (record->why == NULL)
		control_answer_row(asker, drill->asker_tag, CONTROL_DRILL, &w);
	control_answer_done(asker, drill->asker_tag, status, error);
}

static void
stop_reading(struct drill *drill)
{
	struct client *process = snapd_client(drill->snapd, drill->process);

	if (process != NULL)
		reading_free(&process->stream);
}

/* `error` says why, where status is not STATUS_OK. */
static void
conclude(struct drill *drill, enum status status, struct error *error)
{
	struct journal *journal = snapd_journal(drill->snapd);
	struct client *asker = asker_of(drill);
	struct drill_record *record = &drill->record;
	struct error unwritten = { .code = ERROR_NONE };
	enum status written = STATUS_UNAVAILABLE;

	stop_reading(drill);
	drill->is_running = false;
	record->total_us = (uint64_t)(clock_monotonic_us() - drill->started_us);
	record->outcome = status == STATUS_OK        ? DRILL_OK
			  : status == STATUS_DAMAGED ? DRILL_DAMAGED
						     : DRILL_FAILED;
	record->why = error->code == ERROR_NONE || record->findings > 0
			  ? NULL
			  : error->text;
	if (journal != NULL) {
		journal->note = asker != NULL ? &asker->note : NULL;
		written = drill_record_put(journal, record, &unwritten);
		journal->note = NULL;
	}
	if (written != STATUS_OK)
		log_error("drill-unrecorded", "error=\"%s\"", unwritten.text);
	if (status == STATUS_OK && written != STATUS_OK)
		answer(drill, written, &unwritten);
	else
		answer(drill, status, error);
}

static void
say_to_process(struct drill *drill, enum message_type type)
{
	struct client *process = snapd_client(drill->snapd, drill->process);
	struct message message = { .type = type };

	/* Each of this group begins with its tag. */
	message.drill_begin.tag = drill->last_tag;
	if (process != NULL)
		(void)channel_send(process->channel, &message, NULL, 0);
}

/* Whoever asked went away: nothing came out, nothing is recorded. */
static void
give_up(struct drill *drill)
{
	say_to_process(drill, MESSAGE_drill_cancel);
	stop_reading(drill);
	drill->is_running = false;
	log_info("drill-cancelled", "sequence=%" PRIu64 " messages=%" PRIu64,
	    drill->record.sequence, drill->sent);
}

/* -- Rows go to snapd-drill -- */

static void
count_row(struct drill *drill, uint8_t kind)
{
	drill->accounts += kind == CONTROL_ACCOUNT;
	drill->record.mailboxes += kind == CONTROL_MAILBOX;
	drill->sent += kind == CONTROL_MESSAGE;
}

static int
send_rows(
    struct drill *drill, struct client *process, const struct control_job *job)
{
	struct message row = { .type = MESSAGE_drill_row };
	size_t at = 0;

	row.drill_row.tag = drill->last_tag;
	while (control_job_row(
	    job, &at, &row.drill_row.kind, &row.drill_row.record)) {
		count_row(drill, row.drill_row.kind);
		if (channel_send(process->channel, &row, NULL, 0) != 0)
			return -1;
	}
	return 0;
}

static void
tell_progress(struct drill *drill, const struct control_job *job)
{
	struct control_progress progress = { drill->sent, 0,
		TEXT("messages restored") };
	uint8_t data[100];
	struct writer w;

	if (!job->is_counted ||
	    drill->moved_us - drill->told_us < DRILL_PROGRESS_US)
		return;
	drill->told_us = drill->moved_us;
	progress.total =
	    job->sample > 0 ? job->sample : drill->sent + job->lies_ahead;
	writer_init(&w, data, sizeof(data));
	control_put_progress(&w, &progress);
	tell_asker(drill, CONTROL_PROGRESS, &w);
}

static void
end_reading(struct drill *drill, struct reading *reading)
{
	struct error error = reading->control->error;

	reading_free(&reading);
	if (error.code == ERROR_NONE) {
		say_to_process(drill, MESSAGE_drill_end);
		return;
	}
	say_to_process(drill, MESSAGE_drill_cancel);
	conclude(drill, journal_status_of(&error), &error);
}

static void
read_on(struct channel *channel, void *context)
{
	struct client *process = context;
	struct reading *reading = process->stream;

	(void)channel;
	process->stream = NULL;
	if (reading != NULL)
		snapd_read_on(process, reading);
}

void
drill_reading_done(struct client *process, struct reading *reading)
{
	struct drill *drill = snapd_drill(process->snapd);
	struct control_job *job = reading->control;
	struct error error;

	if (!drill->is_running || job->tag != drill->last_tag) {
		reading_free(&reading);
		return;
	}
	drill->moved_us = clock_monotonic_us();
	drill->record.sequence = job->sequence;
	if (was_left(drill)) {
		reading_free(&reading);
		give_up(drill);
		return;
	}
	if (send_rows(drill, process, job) != 0) {
		reading_free(&reading);
		error_set(&error, ERROR_UNAVAILABLE, "snapd-drill ended");
		conclude(drill, STATUS_UNAVAILABLE, &error);
		drill->process = 0;
		return;
	}
	tell_progress(drill, job);
	if (job->is_done) {
		end_reading(drill, reading);
		return;
	}
	process->stream = reading;
	if (channel_waiting_bytes(process->channel) == 0)
		read_on(process->channel, process);
	else
		channel_on_drained(process->channel, read_on);
}

/* -- What snapd-drill says -- */

static void
take_finding(struct drill *drill, const struct message_drill_finding *finding)
{
	const struct control_drill_finding row = { finding->account,
		finding->mailbox, finding->uid, finding->text };
	uint8_t data[ROW_MAX];
	struct writer w;

	log_alarm("drill-finding",
	    "account=%u mailbox=\"%.*s\" uid=%u what=\"%.*s\"",
	    finding->account, TEXT_FMT(finding->mailbox), finding->uid,
	    TEXT_FMT(finding->text));
	writer_init(&w, data, sizeof(data));
	control_put_drill_finding(&w, &row);
	tell_asker(drill, CONTROL_DRILL_FINDING, &w);
}

static void
take_done(struct drill *drill, const struct message_drill_done *done)
{
	struct drill_record *record = &drill->record;
	struct error error = { .code = ERROR_NONE };
	enum status status = done->status < STATUS_COUNT
				 ? (enum status)done->status
				 : STATUS_UNAVAILABLE;

	record->messages = done->messages;
	record->bytes = done->bytes;
	record->findings = done->findings;
	record->restore_us = done->restore_us;
	record->check_us = done->check_us;
	if (done->findings > 0 && done->text.size == 0) {
		error_set(&error, ERROR_DAMAGED, "%" PRIu64 " findings",
		    done->findings);
		status = STATUS_DAMAGED;
	} else if (status == STATUS_OK && done->messages != drill->sent) {
		/* It must say of each message that it came back. */
		error_set(&error, ERROR_UNAVAILABLE,
		    "snapd-drill compared %" PRIu64 " of %" PRIu64 " messages",
		    done->messages, drill->sent);
		status = STATUS_UNAVAILABLE;
	} else if (status != STATUS_OK) {
		error_set(
		    &error, ERROR_UNAVAILABLE, "%.*s", TEXT_FMT(done->text));
	}
	conclude(drill, status, &error);
}

void
drill_received(struct client *process, const struct message *message)
{
	struct drill *drill = snapd_drill(process->snapd);

	/* Each of this group begins with its tag. */
	if (!drill->is_running || process->id != drill->process ||
	    message->drill_done.tag != drill->last_tag)
		return;
	drill->moved_us = clock_monotonic_us();
	if (message->type == MESSAGE_drill_finding)
		take_finding(drill, &message->drill_finding);
	else
		take_done(drill, &message->drill_done);
}

void
drill_process_there(struct drill *drill, struct client *process)
{
	drill->process = process->id;
}

void
drill_process_gone(struct drill *drill, struct client *process)
{
	struct error error;

	if (process->id != drill->process)
		return;
	if (drill->is_running) {
		error_set(&error, ERROR_UNAVAILABLE, "snapd-drill ended");
		conclude(drill, STATUS_UNAVAILABLE, &error);
	}
	drill->process = 0;
}

/* -- The beginning -- */

static bool
is_whole(const struct message_control_drill *request)
{
	return request->account == 0 && request->mailbox.size == 0 &&
	       request->message_id.size == 0;
}

static int
check_free(struct drill *drill, struct error *error)
{
	if (snapd_journal(drill->snapd) == NULL)
		return error_set(
		    error, ERROR_UNAVAILABLE, "there is no store to serve");
	if (drill->is_running && !was_left(drill))
		return error_set(error, ERROR_BUSY, "a drill is running");
	if (drill->process == 0)
		return error_set(
		    error, ERROR_UNAVAILABLE, "snapd-drill does not run");
	return 0;
}

int
drill_start(struct drill *drill, struct client *asker,
    const struct message *request, struct error *error)
{
	struct client *process = snapd_client(drill->snapd, drill->process);
	const struct message_control_drill *asked = &request->control_drill;
	struct control_job *job;
	struct reading *reading;

	if (check_free(drill, error) != 0)
		return -1;
	job = control_job_new(request, error);
	if (job == NULL)
		return -1;
	if (drill->is_running)
		give_up(drill);
	job->tag = ++drill->last_tag;
	job->retention = *snapd_retention(drill->snapd);
	job->now = snapd_journal(drill->snapd)->now_us / 1000000;
	drill->is_running = true;
	drill->asker = asker == NULL ? 0 : asker->id;
	drill->asker_tag = asked->tag;
	drill->accounts = drill->sent = 0;
	drill->started_us = drill->moved_us = drill->told_us =
	    clock_monotonic_us();
	drill->record =
	    (struct drill_record){ .actor = asker == NULL ? ROLE_SNAPD
							  : ROLE_SNAPCTL,
		    .account = asked->account,
		    .is_whole = is_whole(asked),
		    .sample = asked->sample };
	say_to_process(drill, MESSAGE_drill_begin);
	reading = memory_new(1, sizeof(*reading));
	reading->kind = READ_CONTROL;
	reading->control = job;
	snapd_read(process, reading);
	return 0;
}

void
drill_request_received(struct client *client, const struct message *request)
{
	struct drill *drill = snapd_drill(client->snapd);
	struct error error = { .code = ERROR_NONE };

	if (client->is_asking)
		error_set(&error, ERROR_BUSY, "one question at a time");
	else if (drill_start(drill, client, request, &error) == 0) {
		client->is_asking = true;
		return;
	}
	control_answer_done(client, request->control_drill.tag,
	    journal_status_of(&error), &error);
}

/* -- While it goes on -- */

void
drill_watch(struct drill *drill)
{
	struct error error;

	if (!drill->is_running)
		return;
	if (was_left(drill)) {
		give_up(drill);
	} else if (clock_monotonic_us() - drill->moved_us > DRILL_STALL_US) {
		say_to_process(drill, MESSAGE_drill_cancel);
		error_set(
		    &error, ERROR_UNAVAILABLE, "snapd-drill does not go on");
		conclude(drill, STATUS_UNAVAILABLE, &error);
	}
}

struct drill *
drill_new(struct snapd *snapd)
{
	struct drill *drill = memory_new(1, sizeof(*drill));

	drill->snapd = snapd;
	return drill;
}

void
drill_free(struct drill **drill)
{
	memory_free(drill);
}

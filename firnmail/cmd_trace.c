/*
 * firnmail trace: what became of a message that goes out, or of all to or from
 * an address that still wait: a line for each recipient.
 */
#include "common/memory.h"
#include "firnmail/queue_ask.h"

#include <stdlib.h>

enum {
	WORDS_SIZE = 600,
	MAX_MESSAGES = 1000 /* that are followed */
};

struct trace {
	struct firnmail *firnmail;
	struct queue_choice choice;
	size_t count;
	struct message_seen {
		uint64_t number;
		struct delivery_id delivery;
	} * messages;
	char id[33]; /* of the one that is shown */
};

/* A message has a parcel for each domain; they come one after the other. */
static void
note(const struct queue_parcel_record *parcel, void *context)
{
	struct trace *trace = context;

	if (trace->count == MAX_MESSAGES ||
	    (trace->count > 0 &&
		trace->messages[trace->count - 1].number == parcel->message))
		return;
	trace->messages[trace->count].number = parcel->message;
	trace->messages[trace->count++].delivery = parcel->delivery;
}

static void
print(const struct queue_recipient_record *recipient, void *context)
{
	struct trace *trace = context;
	char words[WORDS_SIZE];
	const struct field fields[] = {
		FIELD_T("id", 33, text_of(trace->id)),
		FIELD_D("time", recipient->time),
		FIELD_T("recipient", 32, recipient->address),
		FIELD_T("state", 9,
		    text_of(queue_recipient_state_name(recipient->state))),
		FIELD_T("host", 24,
		    recipient->host.size > 0 ? recipient->host : TEXT("-")),
		FIELD_T("words", 0,
		    queue_format_words(recipient->code, recipient->enhanced,
			recipient->words, words, sizeof(words))),
	};

	output_row(trace->firnmail->output, "hop", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
follow(struct trace *trace, struct daemon *spool)
{
	int code = queue_each_parcel(spool, &trace->choice, note, trace, NULL);

	if (code == EXIT_DONE && trace->count == 0)
		output_say(trace->firnmail->output,
		    "Nothing of it waits to go out: what became of it is in "
		    "the log (mail-queued, parcel-over).");
	for (size_t i = 0; i < trace->count && code == EXIT_DONE; i++) {
		queue_format_id(&trace->messages[i].delivery, trace->id);
		code = queue_each_recipient(
		    spool, trace->messages[i].number, print, trace);
	}
	return code;
}

int
cmd_trace(struct firnmail *firnmail, int argc, char **argv)
{
	struct trace trace = { .firnmail = firnmail };
	struct daemon spool = { .fd = -1 };
	int code;

	if (argc != 1)
		return command_usage("trace ID|ADDRESS");
	code = queue_choose(argv[0], &trace.choice);
	if (code == EXIT_DONE)
		code = command_load(firnmail, false);
	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_SPOOL, &spool);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	trace.messages = memory_new(MAX_MESSAGES, sizeof(*trace.messages));
	if (code == EXIT_DONE)
		code = follow(&trace, &spool);
	free(trace.messages);
	daemon_close(&spool);
	return code;
}

/*
 * firnmail queue: mail for other hosts that has not gone yet.  What mailq,
 * postqueue and postsuper are for.
 */
#include "firnmail/queue_ask.h"

#include <stdio.h>
#include <string.h>

enum {
	WORDS_SIZE = 600
};

/* -- list -- */

static void
print_parcel(const struct queue_parcel_record *parcel, void *context)
{
	struct firnmail *firnmail = context;
	char id[33], words[WORDS_SIZE];

	queue_format_id(&parcel->delivery, id);
	const struct field fields[] = {
		FIELD_T("id", 33, text_of(id)),
		FIELD_B("size", parcel->size),
		FIELD_D("time", parcel->time),
		FIELD_T("state", 9, text_of(queue_state_name(parcel->state))),
		FIELD_D("next", parcel->next),
		FIELD_N("tries", 5, parcel->tries),
		FIELD_T("sender", 24,
		    parcel->sender.size > 0 ? parcel->sender : TEXT("<>")),
		FIELD_T("domain", 24, parcel->domain),
		FIELD_N("recipients", 10, parcel->recipients),
		FIELD_T("first", 24, parcel->first),
		FIELD_T("why", 0,
		    queue_format_words(parcel->code, parcel->enhanced,
			parcel->words, words, sizeof(words))),
	};
	output_row(firnmail->output, "parcel", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
list(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice)
{
	uint64_t waiting = 0;
	int code =
	    queue_each_parcel(spool, choice, print_parcel, firnmail, &waiting);

	if (code == EXIT_DONE && waiting == 0)
		output_say(firnmail->output, "The queue is empty.");
	return code;
}

/* -- show, why -- */

static void
print_recipient(const struct queue_recipient_record *recipient, void *context)
{
	struct firnmail *firnmail = context;
	char words[WORDS_SIZE];
	const struct field fields[] = {
		FIELD_T("recipient", 32, recipient->address),
		FIELD_T("state", 9,
		    text_of(queue_recipient_state_name(recipient->state))),
		FIELD_D("time", recipient->time),
		FIELD_T("host", 24,
		    recipient->host.size > 0 ? recipient->host : TEXT("-")),
		FIELD_T("words", 0,
		    queue_format_words(recipient->code, recipient->enhanced,
			recipient->words, words, sizeof(words))),
	};

	output_row(firnmail->output, "recipient", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

struct show {
	struct firnmail *firnmail;
	uint64_t message;
};

static void
show_parcel(const struct queue_parcel_record *parcel, void *context)
{
	struct show *show = context;

	show->message = parcel->message;
	print_parcel(parcel, show->firnmail);
}

static int
show(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice)
{
	struct show context = { firnmail, 0 };
	int code;

	if (choice->selector != QUEUE_ID)
		return command_fail(EXIT_USAGE, "show takes a queue id");
	code = queue_each_parcel(spool, choice, show_parcel, &context, NULL);
	if (code != EXIT_DONE)
		return code;
	if (context.message == 0)
		return command_fail(
		    EXIT_FAILED, "nothing of that message waits any more");
	output_new_table(firnmail->output);
	return queue_each_recipient(
	    spool, context.message, print_recipient, firnmail);
}

static void
explain_parcel(const struct queue_parcel_record *parcel, void *context)
{
	static const char *const reasons[QUEUE_STATES] = {
		[QUEUE_WAITS] =
		    "its last try was put off, and it waits for the "
		    "next",
		[QUEUE_READY] = "it waits for its turn",
		[QUEUE_RUNS] = "it is being sent",
		[QUEUE_IS_HELD] = "it is held: firnmail queue release",
		[QUEUE_PAUSED] = "nobody could be reached there, so that all "
				 "mail for it waits",
	};
	struct firnmail *firnmail = context;
	char id[33], words[WORDS_SIZE];
	const char *reason = reasons[parcel->state];

	queue_format_id(&parcel->delivery, id);
	if (parcel->state == QUEUE_WAITS && parcel->tries == 0)
		reason = "its sender wants it to go then, and not before";
	const struct field fields[] = {
		FIELD_T("id", 33, text_of(id)),
		FIELD_T("domain", 24, parcel->domain),
		FIELD_D("next", parcel->next),
		FIELD_T("because", 40, text_of(reason)),
		FIELD_T("host", 24,
		    parcel->host.size > 0 ? parcel->host : TEXT("-")),
		FIELD_T("words", 0,
		    queue_format_words(parcel->code, parcel->enhanced,
			parcel->words, words, sizeof(words))),
	};
	output_row(firnmail->output, "reason", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
why(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice)
{
	return queue_each_parcel(spool, choice, explain_parcel, firnmail, NULL);
}

/* -- flush, hold, release, bounce -- */

static int
change(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice, enum queue_action action)
{
	uint64_t changed, busy;
	int code = queue_change_all(spool, choice, action, &changed, &busy);

	if (code != EXIT_DONE)
		return code;
	const struct field fields[] = {
		FIELD_N("changed", 8, changed),
		FIELD_N("under_way", 9, busy),
	};
	output_row(firnmail->output, "change", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

static int
flush(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice)
{
	return change(firnmail, spool, choice, QUEUE_FLUSH);
}

static int
hold(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice)
{
	return change(firnmail, spool, choice, QUEUE_HOLD);
}

static int
release(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice)
{
	return change(firnmail, spool, choice, QUEUE_RELEASE);
}

static int
bounce(struct firnmail *firnmail, struct daemon *spool,
    const struct queue_choice *choice)
{
	return change(firnmail, spool, choice, QUEUE_BOUNCE);
}

/* `implied`: without a word it is all; the others want to hear it. */
static const struct {
	const char *name;
	int (*run)(struct firnmail *firnmail, struct daemon *spool,
	    const struct queue_choice *choice);
	bool implied;
} actions[] = {
	{ "list", list, true },
	{ "show", show, false },
	{ "why", why, false },
	{ "flush", flush, true },
	{ "hold", hold, false },
	{ "release", release, false },
	{ "bounce", bounce, false },
};

static int
run(struct firnmail *firnmail, size_t n, const char *word)
{
	struct daemon spool = { .fd = -1 };
	struct queue_choice choice;
	int code = queue_choose(word, &choice);

	if (code == EXIT_DONE)
		code = command_load(firnmail, false);
	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_SPOOL, &spool);
	if (code == EXIT_DONE)
		code = command_drop_rights();
	if (code == EXIT_DONE)
		code = actions[n].run(firnmail, &spool, &choice);
	daemon_close(&spool);
	return code;
}

int
cmd_queue(struct firnmail *firnmail, int argc, char **argv)
{
	const char *verb = argc > 0 ? argv[0] : "list";

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(verb, actions[i].name) != 0)
			continue;
		if (argc == 2)
			return run(firnmail, i, argv[1]);
		if (argc < 2 && actions[i].implied)
			return run(firnmail, i, "all");
		break;
	}
	return command_usage("queue [list|show|why|flush|hold|release|bounce] "
			     "[ID|ADDRESS|DOMAIN|all|held]");
}

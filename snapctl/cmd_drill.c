/*
 * snapctl drill: rehearses a restore.  snapd and snapd-drill do it, in a
 * scratch folder that nobody's mail is in; here it is asked for, and what came
 * out is shown.
 */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include <stdio.h>
#include <string.h>

static const char synopsis[] = "drill [--all | --sample N] [SEL | ADDRESS]...";

enum {
	SAMPLE = 1000 /* messages, if not said */
};

static int
print_finding(struct snapctl *snapctl, struct text record)
{
	struct control_drill_finding row;
	char account[12];

	if (control_get_drill_finding(record, &row) == -1)
		return EXIT_FAILED;
	const struct field fields[] = {
		FIELD_T("account", 24,
		    command_account_name(snapctl, row.account, account)),
		FIELD_N("uid", 9, row.uid),
		FIELD_T("mailbox", 24, row.mailbox),
		FIELD_T("what", 0, row.what),
	};
	output_row(snapctl->output, "finding", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

static int
print_drill(struct snapctl *snapctl, struct text record)
{
	struct control_drill row;
	char bytes[32];

	if (control_get_drill(record, &row) == -1)
		return EXIT_FAILED;
	const struct field fields[] = {
		FIELD_N("sequence", 10, row.sequence),
		FIELD_N("accounts", 9, row.accounts),
		FIELD_N("mailboxes", 9, row.mailboxes),
		FIELD_N("messages", 9, row.messages),
		FIELD_B("size", row.bytes),
		FIELD_N("restore_ms", 10, row.restore_us / 1000),
		FIELD_N("check_ms", 10, row.check_us / 1000),
		FIELD_N("total_ms", 10, row.total_us / 1000),
		FIELD_N("findings", 0, row.findings),
	};
	output_progress_end(snapctl->output);
	output_row(snapctl->output, "drill", fields,
	    sizeof(fields) / sizeof(fields[0]));
	output_format_bytes(row.bytes, bytes, sizeof(bytes));
	output_say(snapctl->output,
	    "restored %llu messages (%s) of %llu mailboxes in %.1f s, read "
	    "them back and compared\nthem in %.1f s: %llu findings",
	    (unsigned long long)row.messages, bytes,
	    (unsigned long long)row.mailboxes, (double)row.restore_us / 1e6,
	    (double)row.check_us / 1e6, (unsigned long long)row.findings);
	return EXIT_DONE;
}

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct control_progress progress;
	char what[CONTROL_MAX_NAME + 1];

	(void)context;
	switch (kind) {
	case CONTROL_PROGRESS:
		if (control_get_progress(record, &progress) == 0 &&
		    text_copy(progress.what, what, sizeof(what)) == 0)
			output_progress(snapctl->output, what, progress.done,
			    progress.total);
		return EXIT_DONE;
	case CONTROL_DRILL_FINDING:
		return print_finding(snapctl, record);
	case CONTROL_DRILL:
		return print_drill(snapctl, record);
	default:
		return EXIT_DONE;
	}
}

/* An address alone is that account as it is in the newest snapshot. */
static int
parse_what(const struct snapctl *snapctl, const char *word,
    struct selector *selector, struct error *error)
{
	const char *at = strchr(word, '@');

	memset(selector, 0, sizeof(*selector));
	if (at == NULL || at == word || strchr(word, ':') != NULL)
		return selector_parse(text_of(word), snapctl->accounts,
		    snapctl->now, selector, error);
	selector->point.kind = POINT_LATEST;
	return account_parse(
	    text_of(word), snapctl->accounts, &selector->account, error);
}

static int
drill(struct snapctl *snapctl, const char *word, uint32_t sample)
{
	struct message request = { .type = MESSAGE_control_drill };
	struct message_control_drill *ask = &request.control_drill;
	struct selector selector;
	struct error error;

	if (parse_what(snapctl, word, &selector, &error) == -1)
		return command_fail(&error);
	point_fill(&selector.point, &ask->point_kind, &ask->point_time,
	    &ask->point_name);
	ask->sample = sample;
	ask->account = selector.account;
	ask->mailbox = selector.mailbox;
	ask->uid = selector.uid;
	ask->message_id = selector.message_id;
	return client_ask(snapctl, &request, take_row, NULL);
}

/* 0 for all; EXIT_USAGE if the options make no sense. */
static int
take_sample(const struct options *options, uint32_t *sample)
{
	uint64_t number = SAMPLE;

	if (options->is_all && options->sample != NULL)
		return command_usage(synopsis);
	if (options->sample != NULL &&
	    (text_parse_number(text_of(options->sample), UINT32_MAX, &number) ==
		    -1 ||
		number == 0))
		return command_usage(synopsis);
	*sample = options->is_all ? 0 : (uint32_t)number;
	return EXIT_DONE;
}

int
cmd_drill(struct snapctl *snapctl, int argc, char **argv)
{
	uint32_t sample = SAMPLE;
	int code = take_sample(&snapctl->options, &sample), worst = EXIT_DONE;

	if (code != EXIT_DONE)
		return code;
	if (argc == 0)
		return drill(snapctl, "latest", sample);
	/* Damage in one is no reason not to look at the others. */
	for (int i = 0; i < argc; i++) {
		code = drill(snapctl, argv[i], sample);
		if (code != EXIT_DONE && code != EXIT_DAMAGED)
			return code;
		if (code == EXIT_DAMAGED)
			worst = EXIT_DAMAGED;
	}
	return worst;
}

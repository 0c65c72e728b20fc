/* snapctl diff: what differs between two points in time. */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include <stdio.h>

static const char synopsis[] = "diff [--exit-code] SNAP [SNAP|live][:ACCOUNT]";

static int
print_difference(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	static const char *const signs[] = { "+", "-", "M" };
	bool *differs = context;
	struct control_diff row;
	char before[8], after[8], account[12];

	if (kind != CONTROL_DIFF || control_get_diff(record, &row) == -1)
		return EXIT_DONE;
	*differs = true;
	const struct field fields[] = {
		FIELD_T("change", 6,
		    text_of(row.difference < 3 ? signs[row.difference] : "?")),
		FIELD_T("account", 24,
		    command_account_name(snapctl, row.account, account)),
		FIELD_N("uid", 9, row.uid),
		FIELD_D("date", row.internaldate),
		FIELD_B("size", row.size),
		FIELD_T("before", 6, command_flags(row.flags_before, before)),
		FIELD_T("after", 6, command_flags(row.flags_after, after)),
		FIELD_T("mailbox", 0, row.mailbox),
	};
	output_row(snapctl->output, "difference", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

/* The second argument may be ":ACCOUNT" alone: then it is the live state. */
static int
parse_second(const struct snapctl *snapctl, const char *word,
    struct selector *to, struct error *error)
{
	to->point.kind = POINT_NOW;
	if (word[0] == ':')
		return account_parse(
		    text_of(word + 1), snapctl->accounts, &to->account, error);
	return selector_parse(
	    text_of(word), snapctl->accounts, snapctl->now, to, error);
}

int
cmd_diff(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_diff };
	struct message_control_diff *diff = &request.control_diff;
	struct selector from, to = { .point = { .kind = POINT_NOW } };
	struct error error;
	bool differs = false;
	int code;

	if (argc < 1 || argc > 2)
		return command_usage(synopsis);
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&from, &error) == -1 ||
	    (argc == 2 && parse_second(snapctl, argv[1], &to, &error) == -1))
		return command_fail(&error);
	point_fill(
	    &from.point, &diff->from_kind, &diff->from_time, &diff->from_name);
	point_fill(&to.point, &diff->to_kind, &diff->to_time, &diff->to_name);
	diff->account = to.account != 0 ? to.account : from.account;
	code = client_ask(snapctl, &request, print_difference, &differs);
	if (code == EXIT_DONE && snapctl->options.is_exit_code && differs)
		return EXIT_DIFFERS;
	return code;
}

/* snapctl log: what happened, from the store's own event log. */
#include "snapctl/snapctl.h"

static int
print_event(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct control_event row;
	char account[12];

	(void)context;
	if (kind != CONTROL_EVENT || control_get_event(record, &row) == -1 ||
	    (snapctl->options.is_deleted && row.removed == 0))
		return EXIT_DONE;
	const struct field fields[] = {
		FIELD_N("sequence", 8, row.sequence),
		FIELD_D("time", row.time_us / 1000000),
		FIELD_T("account", 18,
		    command_account_name(snapctl, row.account, account)),
		FIELD_T("actor", 7, row.actor),
		FIELD_T("event", 8, row.what),
		FIELD_N("rows", 5, row.rows),
		FIELD_N("removed", 7, row.removed),
		FIELD_T("mailbox", 8, row.mailbox),
		NOTE_FIELDS(row.note),
		FIELD_T("detail", 0, row.detail),
	};
	output_row(snapctl->output, "event", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

int
cmd_log(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_log };
	int code;

	if (argc > 1)
		return command_usage("log [ACCOUNT] [--deleted] [--since T]");
	code =
	    command_account(snapctl, argc, argv, &request.control_log.account);
	if (code == EXIT_DONE)
		code = command_since(snapctl, &request.control_log.since);
	if (code != EXIT_DONE)
		return code;
	return client_ask(snapctl, &request, print_event, NULL);
}

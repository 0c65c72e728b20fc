/* snapctl list: marks and timer snapshots, the oldest first. */
#include "snapctl/snapctl.h"

static int
print_snapshot(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct control_snapshot snapshot;

	(void)context;
	if (kind == CONTROL_SNAPSHOT &&
	    control_get_snapshot(record, &snapshot) == 0)
		command_print_snapshot(snapctl, &snapshot);
	return EXIT_DONE;
}

int
cmd_list(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_list };
	int code;

	if (argc > 1)
		return command_usage("list [ACCOUNT] [--since T]");
	code =
	    command_account(snapctl, argc, argv, &request.control_list.account);
	if (code == EXIT_DONE)
		code = command_since(snapctl, &request.control_list.since);
	if (code != EXIT_DONE)
		return code;
	return client_ask(snapctl, &request, print_snapshot, NULL);
}

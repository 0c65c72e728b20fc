/* snapctl log: what happened, from the store's own event log. */
#include "snapctl/snapctl.h"

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
		code = command_since_event(snapctl, &request.control_log);
	if (code != EXIT_DONE)
		return code;
	return client_ask(snapctl, &request, command_print_event, NULL);
}

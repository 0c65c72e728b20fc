/*
 * snapctl events: what happened, one line an event; with --follow also what
 * happens from now on, as soon as it is durable.  It is read from the log, so
 * that a slow reader is behind, and misses nothing.
 */
#include "snapctl/snapctl.h"

int
cmd_events(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_log };
	struct message_control_log *log = &request.control_log;
	int code;

	if (argc > 1)
		return command_usage("events [ACCOUNT] [--follow] [--since T]");
	code = command_account(snapctl, argc, argv, &log->account);
	if (code == EXIT_DONE)
		code = command_since_event(snapctl, log);
	if (code != EXIT_DONE)
		return code;
	if (snapctl->options.is_following) {
		log->is_following = 1;
		if (snapctl->options.since == NULL)
			log->after = UINT64_MAX;
	}
	return client_ask(snapctl, &request, command_print_event, NULL);
}

/*
 * snapctl reconcile: has an account's worker look at its whole Maildir now,
 * instead of at its turn of the day.  Ends when what was found is in the store.
 */
#include "snapctl/snapctl.h"

static int
show_progress(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct control_progress progress;

	(void)context;
	if (kind == CONTROL_PROGRESS &&
	    control_get_progress(record, &progress) == 0)
		output_progress(
		    snapctl->output, "looking", progress.done, progress.total);
	return EXIT_DONE;
}

int
cmd_reconcile(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_reconcile };
	int code;

	if (argc != 1)
		return command_usage("reconcile ACCOUNT");
	code = command_account(
	    snapctl, argc, argv, &request.control_reconcile.account);
	return code == EXIT_DONE
		   ? client_ask(snapctl, &request, show_progress, NULL)
		   : code;
}

/* snapctl create: names the present state, so that it can be found again. */
#include "snapctl/snapctl.h"

static int
print_created(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct control_progress progress;
	struct control_snapshot snapshot;

	(void)context;
	if (kind == CONTROL_PROGRESS &&
	    control_get_progress(record, &progress) == 0)
		output_progress(
		    snapctl->output, "looking", progress.done, progress.total);
	if (kind == CONTROL_SNAPSHOT &&
	    control_get_snapshot(record, &snapshot) == 0)
		command_print_snapshot(snapctl, &snapshot);
	return EXIT_DONE;
}

int
cmd_create(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_create };
	struct message_control_create *create = &request.control_create;
	int code;

	if (argc > 1)
		return command_usage(
		    "create [-m TEXT] [--name NAME] [ACCOUNT]");
	code = command_account(snapctl, argc, argv, &create->account);
	if (code != EXIT_DONE)
		return code;
	if (snapctl->options.name != NULL)
		create->name = text_of(snapctl->options.name);
	if (snapctl->options.message != NULL)
		create->why = text_of(snapctl->options.message);
	if (create->name.size > CONTROL_MAX_NAME || create->why.size > 500)
		return command_usage(
		    "create: a name has at most 64 bytes, a text 500");
	return client_ask(snapctl, &request, print_created, NULL);
}

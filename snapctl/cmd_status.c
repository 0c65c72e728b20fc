/* snapctl status: the store in a few lines. */
#include "snapctl/snapctl.h"

static int
print_fact(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct control_fact row;

	(void)context;
	if (kind != CONTROL_FACT || control_get_fact(record, &row) == -1)
		return EXIT_DONE;
	const struct field fields[] = {
		FIELD_T("name", 20, row.name),
		FIELD_T("value", 0, row.value),
	};
	output_row(snapctl->output, "fact", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

int
cmd_status(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_status };

	(void)argv;
	if (argc > 0)
		return command_usage("status");
	return client_ask(snapctl, &request, print_fact, NULL);
}

/* snapctl holds: what is held, by tags and by alarms. */
#include "snapctl/snapctl.h"

int
cmd_holds(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_holds };

	(void)argv;
	if (argc > 0)
		return command_usage("holds");
	return client_ask(snapctl, &request, command_print_hold, NULL);
}

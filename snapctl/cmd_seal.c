/* snapctl seal: what is staged in the index goes into segments now, as before a
 * copy of the store's disk. */
#include "snapctl/snapctl.h"

int
cmd_seal(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_seal };

	(void)argv;
	if (argc > 0)
		return command_usage("seal");
	return client_ask(snapctl, &request, NULL, NULL);
}

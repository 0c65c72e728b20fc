/*
 * Verbs that another program of ours carries out: snapctl-more (more_main.c)
 * has those that need libraries which the others do not.  Loading them would
 * take each of the others longer than all that it does.
 */
#include "snapctl/snapctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
cmd_elsewhere(struct snapctl *snapctl, int argc, char **argv)
{
	char program[600];

	(void)argc;
	(void)argv;
	(void)snprintf(program, sizeof(program), "%s/snapctl-more",
	    snapctl->options.libexec);
	execv(program, snapctl->line);
	fprintf(stderr, "snapctl: %s: %s\n", program, strerror(errno));
	return EXIT_FAILED;
}

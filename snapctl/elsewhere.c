/*
 * What another program of ours carries out: snapctl-more (more_main.c) has what
 * needs libraries that the rest does not.  Loading them would take each of the
 * others longer than all that it does.
 */
#include "snapctl/snapctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct snapctl *started;

void
elsewhere_prepare(const struct snapctl *snapctl)
{
	started = snapctl;
}

void
elsewhere_start(void)
{
	char program[600];

	(void)snprintf(program, sizeof(program), "%s/snapctl-more",
	    started->options.libexec);
	execv(program, started->line);
	fprintf(stderr, "snapctl: %s: %s\n", program, strerror(errno));
}

int
cmd_elsewhere(struct snapctl *snapctl, int argc, char **argv)
{
	(void)snapctl;
	(void)argc;
	(void)argv;
	elsewhere_start();
	return EXIT_FAILED;
}

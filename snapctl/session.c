/* See session.h. */
#include "snapctl/session.h"

#include "snapctl/interrupt.h"

#include "common/channel.h"
#include "common/clock.h"

#include <stdio.h>
#include <unistd.h>

static int
run_alone(const struct verb *verb, const struct invocation *invocation,
    struct snapctl *snapctl, int argc, char **argv)
{
	int code;

	snapctl->output = output_new(invocation->form, invocation->is_exact);
	code = verb->run(snapctl, argc, argv);
	output_free(&snapctl->output);
	return code;
}

int
session_run(const struct verb *verb, const struct invocation *invocation,
    struct snapctl *snapctl, int argc, char **argv)
{
	struct error error;
	int code;

	if (verb->kind == VERB_ALONE)
		return run_alone(verb, invocation, snapctl, argc, argv);
	interrupt_prepare();
	snapctl->now = clock_wall_us() / 1000000;
	if (argc > 0 || verb->kind == VERB_NAMES)
		command_load_accounts(snapctl);
	snapctl->socket = channel_connect_now(invocation->socket, &error);
	if (snapctl->socket == -1) {
		fprintf(stderr,
		    "snapctl: the snapshot store cannot be reached: %s\n",
		    error.text);
		return EXIT_UNREACHABLE;
	}
	code = run_alone(verb, invocation, snapctl, argc, argv);
	account_table_free(&snapctl->accounts);
	close(snapctl->socket);
	if (fflush(stdout) == EOF && code == EXIT_DONE)
		return EXIT_FAILED;
	return code;
}

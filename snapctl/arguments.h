/*
 * The command line of snapctl, as both of its programs read it.
 */
#ifndef SNAPCTL_ARGUMENTS_H
#define SNAPCTL_ARGUMENTS_H

#include "snapctl/snapctl.h"

struct invocation {
	const char *socket;
	enum output_form form;
	bool is_exact;
	bool is_help;
};

/* What holds where no option says otherwise; `argv` is kept. */
void arguments_init(
    char **argv, struct invocation *invocation, struct snapctl *snapctl);

/*
 * Options may stand anywhere. The words that are none are put into `words`,
 * which has room for argc; their number is returned, -1 for a wrong option.
 */
int arguments_parse(int argc, char **argv, char **words,
    struct invocation *invocation, struct options *options);

#endif

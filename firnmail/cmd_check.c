/* firnmail check: all that is wrong with the configuration, in one run. */
#include "firnmail/firnmail.h"

#include <stdio.h>

enum {
	CHECK_MAX_BYTES = 1024 * 1024
};

static void
explain(const struct firnmail *firnmail)
{
	struct buf text;

	buf_init(&text, CHECK_MAX_BYTES);
	settings_explain(firnmail->options.config, firnmail->settings,
	    &firnmail->origin, &text);
	fwrite(text.data, 1, text.size, stdout);
	buf_clear(&text);
}

int
cmd_check(struct firnmail *firnmail, int argc, char **argv)
{
	int code;

	(void)argv;
	if (argc > 0)
		return command_usage("check [--explain]");
	code = command_load(firnmail, true);
	if (code == EXIT_DONE && firnmail->options.is_explain)
		explain(firnmail);
	else if (code == EXIT_DONE)
		output_say(firnmail->output, "%s is fine: %zu accounts.",
		    firnmail->options.config,
		    account_table_count(firnmail->accounts));
	return code;
}

/* snapctl open-damaged: a store that stays closed because it is damaged is
 * opened at the next start all the same, for what is left in it: when there is
 * neither a copy nor a segment to make its index anew from. */
#include "common/file.h"
#include "common/text.h"
#include "snapctl/offline.h"
#include "snapctl/snapctl.h"

#include <stdio.h>
#include <unistd.h>

enum {
	MAX_OUTPUT = 1000
};

static const char explanation[] =
    "A store in which the verifier finds damage stays closed, because a "
    "damaged "
    "page\nmay end whoever reads it, or hide what lies behind it. Better than "
    "to "
    "open it:\n  snapctl rebuild      makes its index anew from sealed "
    "segments and the mail\n                       accepted last\n"
    "  a copy of the store  put in its place\n"
    "Opened, it shows what can still be read (snapctl export live brings it "
    "out), takes\nmail again, forgets nothing until the hold `alarm` is "
    "released, and closes again\nafter two starts without a clean stop. Keep a "
    "copy of it as it is first.\n";

static int
tell_state(struct text said)
{
	if (text_starts_nocase(said, "state=open"))
		fprintf(stderr, "snapctl: nothing keeps the store closed\n");
	else
		fprintf(stderr,
		    "snapctl: the next start of firnmaild opens the store\n");
	return EXIT_DONE;
}

static int
open_damaged(struct snapctl *snapctl, const struct settings *settings)
{
	int code = EXIT_FAILED, fd;
	struct buf output;
	struct error error;

	fd = file_open_absolute_directory(settings->snap_path, &error);
	if (fd == -1) {
		(void)command_fail(&error);
		return EXIT_FAILED;
	}
	buf_init(&output, MAX_OUTPUT);
	if (offline_run(snapctl, settings, "open-damaged", fd, &output) == 0)
		code = tell_state(text_make(output.data, output.size));
	buf_clear(&output);
	close(fd);
	return code;
}

int
cmd_open_damaged(struct snapctl *snapctl, int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		return command_usage("open-damaged [--yes]");
	fputs(explanation, stderr);
	if (!command_is_agreed(snapctl))
		return EXIT_REFUSED;
	return offline_with_settings(snapctl, open_damaged);
}

/* snapctl rebuild: snapd, started for nothing else, makes the index anew from
 * segments; what there was is kept beside it. */
#include "common/file.h"
#include "snapctl/offline.h"
#include "snapctl/snapctl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_OUTPUT = 10000
};

/* Lines of name=value. */
static int
print_result(struct snapctl *snapctl, struct text rest)
{
	int code = EXIT_DONE;
	struct text line, name;

	while (text_next(&rest, '\n', &line)) {
		if (!text_next(&line, '=', &name))
			continue;
		const struct field fields[] = {
			FIELD_T("name", 12, name),
			FIELD_T("value", 0, line),
		};

		output_row(snapctl->output, "fact", fields,
		    sizeof(fields) / sizeof(fields[0]));
		if (text_is(name, "damaged") && !text_is(line, "0"))
			code = EXIT_DAMAGED;
	}
	return code;
}

static int
rebuild(struct snapctl *snapctl, const struct settings *settings)
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
	if (offline_run(snapctl, settings, "rebuild", fd, &output) == 0)
		code =
		    print_result(snapctl, text_make(output.data, output.size));
	buf_clear(&output);
	close(fd);
	return code;
}

int
cmd_rebuild(struct snapctl *snapctl, int argc, char **argv)
{
	(void)argv;
	return argc > 0 ? command_usage("rebuild")
			: offline_with_settings(snapctl, rebuild);
}

/* What is done to the store while nothing runs, by snapd, started for nothing
 * else and as its own user: rebuild makes the index anew from segments (what
 * there was is kept beside it), recover-key puts a lost store key back. */
#include "common/file.h"
#include "common/report.h"
#include "common/settings_parser.h"
#include "common/spawn.h"
#include "snapctl/snapctl.h"
#include "snapctl/unseal.h"

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

/* 0, or -1 and the error was printed. */
static int
run_snapd(struct snapctl *snapctl, const struct settings *settings,
    const char *verb, int fd, struct buf *output)
{
	uint32_t uid = geteuid() == 0 ? settings->uid_service_base + ROLE_SNAPD
				      : geteuid();
	char program[600];
	const struct spawn spawn = { .program = program,
		.arguments = { verb },
		.fds = { fd },
		.fd_count = 1,
		.uid = uid };
	struct error error;

	(void)snprintf(program, sizeof(program), "%s/%s",
	    snapctl->options.libexec, role_name(ROLE_SNAPD));
	if (spawn_and_read(&spawn, output, &error) == 0)
		return 0;
	(void)command_fail(&error);
	return -1;
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
	if (run_snapd(snapctl, settings, "rebuild", fd, &output) == 0)
		code =
		    print_result(snapctl, text_make(output.data, output.size));
	buf_clear(&output);
	close(fd);
	return code;
}

static int
recover_key(struct snapctl *snapctl, const struct settings *settings)
{
	int code = EXIT_FAILED, fd;
	struct buf output;
	struct error error;
	uint8_t key[RECOVERY_KEY_SIZE];

	if (unseal_read_key("-", key) != 0)
		return EXIT_USAGE;
	if (chdir(settings->snap_path) != 0) {
		error_set_errno(&error, "%s", settings->snap_path);
		(void)command_fail(&error);
		return EXIT_FAILED;
	}
	fd = file_sealed_memory("recovery", key, sizeof(key), &error);
	explicit_bzero(key, sizeof(key));
	if (fd == -1) {
		(void)command_fail(&error);
		return EXIT_FAILED;
	}
	buf_init(&output, MAX_OUTPUT);
	if (run_snapd(snapctl, settings, "recover", fd, &output) == 0)
		code = EXIT_DONE;
	buf_clear(&output);
	close(fd);
	return code;
}

static int
with_settings(struct snapctl *snapctl,
    int (*run)(struct snapctl *snapctl, const struct settings *settings))
{
	struct report *report = report_new();
	struct settings *settings =
	    settings_load(snapctl->options.config, NULL, report);
	int code = EXIT_CONFIG;

	if (settings != NULL)
		code = run(snapctl, settings);
	else
		fprintf(stderr, "snapctl: %s cannot be read\n",
		    snapctl->options.config);
	settings_free(&settings);
	report_free(&report);
	return code;
}

int
cmd_rebuild(struct snapctl *snapctl, int argc, char **argv)
{
	(void)argv;
	return argc > 0 ? command_usage("rebuild")
			: with_settings(snapctl, rebuild);
}

int
cmd_recover_key(struct snapctl *snapctl, int argc, char **argv)
{
	(void)argv;
	return argc > 0 ? command_usage("recover-key < KEY")
			: with_settings(snapctl, recover_key);
}

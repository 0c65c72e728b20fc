/* See offline.h. */
#include "snapctl/offline.h"

#include "common/report.h"
#include "common/settings_parser.h"
#include "common/spawn.h"

#include <stdio.h>
#include <unistd.h>

int
offline_run(struct snapctl *snapctl, const struct settings *settings,
    const char *word, int fd, struct buf *output)
{
	uint32_t uid = geteuid() == 0 ? settings->uid_service_base + ROLE_SNAPD
				      : geteuid();
	char program[600];
	const struct spawn spawn = { .program = program,
		.arguments = { word },
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

int
offline_with_settings(struct snapctl *snapctl,
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

/* snapctl recover-key: snapd, started for nothing else, puts a lost store key
 * back with the recovery key. */
#include "common/file.h"
#include "snapctl/offline.h"
#include "snapctl/snapctl.h"
#include "snapctl/unseal.h"

#include <string.h>
#include <unistd.h>

enum {
	MAX_OUTPUT = 1000
};

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
	if (offline_run(snapctl, settings, "recover", fd, &output) == 0)
		code = EXIT_DONE;
	buf_clear(&output);
	close(fd);
	return code;
}

int
cmd_recover_key(struct snapctl *snapctl, int argc, char **argv)
{
	(void)argv;
	return argc > 0 ? command_usage("recover-key < KEY")
			: offline_with_settings(snapctl, recover_key);
}

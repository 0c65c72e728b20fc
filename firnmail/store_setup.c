/* See store_setup.h. */
#include "firnmail/store_setup.h"

#include "common/file.h"
#include "common/spawn.h"
#include "firnmail/directory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What snapd makes first in the directory of a new store. */
#define STORE_INDEX "index"

/* 1, 0 or -1. */
static int
has_store(int snap_fd, struct error *error)
{
	int fd = file_open_directory(snap_fd, STORE_INDEX, error);

	if (fd == -1)
		return error->code == ERROR_MISSING ? 0 : -1;
	close(fd);
	return 1;
}

/* In groups of eight, as it is to be written down. */
static void
show_recovery_key(struct text hex)
{
	char groups[100];
	size_t i, n = 0;

	for (i = 0; i < hex.size && n + 2 < sizeof(groups); i++) {
		if (i > 0 && i % 8 == 0)
			groups[n++] = '-';
		groups[n++] = hex.data[i];
	}
	groups[n] = '\0';
	/* Whatever the form of the output: there is no second time. */
	fprintf(stderr,
	    "The recovery key of this store: write it down, keep it away from "
	    "this host.\n"
	    "It is shown this once. Without the file `key` of the store it is "
	    "what opens sealed mail,\nand nothing else opens the passwords and "
	    "private keys that the store keeps:\n    %s\n",
	    groups);
	explicit_bzero(groups, sizeof(groups));
}

static int
create_store(const struct firnmail *firnmail, int snap_fd, uint32_t uid,
    char id_hex[33], struct error *error)
{
	struct spawn spawn = { .arguments = { "create" },
		.fds = { snap_fd },
		.fd_count = 1,
		.uid = uid };
	uint8_t id[16], recovery[32];
	struct text rest, line;
	char program[600];
	struct buf output;
	int status;

	(void)snprintf(program, sizeof(program), "%s/%s",
	    firnmail->options.libexec, role_name(ROLE_SNAPD));
	buf_init(&output, 1024);
	spawn.program = program;
	status = spawn_and_read(&spawn, &output, error);
	rest = text_make(output.data, output.size);
	if (status == 0 &&
	    (!text_next(&rest, '\n', &line) ||
		text_parse_hex(line, id, sizeof(id)) == -1 ||
		!text_next(&rest, '\n', &line) ||
		text_parse_hex(line, recovery, sizeof(recovery)) == -1))
		status = error_set(
		    error, ERROR_INPUT, "%s gave no store id", program);
	if (status == 0) {
		text_format_hex(id, sizeof(id), id_hex);
		show_recovery_key(line);
	}
	explicit_bzero(recovery, sizeof(recovery));
	explicit_bzero(output.data, output.size);
	buf_clear(&output);
	return status;
}

static int
write_id(
    const struct firnmail *firnmail, const char *id_hex, struct error *error)
{
	const char *name;
	char line[40];
	int fd = directory_of(firnmail->options.config, &name, error);
	int n, status;

	if (fd == -1)
		return -1;
	n = snprintf(line, sizeof(line), "%s\n", id_hex);
	status = file_replace(fd, "store-id", line, (size_t)n, 0644, error);
	close(fd);
	return status;
}

/* 1: to be made, 0: all is well, -1: neither. */
static int
decide(const struct firnmail *firnmail, bool is_there, struct error *error)
{
	const char *id = firnmail->settings->store_id;
	const char *path = firnmail->settings->snap_path;

	if (is_there && firnmail->options.is_new_store)
		return error_set(error, ERROR_REFUSED,
		    "--new-store: %s holds a store; nothing here removes one",
		    path);
	if (is_there && id[0] == '\0')
		return error_set(error, ERROR_REFUSED,
		    "%s holds a store, but store-id beside the configuration "
		    "is missing: put its id there",
		    path);
	if (is_there)
		return 0;
	if (id[0] != '\0' && !firnmail->options.is_new_store)
		return error_set(error, ERROR_REFUSED,
		    "the store %s is gone from %s: bring its disk back, or "
		    "begin an empty one with --new-store",
		    id, path);
	return 1;
}

static int
setup_in(const struct firnmail *firnmail, int snap_fd, uint32_t uid,
    struct error *error)
{
	struct error cause;
	char id_hex[33];
	int is_there = has_store(snap_fd, error);
	int wanted;

	if (is_there == -1)
		return -1;
	wanted = decide(firnmail, is_there == 1, error);
	if (wanted != 1)
		return wanted;
	if (create_store(firnmail, snap_fd, uid, id_hex, error) == -1)
		return -1;
	if (write_id(firnmail, id_hex, &cause) == -1)
		return error_set(error, cause.code,
		    "store %s was made, but store-id cannot be written: %s",
		    id_hex, cause.text);
	return 1;
}

int
store_setup(const struct firnmail *firnmail, struct error *error)
{
	const struct settings *settings = firnmail->settings;
	uint32_t uid = geteuid() == 0 ? settings->uid_service_base + ROLE_SNAPD
				      : geteuid();
	int snap_fd = directory_make(settings->snap_path, 0700, uid, error);
	int status;

	if (snap_fd == -1)
		return -1;
	status = setup_in(firnmail, snap_fd, uid, error);
	close(snap_fd);
	return status;
}

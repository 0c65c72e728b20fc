/*
 * The Landlock wall of a role: everything the kernel's level knows is
 * forbidden, then the role's own directory is opened again.  Rule sets stack:
 * a child of the broker has its own and the broker's, so the broker's holds
 * what they need to begin (libraries, their programs) and the mail, and never
 * the store.  Landlock does not cover chmod, chown and inotify: it is one wall
 * of several.
 */
#include "common/sandbox_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum {
	CREATE_VERSION = 1,
	RULE_PATH_BENEATH = 1,
	RULE_NET_PORT = 2 /* level 4 */
};

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	FS_LEVEL_1 = (1 << 13) - 1,

	NET_BIND_TCP = 1, /* level 4 */
	NET_CONNECT_TCP = 2,
	SCOPE_ABSTRACT = 1, /* level 6 */
	SCOPE_SIGNAL = 2,

	RIGHTS_PROGRAM = FS_EXECUTE | FS_READ_FILE,
	RIGHTS_LIBRARY = RIGHTS_PROGRAM | FS_READ_DIR,
	RIGHTS_ROOT = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR |
		      FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |
		      FS_MAKE_REG | FS_REFER | FS_TRUNCATE
};

struct ruleset_attributes {
	uint64_t handled_fs;
	uint64_t handled_net;
	uint64_t scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

static struct ruleset_attributes
attributes_of_level(long level, bool connects)
{
	struct ruleset_attributes attributes = { .handled_fs = FS_LEVEL_1 };

	if (level >= 2)
		attributes.handled_fs |= FS_REFER;
	if (level >= 3)
		attributes.handled_fs |= FS_TRUNCATE;
	if (level >= 4)
		attributes.handled_net =
		    connects ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
	if (level >= 5)
		attributes.handled_fs |= FS_IOCTL_DEV;
	if (level >= 6)
		attributes.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return attributes;
}

/* The kernel takes the size of the struct as its level knew it. */
static size_t
attributes_size(long level)
{
	if (level >= 6)
		return 3 * sizeof(uint64_t);
	return (level >= 4 ? 2 : 1) * sizeof(uint64_t);
}

static int
allow(
    int ruleset, int fd, uint64_t rights, uint64_t handled, struct error *error)
{
	struct path_rule rule = { rights & handled, fd };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule,
		0) == -1)
		return error_set_errno(error, "landlock_add_rule");
	return 0;
}

/* What does not exist on this system needs no rule. */
static int
allow_path(int ruleset, const char *path, uint64_t rights, uint64_t handled,
    struct error *error)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int result;

	if (fd == -1)
		return 0;
	result = allow(ruleset, fd, rights, handled, error);
	close(fd);
	return result;
}

static int
allow_programs(int ruleset, const struct sandbox_request *request,
    uint64_t handled, struct error *error)
{
	const char *const directories[] = { "/usr/lib", "/usr/lib64", "/lib",
		"/lib64" };

	for (size_t i = 0; i < request->program_count; i++)
		if (request->program_fds[i] != -1 &&
		    allow(ruleset, request->program_fds[i], RIGHTS_PROGRAM,
			handled, error) == -1)
			return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]);
	     i++)
		if (allow_path(ruleset, directories[i], RIGHTS_LIBRARY, handled,
			error) == -1)
			return -1;
	if (request->is_sanitizer &&
	    allow_path(ruleset, "/proc", FS_READ_FILE | FS_READ_DIR, handled,
		error) == -1)
		return -1;
	return allow_path(
	    ruleset, "/etc/ld.so.cache", FS_READ_FILE, handled, error);
}

static int
add_rules(int ruleset, const struct sandbox_request *request,
    enum file_rights files, uint64_t handled, struct error *error)
{
	if (files == FILES_NONE)
		return 0;
	if (files == FILES_STARTER &&
	    allow_programs(ruleset, request, handled, error) == -1)
		return -1;
	if (request->has_source &&
	    allow(ruleset, request->source_fd, FS_READ_FILE | FS_READ_DIR,
		handled, error) == -1)
		return -1;
	if (request->root_fd == -1)
		return 0;
	return allow(ruleset, request->root_fd, RIGHTS_ROOT, handled, error);
}

/* Who connects out may choose from which address, not from which port. */
static int
allow_any_port(int ruleset, struct error *error)
{
	const struct port_rule rule = { NET_BIND_TCP, 0 };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) ==
	    -1)
		return error_set_errno(error, "landlock_add_rule");
	return 0;
}

int
sandbox_landlock_enter(const struct sandbox_request *request,
    const struct sandbox_profile *profile, struct error *error)
{
	bool connects = (profile->calls & CALLS_CONNECT) != 0;
	enum file_rights files = profile->files;
	struct ruleset_attributes attributes;
	long level;
	int ruleset, result;

	level = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	if (level < 1 || (level < 2 && files != FILES_NONE))
		return 0;
	attributes = attributes_of_level(level, connects);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes,
	    attributes_size(level), 0);
	if (ruleset == -1)
		return error_set_errno(error, "landlock_create_ruleset");
	result =
	    add_rules(ruleset, request, files, attributes.handled_fs, error);
	if (result == 0 && connects && attributes.handled_net != 0)
		result = allow_any_port(ruleset, error);
	if (result == 0 &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) == -1)
		result = error_set_errno(error, "landlock_restrict_self");
	close(ruleset);
	return result == 0 ? 1 : -1;
}

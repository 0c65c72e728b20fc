/*
 * The walls around each role, declared in one table (sandbox_profile.c):
 * which uid, which root, which capabilities, which files, which system calls.
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include "common/error.h"
#include "common/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Walls that stand, as `ready` reports them. */
enum {
	WALL_UID = 1, /* a uid of the role's own */
	WALL_CHROOT = 2,
	WALL_CAPABILITIES = 4, /* none, or the declared ones only */
	WALL_LANDLOCK = 8,
	WALL_SECCOMP = 16,
	WALL_BOUNDING = 32 /* no exec brings a capability back */
};

struct sandbox_request {
	enum role role;
	uint32_t uid; /* and gid: (uid_t)-1 to stay who we are */
	uint32_t gid;
	int root_fd;     /* directory to chroot into, -1: none */
	int seccomp_fd;  /* compiled filter, -1: none */
	bool has_source; /* import: what may be read beside the root */
	int source_fd;
	bool is_one_uid;
	bool is_sanitizer;      /* ASan build: /proc may be read */
	const int *program_fds; /* broker: what it may execute */
	size_t program_count;
	unsigned int without; /* red team only: walls to leave open */
};

/* The uids (and gids) that the broker's filter lets it and its children take:
 * the services below it, `service_base` + role, and the accounts, for which
 * (uid & account_mask) == account_base. */
struct sandbox_ranges {
	uint32_t service_base;
	uint32_t account_base;
	uint32_t account_mask;
};

/* Shuts all walls of the role, in the order of docs/processes. 0, or -1 with
 * the wall that could not be shut. `walls` gets those that stand. */
int sandbox_enter(const struct sandbox_request *request, uint32_t *walls,
    struct error *error);

/* Shuts the filter that was compiled into `fd`: the last wall, after which no
 * new privileges are needed. 0, or -1. */
int sandbox_enter_filter(int fd, struct error *error);

/*
 * Compiles the role's seccomp filter into a new sealed memfd (master, the build
 * and tests: the one user of libseccomp is sandbox_filter.c, in
 * libsandboxfilter.a, so that no other program links it). Descriptor or -1.
 */
int sandbox_filter_compile(enum role role, const struct sandbox_ranges *ranges,
    unsigned int process_flags, struct error *error);
/* The kernel that will run the filter has what we need, whatever this one has:
 * for filters that are made when we are built. */
void sandbox_filter_assume_kernel(void);

#endif

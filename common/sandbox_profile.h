/*
 * The declared walls of each role: the one table that sandbox.c shuts and
 * sandbox_filter.c compiles.
 */
#ifndef COMMON_SANDBOX_PROFILE_H
#define COMMON_SANDBOX_PROFILE_H

#include "common/messages.h"

#include <stddef.h>
#include <stdint.h>

/* Groups of system calls, by what a role must do. */
enum call_group {
	CALLS_BASE = 1,        /* channels, loop, memory, time, end */
	CALLS_ACCEPT = 2,      /* take connections of a bound socket */
	CALLS_MEMORY = 4,      /* sealed memfds for large bodies */
	CALLS_FILES = 8,       /* files beneath its root */
	CALLS_STORE = 16,      /* LMDB's locks and synchronous writes */
	CALLS_CHILDREN = 32,   /* fork without exec (authd's hashing) */
	CALLS_STARTER = 64,    /* vfork, execveat, socketpair (broker) */
	CALLS_BEGIN = 128,     /* ld.so and process_begin (broker's children) */
	CALLS_CONFINE = 256,   /* ids in the range, chroot, Landlock, seccomp */
	CALLS_TERMINAL = 512,  /* is it one (the administrator's commands) */
	CALLS_CONNECT = 1024,  /* streams out to the network (relay) */
	CALLS_DATAGRAM = 2048, /* and datagrams (resolver) */
	CALLS_THREADS = 4096,  /* threads of its own */
	CALLS_SANITIZER = 8192 /* ASan build only */
};

/* What Landlock lets the role do beneath START_ROOT. */
enum file_rights {
	FILES_NONE,
	FILES_ROOT,   /* everything but execute, devices and sockets */
	FILES_STARTER /* that, for its children, and programs to execute */
};

struct sandbox_profile {
	unsigned int calls; /* of enum call_group */
	enum file_rights files;
	uint64_t capabilities; /* kept, and handed to children (ambient) */
	/* What a taken-over one can use up: RLIMIT_DATA (maps of files, the
	 * store's, do not count), RLIMIT_NOFILE, and RLIMIT_NPROC of a role
	 * that may fork or, facing mail, start threads (0: it may not, or has
	 * no uid of its own to count). The broker's are those of its children
	 * at least, who inherit them. */
	uint32_t memory_mib;
	uint32_t descriptors;
	uint32_t processes;
};

/* NULL for master, the one role that is not confined. Of the administrator's
 * commands only `calls` counts (sandbox_tool.h). */
const struct sandbox_profile *sandbox_profile_find(enum role role);

/* A call of a group; only if argument & mask == value for each of its
 * conditions. Several rows of one name are alternatives. */
struct call_condition {
	unsigned char argument;
	uint64_t mask;
	uint64_t value;
};

struct call_rule {
	const char *name;
	unsigned char condition_count;
	struct call_condition conditions[2];
};

const struct call_rule *sandbox_profile_calls(
    enum call_group group, size_t *count);

#endif

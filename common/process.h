/*
 * How a process of Firnmail begins.  Its starter (master or broker) leaves one
 * descriptor, PROCESS_STARTER_FD: a channel whose first message is `start`,
 * with everything else the process may own.  In order: receive it, take the
 * descriptors, shut the sandbox (common/sandbox.h), make the loop, say ready.
 */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

#include "common/channel.h"
#include "common/sandbox.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PROCESS_STARTER_FD = 3
};

/* What a descriptor of `start` or `settings` is: its byte in `kinds`. */
enum start_descriptor {
	START_LOG = 1,    /* the logger's channel */
	START_SETTINGS,   /* sealed memfd: the role's slice of the settings */
	START_ACCOUNTS,   /* sealed memfd: the role's slice of the accounts */
	START_SECCOMP,    /* sealed memfd: the role's compiled filter */
	START_ROOT,       /* directory to chroot into (and Landlock's root) */
	START_LISTENER,   /* bound socket; the n-th is settings' listener n */
	START_CONTROL,    /* bound unix socket for snapctl or firnmail */
	START_KEY,        /* private key file, opened; the n-th is key n */
	START_EXECUTABLE, /* broker: O_PATH of a program; order as enum role */
	START_FILTERS,    /* broker: sealed memfds of filters, as enum role */
	START_SYSLOG,     /* logger: connected socket or stderr */
	START_CHANNEL_SNAPD, /* channel ends made by the starter */
	START_CHANNEL_KEYD,
	START_CHANNEL_LOGGER,
	START_NULL,        /* an open /dev/null */
	START_LOCAL_USERS, /* authd: sealed memfd, a line "uid name" each */
	START_DATA         /* verify: the store's data.mdb, for reading only */
};

/* Why a process is told of to snapd, which then pins the last 24 hours. */
/* Of a worker_idle. */
enum idle_reason {
	IDLE_FOR_LONG, /* it may go, */
	IDLE_JUST_NOW, /* and this if its place is wanted, */
	IDLE_ASLEEP    /* and this at once: its sessions sleep */
};

/* What a session_sleep waits for: of each topic 8 bytes of a number, 0 for any,
 * and one of bits. */
enum {
	TOPIC_SIZE = 9,
	TOPICS_MAX = 512
};

enum alarm_reason {
	ALARM_KILLED,    /* by its seccomp filter */
	ALARM_MISBEHAVED /* it sent what it may not */
};

/* Bits of `flags` in start. */
enum {
	PROCESS_ONE_UID = 1,   /* all roles share the uid they have */
	PROCESS_SANITIZER = 2, /* ASan build: the filters allow its calls */
	PROCESS_VERBOSE = 4    /* log debug lines */
};

struct process {
	enum role role;
	uint32_t account; /* worker: whose; else 0 */
	uint64_t instance;
	unsigned int flags;
	uint32_t uid;
	uint32_t gid;
	int log_fd; /* the logger's channel, which log.c writes to */
	size_t fd_count;
	int fds[CHANNEL_MAX_DESCRIPTORS]; /* -1 once taken */
	enum start_descriptor kinds[CHANNEL_MAX_DESCRIPTORS];
};

/*
 * Receives `start` on PROCESS_STARTER_FD, checks that it names `role`, opens
 * the log, puts /dev/null on 0 to 2 and closes everything that is not listed.
 * Any failure is fatal.
 */
void process_begin(struct process *process, enum role role);

/* The n-th descriptor of a kind, now the caller's; -1 if there is none. */
int process_take(
    struct process *process, enum start_descriptor kind, unsigned int n);

/* Closes what was not taken and shuts the sandbox of the role: ids, chroot,
 * capabilities, Landlock, seccomp, in this order. Returns the walls that stand
 * (sandbox.h). A wall that should stand and does not is fatal. */
uint32_t process_confine(struct process *process);

/* The same with the programs that may be executed (broker), or with walls left
 * open (red team). */
uint32_t process_confine_with(struct process *process, const int *program_fds,
    size_t program_count, unsigned int without);

/* The channel to the starter for the loop, after `ready` was sent on it. */
struct channel *process_ready(struct process *process, struct event_loop *loop,
    uint32_t walls, const struct channel_handler *handler, void *context);

/*
 * For a handler's `closed`, before channel_free: if the peer, as introduce
 * named it, misbehaved, the starter is told and will end it. Nothing happens
 * for any other reason (`error` may be NULL), or without a starter.
 */
void process_peer_closed(const struct error *error, enum role peer,
    uint32_t account, uint64_t instance);

#endif

/*
 * A real process in its real sandbox, started by a program that plays everybody
 * else around it: what relay_alone, smtp_alone and net_stand share.
 */
#ifndef TESTS_SYSTEM_REAL_PROCESS_H
#define TESTS_SYSTEM_REAL_PROCESS_H

#include "common/channel.h"
#include "common/log.h"
#include "common/process_start.h"
#include "common/settings.h"

enum {
	INSTANCE = 7 /* of whatever is started */
};

/* Ends the program with what failed, unless it is so. */
void must(bool ok, const char *what);

/* For a channel's handler: says so if the peer misbehaved. */
void peer_gone(
    struct channel *channel, const struct error *error, void *context);

/* What start->role is started with by all: the executable `program` of the
 * build, uid, walls, an empty root, and a logger that writes to standard error
 * what is as grave as `level`.  Settings and more are the caller's to give. */
void real_process_prepare(struct process_start *start, struct event_loop *loop,
    const struct settings *settings, const char *build, const char *program,
    enum log_level level);

/* "status N" or "signal N"; valid until the next call. */
const char *real_process_ending(int status);

#endif

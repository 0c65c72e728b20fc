/*
 * What supervisor.c (starting and ending), introductions.c (who is told of
 * whom) and child_requests.c (what children ask) share: those that master
 * starts itself.
 */
#ifndef MASTER_CHILDREN_H
#define MASTER_CHILDREN_H

#include "master/supervisor.h"

#include "common/channel.h"
#include "common/process.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	CHILD_COUNT = 10
};

struct child {
	struct supervisor *supervisor;
	enum role role;
	pid_t pid; /* 0: not running */
	struct channel *channel;
	int log_end; /* the logger's end of its log channel */
	bool is_ready;
	bool was_ready;
	uint64_t instance;
	int64_t started_us;
	uint32_t uid;
	uint32_t walls; /* as it said when it was ready */
	unsigned int starts;
	unsigned int quick_ends;
	struct timer *restart;
	unsigned int alarms; /* bits by enum alarm_reason, not yet told */
};

struct supervisor {
	struct event_loop *loop;
	const struct resources *resources;
	struct config *const *config;
	struct supervisor_hooks hooks;
	struct child children[CHILD_COUNT];
	uint64_t next_instance;
	int64_t started_us;
	bool is_stopping;
	bool told_ready;
	int log_fd; /* master's own log channel: the logger's end */
	struct timer *stop_timer;
};

struct child *supervisor_child(struct supervisor *supervisor, enum role role);

/* One has been started: it and the others are told of each other. */
void introductions_started(struct child *child);
/* The broker hears of it, for `firnmail status`. */
void introductions_elder(struct child *child);

/* snapd hears that it was killed or misbehaved: now, or when it is ready. */
void introductions_alarm(struct child *child, enum alarm_reason reason);
void introductions_tell_alarms(struct supervisor *supervisor);

void child_make_home(struct child *child, uint32_t account);
void child_reap(struct child *broker, int pidfd);
void child_distrust(struct child *child, const struct message *message);
void child_reload(struct child *broker, uint64_t tag);

#endif

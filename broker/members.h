/*
 * The processes that the broker starts: authd, queue, smtpd, imapd, and a
 * worker for each active account.  A member is one such place; it is started
 * again when its process ends, and each time its channels are made anew.
 */
#ifndef BROKER_MEMBERS_H
#define BROKER_MEMBERS_H

#include "common/account.h"
#include "common/event_loop.h"
#include "common/process_start.h"
#include "common/settings.h"

#include "broker/alarms.h"
#include "broker/grants.h"

#include <stdbool.h>

struct workers;
struct broker;

/* What processes of a role are given, as master's equip said. */
struct equipment {
	bool is_set;
	uint32_t uid;
	uint64_t generation;
	size_t fd_count;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	uint8_t kinds[CHANNEL_MAX_DESCRIPTORS];
};

struct member {
	struct broker *broker;
	enum role role;
	uint32_t account; /* worker: whose */
	uint32_t uid;
	pid_t pid; /* 0: not running */
	uint64_t instance;
	uint64_t generation;
	struct channel *channel;
	int log_end;
	uint32_t walls;
	int64_t started_us;
	unsigned int starts;
	unsigned int quick_ends;
	struct timer *timer; /* service: restart; worker: linger, restart */
	struct timer *kill_timer;
};

/* One that master started. */
struct elder {
	pid_t pid; /* 0: not heard of */
	uint32_t uid;
	uint32_t walls;
	uint32_t restarts;
	int64_t started_us;
};

struct broker {
	struct event_loop *loop;
	unsigned int flags;
	int executables[ROLE_COUNT];
	struct equipment equipment[ROLE_COUNT];
	struct settings *settings;
	struct account_table *accounts;
	struct channel *master;
	struct channel *snapd; /* NULL while away */
	struct alarms alarms;  /* that it has not been told of */
	struct channel *keyd;
	struct channel *spool;
	int logger_fd;
	struct elder elders[ROLE_COUNT];
	struct member services[ROLE_COUNT];
	struct workers *workers;
	struct grants *grants;
	uint64_t next_instance;
	bool is_stopping;
};

void members_init(struct broker *broker);

/* The service of a role, or NULL if the broker does not start that role. */
struct member *members_service(struct broker *broker, enum role role);

/* Starts a process in this place; `home` is a worker's root, else -1. */
int member_start(struct member *member, int home, struct error *error);
/* Asks it to end; what does not within some seconds is killed by master. */
void member_stop(struct member *member, uint8_t reason);
/* Has master kill it. */
void member_kill(struct member *member);
void service_start(struct member *member);

/* A channel between a member and another, snapd or keyd: both ends introduced.
 * Does nothing while one of them is away. */
void members_connect(struct member *a, struct member *b);
/* Whether processes of these two roles ever have a channel. */
bool members_are_pair(enum role a, enum role b);
void member_connect_snapd(struct member *member);
void member_connect_keyd(struct member *member);
/* snapd (keyd, logger) is new: everybody gets a new channel to it. */
void members_connect_all(struct broker *broker, enum role role);

/* snapd is told of one that was killed, or misbehaved: now, or when it is
 * there. */
void members_alarm(struct broker *broker, enum role role, uint32_t account,
    enum alarm_reason reason);
void members_tell_alarms(struct broker *broker);

/* At SIGCHLD. */
void members_reap(struct broker *broker);
bool members_are_gone(const struct broker *broker);

/* Implemented by broker/requests.c: a member that misbehaved towards another
 * is killed (and started again), snapd is told. */
void broker_distrust(
    struct broker *broker, enum role role, uint32_t account, uint64_t instance);

/* Implemented by broker/requests.c: what members say. */
extern const struct channel_handler member_handler;

#endif

/*
 * Workers: one for each active account, started when a session or a delivery
 * wants it, stopped when it has been idle for a while, never two of one
 * account at a time.
 */
#ifndef BROKER_WORKERS_H
#define BROKER_WORKERS_H

#include "broker/members.h"
#include "broker/sessions.h"

#include <sys/types.h>

enum {
	WORKER_LINGER_MS = 30000,
	WORKER_WANTED_US = 1000 * 1000,
	/* Of so many places one is kept free, as far as others only idle: who
	 * comes need not wait for an end, which waits for the disk. */
	WORKER_SPARE_SHARE = 32,
	WORKER_MAX_WAITING = 64 /* sessions that wait for one worker */
};

struct workers *workers_new(struct broker *broker);
void workers_free(struct workers **workers);

/* A session of `grant`'s account: answers attached on `front`, now or when the
 * worker runs. Takes *fd, the client's own socket, or -1. */
void workers_attach(struct workers *workers, struct member *front,
    const struct message_attach *wish, int *fd, const struct grant *grant);

/* The queue (snapd) wants the worker: answers when it runs. */
void workers_need(struct workers *workers, uint32_t account, enum role asker);

/* Those that were wanted before it was known what a worker gets. */
void workers_equipped(struct workers *workers);

/* home_made from master; takes *fd. */
void workers_home_made(
    struct workers *workers, uint32_t account, uint8_t status, int *fd);

void worker_idle(struct workers *workers, struct member *member,
    const struct message_worker_idle *said);
/* A session of the worker's sleeps from now on; takes *fd. */
void worker_session_sleeps(
    struct member *member, const struct message_session_sleep *said, int *fd);
void worker_session_ended(struct member *member, uint64_t session);
void worker_mailbox_changed(
    struct member *member, const struct message_mailbox_changed *said);
struct sessions *workers_sessions(struct workers *workers);
void workers_front_gone(struct workers *workers, uint64_t instance);
/* After a reload: sessions of accounts that are gone end. */
void workers_renew_accounts(struct workers *workers);
void worker_ended(struct workers *workers, struct member *member);

/* To the one that has come: what the one before asked is answered to nobody. */
void workers_connect_queue(struct workers *workers);
void workers_connect_snapd(struct workers *workers);
/* What its account may have in its mailboxes. */
void worker_send_quota(struct member *member);

void workers_each(
    struct workers *workers, void (*callback)(struct member *member));
/* Whose process that was, which has ended; NULL: none of these. */
struct member *workers_take_pid(struct workers *workers, pid_t pid);
size_t workers_running(const struct workers *workers);
void workers_stop(struct workers *workers);

#endif

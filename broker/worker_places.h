/*
 * Private to workers.c, worker_answers.c and worker_places.c: a place for the
 * worker of each account that has one, had one a moment ago or wants one, and
 * what waits in it.  Places are found by account or by process; those whose
 * turn matters stand in a line.
 */
#ifndef BROKER_WORKER_PLACES_H
#define BROKER_WORKER_PLACES_H

#include "broker/workers.h"

enum worker_state {
	WORKER_ABSENT,
	WORKER_QUEUED,
	WORKER_HOME,
	WORKER_RUNNING,
	WORKER_STOPPING,
	WORKER_BACKOFF
};

/* Somebody who has logged in, until his session can be opened. */
struct waiting {
	enum role front;
	uint64_t instance;
	uint64_t connection;
	bool is_tls;
	int fd;     /* the client's own socket, or -1 */
	char *said; /* what comes with it: a tag, and input behind it */
	size_t tag_size;
	size_t input_size;
	struct grant grant;
};

/* First come, first served. */
struct worker_line {
	struct worker *first;
	struct worker *last;
	size_t count;
};

struct worker {
	struct member member; /* first: a worker's member is its worker */
	struct workers *workers;
	enum worker_state state;
	struct worker_line *line; /* queued or idle; NULL: in none */
	struct worker *before;
	struct worker *behind;
	/* Their requests, each of which gets an answer. */
	unsigned int queue_waits;
	unsigned int snapd_waits;
	int64_t wanted_us;
	struct session_list *sessions;
	uint64_t sessions_given; /* to the process that runs */
	size_t waiting_count;
	struct waiting *waiting; /* NULL, or room for WORKER_MAX_WAITING */
};

struct workers {
	struct broker *broker;
	struct table *by_account;
	struct table *by_process;
	struct sessions *sessions;
	struct worker_line queued; /* with WORKER_QUEUED */
	struct worker_line idle;   /* said so, and nothing was wanted since */
	size_t running;
	size_t stopping; /* of these, retired */
};

/* -- Places -- */

struct worker *worker_find(const struct workers *workers, uint32_t account);
/* A new one is empty: no timers, no list of sessions. */
struct worker *worker_add(struct workers *workers, uint32_t account);
/* Frees the place; its process has ended. */
void worker_forget(struct worker *worker);
/* As table_next: the one just returned may be forgotten. NULL at the end. */
struct worker *worker_next(const struct workers *workers, size_t *position);

/* It runs: workers_take_pid finds it. */
void worker_enter_process(struct worker *worker);

/* The last of that line, whatever line it stood in before. */
void worker_enter_line(struct worker *worker, struct worker_line *line);
/* Nothing, if it stands in none. */
void worker_leave_line(struct worker *worker);

/* -- What waits (worker_answers.c) -- */

bool worker_is_wanted(const struct worker *worker);
/* false: too many do already. */
bool worker_keep_waiting(struct worker *worker, const struct waiting *waiting);
/* One that cannot even wait. */
void worker_refuse(
    const struct broker *broker, struct waiting *waiting, enum status status);

/* STATUS_OK: it runs, and gets the sessions. */
void worker_answer_sessions(struct worker *worker, enum status status);
void worker_answer_askers(struct worker *worker, enum status status);
/* And those that sleep and are to be woken. May forget the worker. */
void worker_answer_all(struct worker *worker, enum status status);

#endif

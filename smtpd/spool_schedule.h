/*
 * When what is tried: the memory of the spool about parcels and destinations.
 * Time goes in, decisions come out; nothing is read or written here.  Times are
 * milliseconds since 1970.
 *
 * A parcel waits until its time, then in the line of its sender at its
 * destination.  Destinations that may have another connection stand in rings by
 * how many they have, the fewest first, and the senders of each in one: a turn
 * is one parcel, of the next sender, of the next destination.  Within a
 * sender's line priority goes before age.
 *
 * A destination begins with SPOOL_WINDOW_START connections at once; each
 * success makes room for more, up to SPOOL_WINDOW_MAX; trouble of the
 * destination halves it, and when as many have failed in a row as may run, it
 * is left alone for a time that grows: its parcels wait, at no cost, and one of
 * them is sent ahead when it is over.
 */
#ifndef SMTPD_SPOOL_SCHEDULE_H
#define SMTPD_SPOOL_SCHEDULE_H

#include "common/text.h"
#include "smtpd/spool_window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCHEDULE_MAX_RUNNING = 400, /* jobs, all together */
	SCHEDULE_SHARE = 4,         /* of what is free, that one may have */
	SCHEDULE_MAX_RETURNS = 3    /* of a parcel, by a relay that died */
};

struct schedule;

/* In seconds. */
struct schedule_settings {
	uint32_t retry_s;      /* after the first try, then twice as long, */
	uint32_t retry_most_s; /* at most so long; */
	uint32_t probe_most_s; /* the same for a destination in trouble */
	uint32_t expire_s;     /* until it is given up */
	uint32_t notice_s;     /* until the sender hears that it is late */
	uint64_t seed;         /* of the jitter: an eighth, either way */
};

struct schedule_parcel {
	uint64_t message;
	uint16_t number;
	uint16_t tries;
	int8_t priority;
	bool is_held;
	bool is_noticed;
	uint32_t account; /* whose line it stands in */
	int64_t time;     /* when the message was taken */
	int64_t next;     /* not before */
	/* RFC 2852: given up then, or (not is_returned) late. 0: whenever. */
	int64_t deliver_by;
	bool is_returned;
	struct text domain;
};

enum schedule_result {
	SCHEDULE_OVER,     /* nobody waits any more: it is forgotten */
	SCHEDULE_AGAIN,    /* the message is to be tried again later */
	SCHEDULE_TROUBLE,  /* the same, and the destination is in trouble */
	SCHEDULE_RETURNED, /* it was not tried: the relay died */
	SCHEDULE_REFUSED   /* it was not tried: the relay has no room */
};

enum schedule_duty {
	SCHEDULE_NONE,
	SCHEDULE_NOTICE, /* its sender should hear that it is late */
	SCHEDULE_EXPIRE  /* it is to be given up */
};

/* What a destination is like, for people. */
struct schedule_destination {
	size_t parcels;
	size_t running;
	unsigned int window;
	unsigned int failures; /* of the destination, in a row */
	int64_t until;         /* it is left alone; 0: it is not */
};

struct schedule *schedule_new(const struct schedule_settings *settings);
void schedule_free(struct schedule **schedule);
void schedule_configure(
    struct schedule *schedule, const struct schedule_settings *settings);

/* One that is known is left as it is. */
void schedule_add(struct schedule *schedule,
    const struct schedule_parcel *parcel, int64_t now);
/* Not of one that runs. */
void schedule_remove(
    struct schedule *schedule, uint64_t message, uint16_t number);
bool schedule_is_running(
    const struct schedule *schedule, uint64_t message, uint16_t number);

/* The next one to be sent now, which runs from then on; false: there is
 * none. */
bool schedule_take(struct schedule *schedule, int64_t now, uint64_t *message,
    uint16_t *number);
/* How it ended. */
void schedule_done(struct schedule *schedule, uint64_t message, uint16_t number,
    enum schedule_result result, int64_t now);

/* When a parcel that was tried so often is tried again. */
int64_t schedule_next_try(const struct schedule *schedule, uint64_t message,
    uint16_t number, unsigned int tries, int64_t now);

/* One that something is due for, if any. What is due for a parcel that runs
 * comes when it has ended. A notice comes once, an expiry until the parcel is
 * gone. */
enum schedule_duty schedule_duty(struct schedule *schedule, int64_t now,
    uint64_t *message, uint16_t *number);

/* A held parcel is neither tried nor given up; one that is no longer held is
 * tried at `next`. */
void schedule_hold(struct schedule *schedule, uint64_t message, uint16_t number,
    bool is_held, int64_t next, int64_t now);
/* It is tried at the next turn, and its destination too. */
void schedule_flush(
    struct schedule *schedule, uint64_t message, uint16_t number, int64_t now);

/* When schedule_duty and, if `is_sending`, schedule_take may have something
 * next if nothing else happens: a time, or INT64_MAX. */
int64_t schedule_wake(const struct schedule *schedule, bool is_sending);

size_t schedule_count(const struct schedule *schedule);
size_t schedule_running(const struct schedule *schedule);
/* False: nothing is known of it. */
bool schedule_destination(const struct schedule *schedule, struct text domain,
    struct schedule_destination *destination);
/* Steps taken so far, for a test that counts what a turn costs. */
uint64_t schedule_steps(const struct schedule *schedule);

#endif

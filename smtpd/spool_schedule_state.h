/*
 * What spool_schedule.c (parcels and turns) and spool_destination.c
 * (destinations, and the lines of senders at them) share.
 */
#ifndef SMTPD_SPOOL_SCHEDULE_STATE_H
#define SMTPD_SPOOL_SCHEDULE_STATE_H

#include "common/table.h"
#include "smtpd/spool_heap.h"
#include "smtpd/spool_ring.h"
#include "smtpd/spool_schedule.h"

enum {
	SCHEDULE_PRIORITIES = 3 /* high, usual, low */
};

struct parcel {
	struct spool_heap_node due;  /* in schedule->waiting */
	struct spool_heap_node duty; /* in schedule->duties, unless held */
	struct spool_link link;      /* in its line, when its time has come */
	struct destination *destination;
	struct line *line; /* that it stands in */
	int64_t time;
	int64_t deliver_by; /* INT64_MAX: whenever */
	uint64_t message;
	uint32_t account;
	uint16_t number;
	uint16_t tries;
	int8_t priority;
	uint8_t returns;
	bool is_running;
	bool is_held;
	bool is_noticed;
	bool is_returned;
};

/* A sender's parcels at a destination whose time has come. */
struct line {
	struct spool_link link; /* in the destination's ring */
	uint64_t key;           /* in schedule->lines */
	struct spool_ring parcels[SCHEDULE_PRIORITIES];
};

struct destination {
	struct spool_heap_node pause; /* in schedule->paused */
	struct spool_link link;       /* in `ready`, one of the schedule's */
	struct spool_ring *ready;     /* or NULL */
	struct spool_ring lines;      /* that are not empty */
	uint32_t number;
	size_t parcels; /* of all kinds */
	size_t running;
	struct spool_window window;
	size_t name_size;
	char name[];
};

struct schedule {
	struct schedule_settings settings;
	struct table *parcels; /* by message and number */
	struct table *destinations;
	struct table *lines; /* by destination's number and account */
	uint32_t next_number;
	/* Destinations that may have another connection and have something for
	 * it, by how many they have. */
	struct spool_ring ready[SPOOL_WINDOW_MAX];
	struct spool_heap waiting;
	struct spool_heap duties;
	struct spool_heap paused;
	size_t running;
	int64_t refused_until; /* the relay has no room */
	uint64_t steps;
};

/* ---- spool_destination.c ---- */
struct destination *schedule_get_destination(
    struct schedule *schedule, struct text domain);
/* One that nothing waits for is remembered only while it is in trouble. */
void schedule_release_destination(
    struct schedule *schedule, struct destination *destination);
bool schedule_is_paused(const struct destination *destination);
/* After anything of it has changed. */
void schedule_place_destination(
    struct schedule *schedule, struct destination *destination);
/* Whose turn it is, or NULL. */
struct destination *schedule_next_destination(const struct schedule *schedule);

void schedule_enter_line(struct schedule *schedule, struct parcel *parcel);
void schedule_leave_line(struct schedule *schedule, struct parcel *parcel);
struct parcel *schedule_first_of(const struct line *line);

#endif

/*
 * How often did each of many do something lately?  In memory of a fixed size
 * that nobody can fill up or flush: a count-min sketch, whose cells are times.
 *
 * One who may do something `most` times in a window is worth an interval of
 * window / most.  A cell holds the time at which all that was added to it will
 * have been worked off, an interval each; the count of somebody is what is left
 * in the least of his four cells.  Others who share a cell can only add to it:
 * they never make anybody's count smaller, and an address that is never seen
 * again costs nothing.  All four cells of somebody are shared with the same
 * busy others only while tens of thousands of them are busy in one window.
 *
 * Pure: time is an argument, and the key of the hash.
 */
#ifndef COMMON_RATE_SKETCH_H
#define COMMON_RATE_SKETCH_H

#include <stddef.h>
#include <stdint.h>

struct rate {
	uint32_t most;     /* at once; 0: there is no limit, and no count */
	uint32_t window_s; /* in which all of them are free again */
};

struct rate_sketch;

struct rate_sketch *rate_sketch_new(const uint8_t key[16]);
void rate_sketch_free(struct rate_sketch **sketch);

/* How many of what `who` did count at this time: `rate.most` at most. Never
 * fewer than he did; more only by chance. */
uint32_t rate_sketch_count(const struct rate_sketch *sketch, const void *who,
    size_t size, struct rate rate, int64_t now_us);

/* He does it. Beyond the most it counts no more. */
void rate_sketch_add(struct rate_sketch *sketch, const void *who, size_t size,
    struct rate rate, int64_t now_us);

#endif

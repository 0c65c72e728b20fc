/*
 * UIDs in rising order and their message numbers, as ranges without a gap, each
 * with the count of what stands before it: a million messages of which none was
 * removed are one range.  Finding is a binary search, or none where the one
 * before or its neighbour is asked for again; changing costs by the ranges
 * behind.  Pure.
 */
#ifndef IMAPD_UID_RANGES_H
#define IMAPD_UID_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct uid_range {
	uint32_t first;
	uint32_t count;  /* UIDs, each one more than the one before */
	uint32_t before; /* UIDs of the ranges before this one */
};

struct uid_ranges {
	size_t count; /* UIDs */
	struct uid_range *ranges;
	size_t range_count;
	size_t capacity;
	size_t at; /* the range that was found last */
};

/* A zeroed one has no UID. */
void uid_ranges_clear(struct uid_ranges *uids);
/* Those of `from` that are at least `uid`, above all that are there. */
void uid_ranges_append_from(
    struct uid_ranges *to, struct uid_ranges *from, uint32_t uid);
/* Of the first `count` UIDs of `from`, into an empty one. */
void uid_ranges_copy(
    struct uid_ranges *to, const struct uid_ranges *from, size_t count);

/* Numbers are 1 to count; 0: there is none. */
uint32_t uid_ranges_uid(struct uid_ranges *uids, size_t number);
/* The first number whose UID is at least `uid`; count + 1: there is none. */
size_t uid_ranges_number_from(struct uid_ranges *uids, uint32_t uid);
/* 0: it is not there. */
size_t uid_ranges_number(struct uid_ranges *uids, uint32_t uid);

/* So many UIDs from `number` on, which there is, are each one more than the one
 * before. */
size_t uid_ranges_run(struct uid_ranges *uids, size_t number);

/* `uid` and those behind it, so many, above all that are there. */
void uid_ranges_append(struct uid_ranges *uids, uint32_t uid, uint32_t count);
void uid_ranges_remove(struct uid_ranges *uids, size_t number);

#endif

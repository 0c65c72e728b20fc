/*
 * Zeros ahead of the last page of the store's file.  A commit that makes the
 * file longer waits for the file system's journal as well as for its own
 * pages, so the file is made longer beforehand, a step at a time, when nobody
 * waits.  What was written ahead is also the reserve that a full disk cannot
 * take: it is kept for deaths, marks and expiry, while mail is refused.
 *
 * The zeros go through the same descriptor and the same thread as LMDB's pages,
 * between two write transactions: they never meet a page that is in use, and
 * the fdatasync of the next commit covers them.
 */
#ifndef SNAPD_GROWTH_H
#define SNAPD_GROWTH_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	GROWTH_STEP = 1 << 20,
	GROWTH_BUSY_STEP = 256 << 10,
	GROWTH_MIN = 16 << 20, /* ahead: an eighth of what is used, */
	GROWTH_MAX = 64 << 20, /* between these */
	GROWTH_SPARE = 4 << 20 /* more blocks than that are given back */
};

struct growth {
	int fd;            /* the store's */
	uint64_t limit;    /* the file never becomes longer */
	uint64_t prepared; /* bytes from the start that have their blocks */
	uint64_t reserved; /* and that have them without zeros, or 0 */
	bool is_disk_full; /* the last step found no room */
};

/* The file as it is: `used` of its bytes belong to pages. */
int growth_open(struct growth *growth, int fd, uint64_t used, uint64_t limit,
    struct error *error);

/* How far ahead of `used` the zeros shall reach. Pure, as are the next two. */
uint64_t growth_wanted(uint64_t used, uint64_t limit);
/* How many to write now, 0: none. When busy: few, and only if most are gone. */
uint64_t growth_step(const struct growth *growth, uint64_t used, bool is_idle);
/* May `bytes` be added? On a full disk only what leaves half of the zeros. */
bool growth_has_room(
    const struct growth *growth, uint64_t used, uint64_t bytes);

/* Whether `bytes` behind `used` have their blocks. Those that have none yet are
 * reserved: this touches no byte, so it may be done while a transaction is
 * open, and it is, where zeros would come too late. */
bool growth_reserve(struct growth *growth, uint64_t used, uint64_t bytes);

/* Whether the disk has nothing behind the end of the file: asked when a commit
 * of more than could be reserved has failed. */
bool growth_met_the_end(struct growth *growth);

/* Large commits, which reserve what they may need at most, left more blocks
 * than are kept ahead, and the disk is not full. Pure. */
bool growth_has_spare(const struct growth *growth, uint64_t used);
/* All that have neither page nor zeros. No transaction may be open. */
void growth_give_back(struct growth *growth);

/* Writes `size` zeros and starts them on their way to the disk. -1 and error:
 * ERROR_FULL, and whatever the disk says; then the file is good as it is. */
int growth_write(
    struct growth *growth, uint64_t used, uint64_t size, struct error *error);

/* Tests only: the next steps fail with this errno; 0: none. */
void growth_set_fault(int errno_value);

#endif

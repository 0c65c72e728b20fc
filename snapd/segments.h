/*
 * All segments of a store, for every thread of snapd: opened when they are
 * first needed, and the blocks that were read last, unpacked.  Messages that
 * are neighbours in a mailbox are neighbours in a block, so that a restore
 * unpacks each block once.
 */
#ifndef SNAPD_SEGMENTS_H
#define SNAPD_SEGMENTS_H

#include "snapd/block_seal.h"
#include "snapd/segment_env.h"

struct segments;

enum {
	SEGMENTS_CACHED_BLOCKS = 16
};

struct segments_options {
	const char *path; /* the store's folder */
	struct store_id store;
	struct aead_key key;
	uint8_t recovery[RECOVERY_KEY_SIZE]; /* for segments that are made */
	uint64_t segment_bytes;              /* of one at most */
	int lock_fd; /* taken over by segments_new, closed at the end */
};

struct segments *segments_new(
    const struct segments_options *options, struct error *error);
/* No thread uses it any more. */
void segments_free(struct segments **segments);

/* They live as long as `segments`. */
const struct segments_options *segments_options(
    const struct segments *segments);

/* How large one may become: the newest not larger than what it was opened
 * for. */
void segments_limit(struct segments *segments, uint64_t segment_bytes);

/* The newest there is, 0 if there is none. */
uint32_t segments_newest(struct segments *segments);
/* Calls for each number, ascending, until it returns other than 0. */
int segments_each(struct segments *segments,
    int (*call)(void *context, uint32_t number), void *context);

/* NULL and error. It lives as long as `segments`, or until it is dropped. */
struct segment_env *segments_get(
    struct segments *segments, uint32_t number, struct error *error);
/* Makes the next one and opens it. The writer's. */
struct segment_env *segments_add(
    struct segments *segments, struct error *error);
/* Does the verifier look at it? */
bool segments_is_held(struct segments *segments, uint32_t number);
/* Closes it and takes its files away. Nobody may read from it any more. */
int segments_drop(
    struct segments *segments, uint32_t number, struct error *error);

/* The account's key as this segment has it: 1, 0, -1. */
int segments_key(struct segments *segments, uint32_t number, uint32_t account,
    bool is_writer, struct aead_key *key, struct error *error);

/* An unpacked block, held until it is released. */
struct block {
	struct block_at at;
	struct block_head head;
	struct text raw;
	/* Private. */
	struct segments *segments;
	unsigned int holders;
	uint64_t used;
};

/* NULL and error: ERROR_DAMAGED if it is not there, or not what its sum says.
 * Any thread reads; several may hold the same block. */
struct block *segments_read(
    struct segments *segments, const struct block_at *at, struct error *error);
void block_release(struct block **block);

#endif

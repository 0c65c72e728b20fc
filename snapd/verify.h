/*
 * Damage detection of the snapshot store, from read-only descriptors of its
 * index and segments and nothing else: the pages (page_walker.h), the sum of
 * every row, the events and their Merkle root, the rows that events cover, the
 * signed heads, the bodies.  Never crashes on any bytes, never writes.
 */
#ifndef SNAPD_VERIFY_H
#define SNAPD_VERIFY_H

#include "common/digest.h"
#include "common/head.h"
#include "snapd/account_key.h"
#include "snapd/page_walker.h"

enum verify_depth {
	VERIFY_CHEAP = 1, /* meta pages and the top of each tree */
	VERIFY_ALL        /* every page and row; bodies by percent */
};

/* A segment to be looked at too. */
struct verify_segment {
	int fd; /* of its data.mdb */
	uint32_t number;
	const uint8_t *meta; /* as below */
};

struct verify_options {
	enum verify_depth depth;
	unsigned int percent; /* of the bodies that are read and hashed */
	const uint8_t *meta;  /* see page_file_open */
	struct findings findings;
	bool has_segments; /* all that there are are given */
	const struct verify_segment *segments;
	size_t segment_count;
	bool has_key; /* to open blocks with */
	struct aead_key key;
	/* From time to time, if not NULL: bytes read of those of the file. */
	void (*progress)(void *context, uint64_t done, uint64_t total);
	void *progress_context;
};

struct verify_result {
	uint64_t findings;
	uint64_t transaction; /* of LMDB */
	uint64_t pages;
	uint64_t lost_pages; /* belong to nothing: wasted, no damage */
	uint64_t rows;
	uint64_t events;
	uint64_t heads;
	uint64_t bodies;
	uint64_t body_bytes; /* read and hashed */
	struct hash root;    /* of the event log */
	uint8_t public_key[HEAD_KEY_SIZE];
};

/* 0: nothing was found; -1: result->findings is how much was. */
int verify_run(
    int fd, const struct verify_options *options, struct verify_result *result);

#endif

/*
 * Moves bodies from the index into sealed segments, in the background: a thread
 * of its own reads, packs, encrypts and writes segments; the index is told by
 * its own writer, in the loop, a few milliseconds at a time.
 *
 * The order of every step: the segment is committed and durable; then the index
 * says where the body lies, and is committed; then the chunks are freed.  Cut
 * anywhere, each body is where the index says, and what was written and is not
 * in the index is found again at the next start (sealing_replay).
 *
 * A pass begins when at_bytes are staged, or after_ms after the first event
 * that no segment has.  Its thread reads nothing that came from outside.
 *
 * What comes in bulk (an import, the adoption of a Maildir) goes into segments
 * at once (sealer_bulk, seal_bulk.h): the thread writes it as soon as it comes,
 * also while it waits for the index to be told of a pass.  The index, which
 * never shrinks, so stays as small as mail alone leaves it.
 *
 * What is large and is staged nevertheless is sealed while it comes: passes
 * follow each other, and who sends it is kept waiting for his answers
 * (sealer_is_behind) as long as more of it is staged than hold_bytes.
 */
#ifndef SNAPD_SEALER_H
#define SNAPD_SEALER_H

#include "common/event_loop.h"
#include "snapd/journal.h"
#include "snapd/segments.h"

struct bulk;
struct sealer;

enum {
	SEALER_SLICE_US = 5000, /* of one transaction of the index */
	SEALER_PAUSE_MS = 10,   /* between two of them */
	SEALER_RETRY_MS = 60000 /* after a full disk */
};

struct sealer_options {
	uint64_t at_bytes;   /* 0: SEALER_AT_BYTES */
	int64_t after_ms;    /* 0: SEALER_AFTER_MS */
	uint64_t hold_bytes; /* 0: SEALER_HOLD_BYTES */
	/* A disk failed: as snapd_options.failed. */
	void (*failed)(void *context, const struct error *error);
	void *context;
};

#define SEALER_AT_BYTES   (UINT64_C(128) << 20)
#define SEALER_AFTER_MS   INT64_C(3600000)
#define SEALER_HOLD_BYTES (UINT64_C(32) << 20)

/* The journal and the segments stay the caller's. */
struct sealer *sealer_new(struct event_loop *loop, struct journal *journal,
    struct segments *segments, const struct sealer_options *options);
/* Another time than that of the options. */
void sealer_configure(struct sealer *sealer, int64_t after_ms);
/* Ends the thread: waits for what it writes now. */
void sealer_free(struct sealer **sealer);

/* A pass as soon as may be. `done`, if not NULL, is called in the loop when one
 * that began after this call has ended; NULL: without an error. It is called
 * with an error at the latest when the sealer is freed. */
void sealer_request(struct sealer *sealer,
    void (*done)(void *context, const struct error *error), void *context);
/* Takes the bulk over until its `done` is called. */
void sealer_bulk(struct sealer *sealer, struct bulk *bulk);
/* So many bytes came in bulk, were staged and are committed. */
void sealer_add_bulk(struct sealer *sealer, uint64_t bytes);
/* More bulk is staged than should be, and less will be soon. */
bool sealer_is_behind(struct sealer *sealer);
/* The round of the journal was committed, or not. */
void sealer_round_ended(struct sealer *sealer, enum status status);

struct sealer_state {
	uint64_t passes;   /* since the start */
	uint64_t failures; /* of which `error` is the last */
	struct error error;
};
void sealer_get_state(struct sealer *sealer, struct sealer_state *state);

#endif

/*
 * A store with sealed segments: a real index and real environments, in one
 * thread, so that a test can cut after any step.  Two accounts, 1 and 2, to
 * which numbered messages of all sizes go in turns.
 */
#ifndef TESTS_UNIT_SEALED_H
#define TESTS_UNIT_SEALED_H

#include "snapd/journal.h"
#include "snapd/object_store.h"
#include "snapd/sealing.h"
#include "snapd/verify.h"
#include "tests/unit/scratch_store.h"

enum {
	MAP_BYTES = 256 << 20,
	SMALL_SEGMENT = 8 << 20
};

struct sealed {
	char path[64];
	uint64_t segment_bytes;
	uint8_t recovery[RECOVERY_KEY_SIZE];
	struct store_id id;
	struct store *store;
	struct segments *segments;
	struct journal *journal;
	struct digest *digest;
	struct sealing sealing;
	uint64_t counter;
	unsigned int messages; /* appended */
	/* Slices of batches that still reach the index. */
	int slices_left;
	bool has_removed; /* bodies, and not their rows */
	int64_t budget_us;
};

/* What the blocks of all segments hold. */
struct sealed_totals {
	struct sealed *f;
	uint64_t body_bytes; /* of bodies in blocks, dead ones too */
	uint64_t blocks;
	uint64_t ends;
};

/* What the verifier told. */
struct sealed_told {
	char first[300];
	bool names_value; /* any of them */
	bool is_missing;
	bool ignores_uses;
	unsigned int ignored;
	unsigned int count;
};

#define SEALED_TEST(name) \
	cmocka_unit_test_setup_teardown(name, sealed_set_up, sealed_tear_down)

int sealed_set_up(void **state);
int sealed_tear_down(void **state);
void sealed_open(struct sealed *f);
void sealed_close(struct sealed *f);
void sealed_reopen(struct sealed *f);
void sealed_commit(struct sealed *f);

/* Message n; its bytes are the caller's. */
size_t sealed_size(unsigned int n);
char *sealed_body(unsigned int n, size_t *size);
/* The blob of message n: 1, or 0 if it is gone; and it goes away, as expiry
 * would do it (the caller says that it has_removed). */
int sealed_find(struct sealed *f, struct transaction *t, unsigned int n,
    struct object *object);
void sealed_remove(struct sealed *f, struct transaction *t, unsigned int n);
/* So many messages more; one change of an account, not yet committed. */
void sealed_add(struct sealed *f, unsigned int count);
void sealed_change(
    struct sealed *f, uint32_t account, const struct message *change);

/* A pass of the sealer: 0 or -1; one that must go well. */
int sealed_pass(struct sealed *f, struct error *error);
void sealed_must_pass(struct sealed *f);

/* Each message of both accounts is there, and as it was; and sealed once, whole
 * and counted. */
void sealed_check_bodies(struct sealed *f, uint64_t *sealed);
void sealed_check(struct sealed *f);

/* Bytes of all bodies; live and dead bytes as the index counts them. */
uint64_t sealed_bytes(const struct sealed *f);
void sealed_sum_use(struct sealed *f, uint64_t *live, uint64_t *dead);
struct sealed_totals sealed_totals(struct sealed *f);
uint64_t sealed_count(struct sealed *f, enum database database);

/* Verifies the store, which is closed. */
void sealed_verify(struct sealed *f, unsigned int percent,
    struct sealed_told *told, struct verify_result *result);
/* It must have no findings. */
void sealed_must_verify(struct sealed *f);

/* The hash of each database; they must be the same but for those whose bits are
 * set. */
void sealed_dump(struct sealed *f, struct hash *hashes);
/* Of any store, a damaged one as far as it can be read. */
void sealed_dump_store(
    struct store *store, struct digest *digest, struct hash *hashes);
void sealed_must_equal(
    const struct hash *before, const struct hash *after, uint32_t except);

#endif

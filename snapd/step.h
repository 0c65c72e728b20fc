/*
 * The steps in which bodies are sealed, bulk is added, segments are collected
 * and rows forgotten: the one list of the points at which a cut can leave them.
 * A step is reached when its work is done; what it wrote is durable where that
 * is said, else with the commit that follows.
 *
 * tests/unit/segments_test, bulk_test, collect_test and expire_cut_test cut at
 * each of them, and fail if one is never reached.
 */
#ifndef SNAPD_STEP_H
#define SNAPD_STEP_H

#define STEP_LIST(STEP)                                                       \
	STEP(SEAL_MADE, "sealing: a segment is there, empty; durable")        \
	STEP(SEAL_WRITTEN, "sealing: blocks stand in a segment; durable")     \
	STEP(SEAL_PLACED, "sealing: a body's row says where it lies")         \
	STEP(SEAL_FREED, "sealing: chunks of a body are free")                \
	STEP(SEAL_KNOWN, "sealing: the index knows a segment so far")         \
	STEP(SEAL_PASSED, "sealing: the rows of a pass are complete")         \
	STEP(SEAL_FULL, "sealing: a segment is full and has its sum")         \
	STEP(SEAL_KEPT, "sealing: the index has a slice of it; durable")      \
	STEP(BULK_WRITTEN, "bulk: bodies stand in a segment; durable")        \
	STEP(BULK_PLACED, "bulk: a new body's row says where it lies")        \
	STEP(BULK_KNOWN, "bulk: the index knows a segment so far")            \
	STEP(BULK_DISOWNED, "bulk: what was refused is dead in its segment")  \
	STEP(COLLECT_LISTED, "collecting: a segment's live bodies are known") \
	STEP(COLLECT_MOVED, "collecting: a body's row says the new place")    \
	STEP(COLLECT_DROPPED, "collecting: the index calls it dropped")       \
	STEP(COLLECT_UNLINKED, "collecting: one of its files is gone")        \
	STEP(COLLECT_GONE, "collecting: its folder is gone; durable")         \
	STEP(EXPIRE_REAPED, "expiring: rows out of reach have died")          \
	STEP(EXPIRE_LOOKED, "expiring: it is known which rows are free")      \
	STEP(EXPIRE_TAKEN, "expiring: a row is gone")                         \
	STEP(EXPIRE_DROPPED, "expiring: its reference to a body is gone")     \
	STEP(EXPIRE_EMPTIED, "expiring: a body nobody refers to is gone")     \
	STEP(EXPIRE_UNDELIVERED, "expiring: where it was delivered is gone")  \
	STEP(EXPIRE_NAMED, "expiring: rows are named, to stay named")         \
	STEP(EXPIRE_LOGGED, "expiring: the event of a slice is in the log")   \
	STEP(COMMITTED, "the index has all of a round; durable")

enum step {
#define STEP(name, what) STEP_##name,
	STEP_LIST(STEP)
#undef STEP
	STEP_COUNT
};

void step_reached(enum step step);

/* Tests only: who is called, NULL for nobody; what a step is. */
void step_set_hook(void (*hook)(enum step step));
const char *step_name(enum step step);

#endif

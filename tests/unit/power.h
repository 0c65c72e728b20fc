/*
 * The power fails: at a step of snapd/step.h, or at one of the writes and syncs
 * that follow it.  Of what was written to a file since it was synced last, each
 * page is on the disk or is not; what was synced is.
 *
 * A test that links this has pwrite, writev, fsync and fdatasync from here,
 * LMDB too.  Folders are as they were at the cut: file.c syncs those itself.
 */
#ifndef TESTS_UNIT_POWER_H
#define TESTS_UNIT_POWER_H

#include "snapd/step.h"

#include <stdbool.h>
#include <stdint.h>

struct power_cut {
	enum step step;
	unsigned int occurrence; /* of the step, from 1 */
	unsigned int calls;      /* writes and syncs later; 0: at once */
	uint64_t seed;           /* which pages are lost */
};

/* Runs it in a child, with the cut: whether there was one before its end. Fails
 * the test if the child ends in any other way. */
bool power_run(
    const struct power_cut *cut, void (*run)(void *context), void *context);

#endif

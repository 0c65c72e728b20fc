/*
 * The file `state` beside an account's index: whether the index may be
 * trusted.  It is synced before the index is first written and after it was
 * closed in order.
 */
#ifndef IMAPD_INDEX_STATE_H
#define IMAPD_INDEX_STATE_H

#include "common/error.h"

#include <stdint.h>

struct index_state {
	char boot[40];    /* of the machine, when it was written */
	uint8_t is_clean; /* the index was closed in order */
	uint8_t crashes;  /* in a row */
};

/* This boot of the machine. */
void index_state_boot(char boot[40]);
/* 0, or -1 if there is none that can be read. */
int index_state_read(int home_fd, struct index_state *state);
int index_state_write(
    int home_fd, const struct index_state *state, struct error *error);

#endif

/*
 * Waiting in a test whose peers live in its own loop.
 */
#ifndef TESTS_UNIT_LOOP_WAIT_H
#define TESTS_UNIT_LOOP_WAIT_H

#include "common/event_loop.h"

#include <stdbool.h>

/* Runs the loop until it is so, or for a minute: is it so? */
bool loop_wait(struct event_loop *loop, bool (*is_so)(void));

#endif

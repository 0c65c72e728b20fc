/*
 * Which walls a program of the red team leaves open: it stands behind the end
 * of its own executable, where the runner wrote it into a copy, as no message
 * and no argument of the product says such a thing.
 */
#ifndef TESTS_REDTEAM_OPEN_WALLS_H
#define TESTS_REDTEAM_OPEN_WALLS_H

#include "common/process.h"

/* WALL_* bits; none in a program that nobody wrote to. */
unsigned int open_walls(void);

/* In the place of process_confine_with: broker/main.c is built a second time
 * with it, into tests/redteam/open_broker. */
uint32_t open_walls_confine(struct process *process, const int *program_fds,
    size_t program_count, unsigned int without);

#endif

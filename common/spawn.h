/*
 * Runs one program of ours to its end, for setup: no shell, no search path, an
 * empty environment, and no descriptor but those that are said.
 */
#ifndef COMMON_SPAWN_H
#define COMMON_SPAWN_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SPAWN_MAX_ARGUMENTS = 8,
	SPAWN_MAX_DESCRIPTORS = 4
};

struct spawn {
	const char *program;                        /* absolute path */
	const char *arguments[SPAWN_MAX_ARGUMENTS]; /* behind it; NULL ends */
	int fds[SPAWN_MAX_DESCRIPTORS];             /* become 3, 4 ... */
	size_t fd_count;
	/* It becomes `uid` before it begins (sandbox_become), or, if it is to
	 * shut its walls itself, starts as who we are. */
	bool shuts_walls;
	uint32_t uid;
};

/*
 * Executes it. Its standard output is appended to `to`, its stderr is ours. 0
 * if it exited with 0, else -1.
 */
int spawn_and_read(
    const struct spawn *spawn, struct buf *to, struct error *error);
/* The same; `more` is called whenever there is more in `to`. */
int spawn_and_follow(const struct spawn *spawn, struct buf *to,
    void (*more)(void *context), void *context, struct error *error);

#endif

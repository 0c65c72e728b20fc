/*
 * Runs one program of ours to its end, for setup: no shell, no search path, an
 * empty environment, and no descriptor but those that are said.
 */
#ifndef COMMON_SPAWN_H
#define COMMON_SPAWN_H

#include "common/buf.h"
#include "common/error.h"

#include <stdint.h>

/*
 * Executes `program` (absolute path) as `uid` (sandbox_become) with the one
 * argument `verb` and `fd` as descriptor 3. Its standard output is appended to
 * `to`, its stderr is ours. 0 if it exited with 0, else -1.
 */
int spawn_and_read(const char *program, const char *verb, int fd, uint32_t uid,
    struct buf *to, struct error *error);

#endif

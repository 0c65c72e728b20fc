/*
 * One verb from its beginning to its end: what it needs is opened, it is
 * carried out, and all of that is closed.
 */
#ifndef SNAPCTL_SESSION_H
#define SNAPCTL_SESSION_H

#include "snapctl/arguments.h"

/* The exit code. `argc` and `argv` are the words behind the verb. */
int session_run(const struct verb *verb, const struct invocation *invocation,
    struct snapctl *snapctl, int argc, char **argv);

#endif

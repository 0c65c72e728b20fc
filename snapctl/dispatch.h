/*
 * What snapctl and snapctl-more have in common, which is all but a few verbs
 * and libraries.
 */
#ifndef SNAPCTL_DISPATCH_H
#define SNAPCTL_DISPATCH_H

#include "snapctl/session.h"

/* The exit code. `more`: all that is carried out elsewhere than in snapctl
 * itself; NULL in that. */
int dispatch(int argc, char **argv, const struct verb *more);

#endif

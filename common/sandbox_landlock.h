/*
 * Landlock by raw system calls, with constants of our own, since the headers
 * of the systems we build on stop at level 2.
 */
#ifndef COMMON_SANDBOX_LANDLOCK_H
#define COMMON_SANDBOX_LANDLOCK_H

#include "common/error.h"
#include "common/sandbox.h"
#include "common/sandbox_profile.h"

/* 1 if the wall stands, 0 if this kernel has no Landlock (or one too old for
 * the role: below level 2 no rename between directories), -1 and error. */
int sandbox_landlock_enter(const struct sandbox_request *request,
    const struct sandbox_profile *profile, struct error *error);

#endif

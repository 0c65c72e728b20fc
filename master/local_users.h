/*
 * The users of this machine, for those who send mail from it: authd turns the
 * uid that the kernel names into an address.
 */
#ifndef MASTER_LOCAL_USERS_H
#define MASTER_LOCAL_USERS_H

#include "common/error.h"
#include "common/settings.h"

/* Of a file in the form of passwd(5), a line "uid name" each, and "trusted"
 * behind those who are in the settings, sealed; or -1. Lines that are odd are
 * left out. */
int local_users_slice(
    const char *path, const struct settings *settings, struct error *error);

#endif

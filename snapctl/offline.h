/*
 * What verbs do while nothing runs: snapd is started for nothing else, as its
 * own user, with the store's folder.
 */
#ifndef SNAPCTL_OFFLINE_H
#define SNAPCTL_OFFLINE_H

#include "snapctl/snapctl.h"

#include "common/buf.h"
#include "common/settings.h"

/* `run` with the settings; its exit code, or the one of settings that cannot be
 * read. */
int offline_with_settings(struct snapctl *snapctl,
    int (*run)(struct snapctl *snapctl, const struct settings *settings));

/* snapd with that word and descriptor; what it says goes to `output`. 0, or -1
 * and the error was printed. */
int offline_run(struct snapctl *snapctl, const struct settings *settings,
    const char *word, int fd, struct buf *output);

#endif

/*
 * What the two forms of cat share: cmd_cat.c prints, cmd_unseal.c opens what is
 * sealed with the recovery key.
 */
#ifndef SNAPCTL_CAT_H
#define SNAPCTL_CAT_H

#include "snapctl/snapctl.h"

enum {
	CAT_MAX_SECRET = (64 << 20) + 4096
};

/* Opens and prints a sealed secret; the exit code. Name: as what it must have
 * been sealed; empty: any. */
typedef int cat_open(
    struct snapctl *snapctl, struct text sealed, struct text name);

/* Prints what the arguments name; `open` (or NULL) is given what is sealed. */
int cat_print(struct snapctl *snapctl, int argc, char **argv, cat_open *open);

#endif

/*
 * Secrets of account 0 are opened here, with the recovery key that the
 * administrator holds: it is read from a file or standard input before rights
 * are given up, and goes to no other process.
 */
#ifndef SNAPCTL_UNSEAL_H
#define SNAPCTL_UNSEAL_H

#include "snapctl/snapctl.h"

#include "common/sealed_secret.h"

#include <stdio.h>

enum {
	UNSEAL_MAX_BYTES = (64 << 20) + SEALED_SECRET_MAX_MORE
};

/* From the file at `path` ("-": standard input, asked for on a terminal). 0, or
 * -1 and why was said. */
int unseal_read_key(const char *path, uint8_t key[RECOVERY_KEY_SIZE]);

/* Prints the secret. Name: as what it must have been sealed; empty: any. */
int unseal_print(struct snapctl *snapctl, struct text sealed, struct text name);

#endif

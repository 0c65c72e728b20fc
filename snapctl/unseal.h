/*
 * The recovery key, as the administrator holds it: read before rights are given
 * up, and told to no other process.
 */
#ifndef SNAPCTL_UNSEAL_H
#define SNAPCTL_UNSEAL_H

#include "common/recovery_key.h"

/* From the file at `path` ("-": standard input, asked for on a terminal). 0, or
 * -1 and why was said. */
int unseal_read_key(const char *path, uint8_t key[RECOVERY_KEY_SIZE]);

#endif

/*
 * What the runner's attacks aim at, laid out as an instance is: a store that
 * LMDB made, another account's mail, the users file, a control socket.
 */
#ifndef TESTS_REDTEAM_STORE_STAND_H
#define TESTS_REDTEAM_STORE_STAND_H

#include <stdbool.h>
#include <stdint.h>

/* Root makes it in /tmp, in a mount namespace of its own; the store belongs to
 * `snapd_uid`, the home to `home_uid`. */
void store_stand_make(uint32_t snapd_uid, uint32_t home_uid);
void store_stand_remove(void);

/* The store, the home and the rest as they were at first. */
void store_stand_restore(void);
bool store_stand_is_whole(void);

const char *store_stand_index(void); /* the folder of data.mdb */
int store_stand_home(void);          /* descriptors of folders */
int store_stand_empty(void);

#endif

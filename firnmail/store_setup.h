/*
 * The snapshot store's directory and its identity.  The store is made by snapd
 * itself, as its own uid; this never touches what lies inside, and never makes
 * a store where one is known to have been.
 */
#ifndef FIRNMAIL_STORE_SETUP_H
#define FIRNMAIL_STORE_SETUP_H

#include "firnmail/firnmail.h"

/* 1: a store was made, 0: it is there, -1: error. */
int store_setup(const struct firnmail *firnmail, struct error *error);

#endif

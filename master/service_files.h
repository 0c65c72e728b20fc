/*
 * The service's own files, for the snapshot store: firnmail.conf, users,
 * aliases, store-id, certificates and private keys.  A copy of the store then
 * restores a service, not only mail.  Master alone may read them; snapd gets
 * them in sealed memfds at its start and at each reload, and keeps what
 * changed.
 */
#ifndef MASTER_SERVICE_FILES_H
#define MASTER_SERVICE_FILES_H

#include "master/children.h"

enum {
	/* Of one file; the largest that users and aliases may be. */
	SERVICE_FILES_MAX_BYTES = 64 << 20
};

/* Tells snapd, if it is ready, what they are now. A file that cannot be read is
 * logged; what the store has of it stays as it was. */
void service_files_tell(struct supervisor *supervisor);

/* How a file is called in account 0: relative to the folder of firnmail.conf
 * if it lies there, else by its path from the top, without the first '/'. -1 if
 * it has a name that the store does not take. */
int service_files_name(
    const char *path, const char *config_path, char *to, size_t to_size);

#endif

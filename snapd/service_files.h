/*
 * Account 0 (ACCOUNT_SERVICE): the service's own files, firnmail.conf, users,
 * aliases, keys, as master tells them at snapd's start and at each reload.  A
 * copy of the store then restores a service, not only mail.
 *
 * A file is a mailbox of that name, and its versions are messages: the live one
 * is the file as it is, its UID the number of the version.  So the rules of
 * messages hold for it: intervals, retention, holds, seals, rebuilds.  A
 * version is kept only if the bytes changed: the row's base name is a SHA-256
 * over the store's secret, the name and the bytes, by which that is told of a
 * secret as well.  Secrets stand there in the form of common/sealed_secret.h,
 * which nobody opens without the offline recovery key.
 *
 * Only master says such a message.  No worker is introduced for that account
 * and no delivery accepted for it.
 */
#ifndef SNAPD_SERVICE_FILES_H
#define SNAPD_SERVICE_FILES_H

#include "common/recovery_key.h"
#include "snapd/journal.h"

struct service_files;

enum {
	SERVICE_FILES_MAX = 64,            /* at a time */
	SERVICE_FILES_MAX_BYTES = 64 << 20 /* of one */
};

struct service_files *service_files_new(void);
void service_files_free(struct service_files **files);

/* One more; `fd`, a sealed memfd, is taken over. -1: it could not be read, and
 * stays as the store has it. */
void service_files_add(struct service_files *files,
    const struct message_service_file *file, int fd);

/* Those added are all that there are. What differs from the store becomes one
 * batch, of nothing if nothing does; then none is added any more. Without a
 * recovery key (zeros) secrets are left out. ERROR_FULL and others: nothing of
 * it was kept, and the next reload tries again. */
enum status service_files_keep(struct service_files *files,
    struct journal *journal, const uint8_t recovery[RECOVERY_KEY_SIZE],
    struct error *error);

/* How many rows of the store are versions and no messages. 0 or -1. */
int service_files_count(struct transaction *transaction, uint64_t *live,
    uint64_t *dead, struct error *error);

#endif

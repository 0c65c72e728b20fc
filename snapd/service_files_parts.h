/*
 * What service_files.c, which finds out what changed, and service_files_write.c
 * share.
 */
#ifndef SNAPD_SERVICE_FILES_PARTS_H
#define SNAPD_SERVICE_FILES_PARTS_H

#include "common/sealed_secret.h"
#include "snapd/service_files.h"

enum {
	SERVICE_FILE_SUM = 64 /* hexadecimal digits */
};

struct service_file {
	char name[SEALED_SECRET_MAX_NAME + 1];
	bool is_secret;
	int64_t time;
	int fd; /* -1: it could not be read */
	size_t size;
	char sum[SERVICE_FILE_SUM + 1]; /* of what it is now */
	uint64_t mailbox;               /* 0: the store never had it */
	uint32_t uid; /* of the version that is live; 0: none */
	bool is_gone; /* the store has it, and master has not */
	bool is_changed;
};

struct service_files {
	struct service_file list[SERVICE_FILES_MAX];
	size_t count;
};

/* Frees what may hold a secret. */
void service_files_clear(struct buf *data);

/* All that changed, as one batch that needs room for so many bytes. */
enum status service_files_write(struct service_files *files,
    struct journal *journal, const uint8_t recovery[RECOVERY_KEY_SIZE],
    uint64_t bytes, struct error *error);

#endif

/*
 * The second half of a drill: reads a restored mailbox back from its files, by
 * nothing but what stands there, and compares it with what the store said.
 */
#ifndef SNAPD_DRILL_CHECK_H
#define SNAPD_DRILL_CHECK_H

#include "common/digest.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

/* A message as its row has it. */
struct drill_expected {
	uint32_t uid;
	uint32_t flags;    /* FLAG_ALL of them */
	uint64_t keywords; /* those that a file's name can have */
	int64_t date;
	uint64_t size; /* of the file */
	uint64_t wire_size;
	struct hash hash;
};

struct drill_check {
	int folder_fd;
	uint32_t uidvalidity;
	uint32_t uidnext;
	const struct drill_expected *expected; /* by UID */
	size_t count;
	struct digest *digest;
	/* `uid` 0: the mailbox. */
	void (*finding)(void *context, uint32_t uid, const char *what);
	void *context;
};

/* 0, whatever was found; -1 if the folder itself cannot be read. */
int drill_check_folder(const struct drill_check *check, struct error *error);

#endif

/*
 * A file of the configuration that firnmail changes: locked against every other
 * firnmail, read, replaced whole, and then brought in force.
 */
#ifndef FIRNMAIL_EDIT_H
#define FIRNMAIL_EDIT_H

#include "common/buf.h"
#include "firnmail/firnmail.h"

#include <sys/types.h>

struct edit {
	int dir_fd; /* -1: not open */
	const char *path;
	const char *name;
	mode_t mode; /* as it is, 0600 for a new one */
	struct buf text;
};

/* `path` stays the caller's. One that is not there is an empty one. EXIT_DONE
 * or a code after it was said; edit_close either way. */
int edit_open(const char *path, size_t max_bytes, struct edit *edit);
void edit_close(struct edit *edit);

/* EXIT_DONE or a code after it was said. */
int edit_replace(const struct edit *edit, const struct buf *text);

/* Has a server that runs read what was written. EXIT_DONE, or EXIT_PARTLY after
 * it was said that it has not. */
int edit_put_in_force(const struct firnmail *firnmail, const struct edit *edit);

/* A name or an address that may stand in a line of a file, between blanks,
 * commas and colons. */
bool edit_is_word(const char *word);

#endif

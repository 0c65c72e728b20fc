/* Directories and files that setup makes, with their owners. */
#ifndef FIRNMAIL_DIRECTORY_H
#define FIRNMAIL_DIRECTORY_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Opens the directory at an absolute path; makes it, and root's own 0755 ones
 * on the way to it, where they are missing. A directory that is made gets
 * `mode` and, if we are root, `uid`; one that is there is left as it is, and
 * must belong to `uid` or to us. Descriptor, or -1.
 */
int directory_make(
    const char *path, mode_t mode, uint32_t uid, struct error *error);

/* The directory that the file at an absolute path lies in; *name is the file's
 * name in it. Descriptor, or -1. */
int directory_of(const char *path, const char **name, struct error *error);

/* Writes the file, whole and durable, unless there is one. 1: written, 0: it
 * was there, -1: error. */
int directory_add_file(const char *path, const void *data, size_t size,
    mode_t mode, struct error *error);

#endif

/*
 * The only place that opens, renames, links, unlinks and syncs files.  Paths
 * are relative to a directory descriptor and are never followed through a
 * symbolic link.  Every call that changes the disk passes the fault hook, so
 * that tests can fail it or stop the world at it.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All return 0 (or a descriptor) and -1 with error, errno kept. Descriptors
 * are close-on-exec. */
int file_open_directory(int dir_fd, const char *name, struct error *error);
/* Regular files only: ERROR_REFUSED for a FIFO, device, link or directory. */
int file_open_read(int dir_fd, const char *name, struct error *error);
/* The same, and that it was read is not written down, if it is ours: for many
 * files, each of which the file system would note. */
int file_open_unnoticed(int dir_fd, const char *name, struct error *error);
/* That, and how many bytes it has. */
int file_open_sized(
    int dir_fd, const char *name, uint64_t *size, struct error *error);
/* The same for absolute paths, which the administrator wrote; and "/" itself,
 * to walk from. */
int file_open_absolute(const char *path, struct error *error);
int file_open_absolute_directory(const char *path, struct error *error);
int file_open_top(struct error *error);
int file_create(int dir_fd, const char *name, mode_t mode,
    struct error *error); /* ERROR_EXISTS if it is there */
/* To read and write in place; made if it is not there. */
int file_open_write(
    int dir_fd, const char *name, mode_t mode, struct error *error);
int file_make_directory(int dir_fd, const char *name, mode_t mode,
    struct error *error); /* ERROR_EXISTS if it is there */
int file_rename(int from_dir_fd, const char *from, int to_dir_fd,
    const char *to, struct error *error); /* replaces */
int file_rename_new(int from_dir_fd, const char *from, int to_dir_fd,
    const char *to, struct error *error); /* ERROR_EXISTS if it is there */
/* One more name, of a file on the same file system: ERROR_EXISTS if it is
 * there. */
int file_link(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
    struct error *error);
int file_unlink(int dir_fd, const char *name, struct error *error);
int file_remove_directory(int dir_fd, const char *name, struct error *error);

int file_write_all(int fd, const void *data, size_t size, struct error *error);
int file_write_at(
    int fd, off_t offset, const void *data, size_t size, struct error *error);
/* Appends the whole file to `to`, ERROR_LIMIT beyond its max_size. From its
 * start, wherever the descriptor stands: processes that were given the same
 * memfd share one offset, and may read at the same time. Room that is there
 * is filled before more is made: reserve the size and 1 where it is known. */
int file_read_all(int fd, struct buf *to, struct error *error);
int file_set_times(int fd, int64_t seconds, struct error *error);
/* Blocks for this part of the file, whatever its size, which stays: what is
 * written there later finds room. ERROR_FULL; ERROR_SYSTEM also where the file
 * system has no such call. */
int file_reserve(int fd, off_t offset, off_t size, struct error *error);
/* Blocks behind the end of the file are the file system's again. */
int file_give_back(int fd, struct error *error);
/* And those of this part of it, which reads as zeros from then on; its size
 * stays. ERROR_SYSTEM also where the file system has no such call. */
int file_punch(int fd, off_t offset, off_t size, struct error *error);

/* After a failed sync the data must be taken for lost: never retry. */
int file_sync(int fd, struct error *error);           /* fdatasync */
int file_sync_directory(int fd, struct error *error); /* fsync */

/* Writes `name` whole or not at all: temporary name, sync, rename, sync of
 * the directory. */
int file_replace(int dir_fd, const char *name, const void *data, size_t size,
    mode_t mode, struct error *error);
/* The same without a sync: after a power cut it is the old one, the new one, or
 * empty. */
int file_replace_unsynced(int dir_fd, const char *name, const void *data,
    size_t size, mode_t mode, struct error *error);
/* The same as file_replace for a note of less than a sector. On a disk that has
 * no room for a second one, the old one is written over if it has the same
 * size. */
int file_replace_note(int dir_fd, const char *name, const void *data,
    size_t size, mode_t mode, struct error *error);

/* A new memfd that holds `data` and is sealed against every change. */
int file_sealed_memory(
    const char *name, const void *data, size_t size, struct error *error);
/* 0 if `fd` is a memfd with all seals. */
int file_check_sealed(int fd, struct error *error);

/*
 * Tests only: called before each call that changes the disk, with its name
 * ("rename") and the file's; a return other than 0 is the errno the call fails
 * with instead of being made. NULL: none.
 */
void file_set_fault_hook(
    int (*hook)(const char *call, const char *name, void *context),
    void *context);

#endif

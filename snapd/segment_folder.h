/*
 * The folders of segments on disk, without LMDB: `segment/<number>/` and, while
 * one is made, `segment/new/`.
 */
#ifndef SNAPD_SEGMENT_FOLDER_H
#define SNAPD_SEGMENT_FOLDER_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SEGMENT_MAX_PATH = 4096
};

/* The path of one, for LMDB; `name` NULL: that of the number. */
void segment_folder_path(
    char *to, const char *path, const char *name, uint32_t number);

/* Makes `segment` in the store's folder, durably, if it is not there. */
int segment_folder_make(const char *path, struct error *error);
/* A descriptor of it. */
int segment_folder_open(const char *path, struct error *error);
/* Takes the folder of that name and its files away; 0 also if there is none. */
int segment_folder_remove(int folder, const char *name, struct error *error);

/* Takes the files of a segment away. Done again after a crash it finishes. */
int segment_folder_destroy(
    const char *path, uint32_t number, struct error *error);
/* Numbers of those that are there, ascending; the caller frees. */
int segment_folder_list(
    const char *path, uint32_t **numbers, size_t *count, struct error *error);
/* A descriptor of its data.mdb, for reading; -1. */
int segment_folder_file(const char *path, uint32_t number);
/* The same, so that blocks of it can be given back. */
int segment_folder_file_to_trim(const char *path, uint32_t number);

#endif

/*
 * The folders of an index that is made anew: index.new, and when that is whole
 * it becomes index.
 */
#ifndef SNAPD_REBUILD_FOLDER_H
#define SNAPD_REBUILD_FOLDER_H

#include "common/error.h"

typedef char rebuild_folder_name[40];

/* An empty one in the store's folder. */
int rebuild_folder_begin(const char *path, struct error *error);
/* Puts it in the place of the index, whose new name is `kept`, or "" if there
 * was none. */
int rebuild_folder_put(
    const char *path, rebuild_folder_name *kept, struct error *error);

#endif

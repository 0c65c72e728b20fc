/*
 * Files and folders of an archive on the export's output: tar.h's entries with
 * the bytes between them.
 */
#ifndef SNAPCTL_EXPORT_TREE_H
#define SNAPCTL_EXPORT_TREE_H

#include "snapctl/export.h"

/* Paths are `folder` and `name` together. */
void export_tree_folder(
    struct export *export, struct text folder, const char *name);
void export_tree_file(struct export *export, struct text folder,
    struct text name, struct text bytes);
/* Of the message: its bytes follow, then the end. */
void export_tree_message(struct export *export, struct text name);
void export_tree_bytes(struct export *export, struct text bytes);
void export_tree_message_end(struct export *export);
void export_tree_end(struct export *export);

#endif

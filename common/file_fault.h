/* How a call on a file fails: what the files of common/file.h share. */
#ifndef COMMON_FILE_FAULT_H
#define COMMON_FILE_FAULT_H

#include "common/error.h"

/* To be asked before a call that changes the disk: 0, or -1 with the errno that
 * a test's hook (file_set_fault_hook) wishes. */
int file_fault(const char *call, const char *name);

/* -1 with the error of a failed call, by errno, which is kept; the codes are
 * those that file.h promises. */
int file_fail(struct error *error, const char *call, const char *name);

#endif

/*
 * A test's folder under /tmp: made, and gone with all that is in it.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	SCRATCH_PATH = 64
};

static inline void
scratch_make(char path[SCRATCH_PATH], const char *name)
{
	snprintf(path, SCRATCH_PATH, "/tmp/%s.XXXXXX", name);
	assert_non_null(mkdtemp(path));
}

static inline int
scratch_remove_one(
    const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void
scratch_remove(const char *path)
{
	nftw(path, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif

/*
 * A folder with an empty snapshot store in it.
 */
#ifndef TESTS_UNIT_SCRATCH_STORE_H
#define TESTS_UNIT_SCRATCH_STORE_H

#include "snapd/store.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <unistd.h>

/* Whoever makes a store changes into its folder: the test does not stay. */
static inline void
scratch_store_make(
    char path[SCRATCH_PATH], const char *name, struct store_id *id)
{
	int cwd = open(".", O_DIRECTORY | O_CLOEXEC), fd;
	struct error error;

	scratch_make(path, name);
	fd = open(path, O_DIRECTORY | O_CLOEXEC);
	if (store_create(fd, id, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(fchdir(cwd), 0);
	close(cwd);
	close(fd);
}

#endif

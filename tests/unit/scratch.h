/*
 * A test's folder under /tmp: made, copied, and gone with all that is in it.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* How many files and folders are in a folder, those with a dot first aside. */
static inline size_t
scratch_count(const char *path)
{
	DIR *listing = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(listing);
	while ((entry = readdir(listing)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(listing);
	return count;
}

/* In a child of the test: cmocka would take a crash for a failed test, and go
 * on in the child with what follows it. */
static inline void
scratch_child(void)
{
	static const int signals[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV,
		SIGSYS };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

/* Files and folders of one folder as those of another, which is made new. */
static inline void
scratch_copy(const char *from, const char *to)
{
	pid_t pid;
	int status;

	scratch_remove(to);
	pid = fork();
	if (pid == 0) {
		execlp("cp", "cp", "-R", from, to, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#endif

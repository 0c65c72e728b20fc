/* See directory.h. */
#include "firnmail/directory.h"

#include "common/file.h"
#include "common/text.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
make_one(int top_fd, const char *path, mode_t mode, struct error *error)
{
	if (file_make_directory(top_fd, path, mode, error) == 0)
		return 1;
	return error->code == ERROR_EXISTS ? 0 : -1;
}

/* 1: the last one is new, 0: it was there, -1: error. */
static int
make_all(int top_fd, char *path, mode_t mode, struct error *error)
{
	for (char *slash = strchr(path, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (path[0] != '\0' &&
		    make_one(top_fd, path, 0755, error) == -1)
			return -1;
		*slash = '/';
	}
	return make_one(top_fd, path, mode, error);
}

/* umask may have taken bits of the mode. */
static int
give(int fd, const char *path, mode_t mode, uint32_t uid, struct error *error)
{
	if (fchmod(fd, mode) == -1)
		return error_set_errno(error, "chmod %s", path);
	if (geteuid() == 0 && fchown(fd, uid, uid) == -1)
		return error_set_errno(error, "chown %s", path);
	return 0;
}

static int
check_owner(int fd, const char *path, uint32_t uid, struct error *error)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return error_set_errno(error, "stat %s", path);
	if (st.st_uid != uid && st.st_uid != geteuid())
		return error_set(error, ERROR_REFUSED,
		    "%s belongs to uid %u, not to %u", path, st.st_uid, uid);
	return 0;
}

int
directory_make(const char *path, mode_t mode, uint32_t uid, struct error *error)
{
	struct error cause;
	char copy[PATH_MAX];
	int top_fd, fd = -1, is_new;

	if (text_copy(text_of(path + strspn(path, "/")), copy, sizeof(copy)) ==
	    -1)
		return error_set(
		    error, ERROR_LIMIT, "the path %s is too long", path);
	top_fd = file_open_top(error);
	if (top_fd == -1)
		return -1;
	is_new = make_all(top_fd, copy, mode, &cause);
	if (is_new != -1)
		fd = file_open_directory(top_fd, copy, &cause);
	close(top_fd);
	if (fd == -1)
		return error_set(error, cause.code, "%s: %s", path, cause.text);
	if ((is_new ? give(fd, path, mode, uid, error)
		    : check_owner(fd, path, uid, error)) == 0)
		return fd;
	close(fd);
	return -1;
}

int
directory_of(const char *path, const char **name, struct error *error)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];

	if (slash == NULL || slash == path ||
	    text_copy(text_make(path, (size_t)(slash - path)), directory,
		sizeof(directory)) == -1)
		return error_set(error, ERROR_INPUT,
		    "%s is not an absolute path beneath a directory", path);
	*name = slash + 1;
	return file_open_absolute_directory(directory, error);
}

int
directory_add_file(const char *path, const void *data, size_t size, mode_t mode,
    struct error *error)
{
	const char *name;
	int dir_fd = directory_of(path, &name, error);
	int fd, status;

	if (dir_fd == -1)
		return -1;
	fd = file_open_read(dir_fd, name, error);
	if (fd != -1) {
		close(fd);
		close(dir_fd);
		return 0;
	}
	status = error->code == ERROR_MISSING
		     ? file_replace(dir_fd, name, data, size, mode, error)
		     : -1;
	close(dir_fd);
	return status == 0 ? 1 : -1;
}

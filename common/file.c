/*
 * Files by directory descriptor.  A name may have several components; all but
 * the last are walked one by one without following a link, so that every call
 * below works on one component in one known directory.  ".." and absolute
 * names are refused: nothing leads out of the directory that was given.
 * What is opened for reading is a regular file, whatever was planted there.
 */
#include "common/file.h"

#include "common/file_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/fs.h and fcntl.h; missing from glibc without _GNU_SOURCE. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif
#ifndef O_NOATIME
#define O_NOATIME 01000000
#endif

static int
refuse(struct error *error, int errno_value, const char *name, const char *why)
{
	error_set(error, ERROR_REFUSED, "%s: %s", name, why);
	errno = errno_value;
	return -1;
}

static void
close_keep_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

/* Where the last component of a name lives. */
struct place {
	int dir_fd;
	bool is_ours; /* dir_fd was opened on the way */
	const char *name;
};

static void
place_leave(struct place *place)
{
	if (place->is_ours)
		close_keep_errno(place->dir_fd);
}

/* Steps into the component of `size` bytes; 0 or -1 and errno. */
static int
place_step(struct place *place, const char *component, size_t size)
{
	char name[NAME_MAX + 1];
	int fd;

	if (size > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, component, size);
	name[size] = '\0';
	if (strcmp(name, "..") == 0) {
		errno = EXDEV;
		return -1;
	}
	fd = openat(
	    place->dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	place_leave(place);
	place->dir_fd = fd;
	place->is_ours = true;
	return 0;
}

static int
place_find(
    struct place *place, int dir_fd, const char *path, struct error *error)
{
	const char *slash;

	*place = (struct place){ dir_fd, false, path };
	if (path[0] == '/' || path[0] == '\0')
		return refuse(error, EXDEV, path, "not a relative name");
	while ((slash = strchr(place->name, '/')) != NULL) {
		if (slash > place->name &&
		    place_step(place, place->name, slash - place->name) < 0) {
			place_leave(place);
			return file_fail(error, "open", path);
		}
		place->name = slash + 1;
	}
	if (place->name[0] == '\0' || strcmp(place->name, "..") == 0) {
		place_leave(place);
		return refuse(error, EXDEV, path, "not a name beneath");
	}
	return 0;
}

static int
open_at(int dir_fd, const char *path, int flags, mode_t mode, const char *call,
    struct error *error)
{
	struct place place;
	int fd;

	if (place_find(&place, dir_fd, path, error) < 0)
		return -1;
	fd = openat(place.dir_fd, place.name,
	    flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode);
	place_leave(&place);
	if (fd < 0)
		return file_fail(error, call, path);
	return fd;
}

/* `fd` if it is a regular file; else it is closed. `size`: NULL, or how many
 * bytes it has. */
static int
only_regular(int fd, const char *name, uint64_t *size, struct error *error)
{
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0) {
		close_keep_errno(fd);
		return file_fail(error, "fstat", name);
	}
	if (size != NULL)
		*size = (uint64_t)st.st_size;
	if (S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return refuse(error, EINVAL, name, "not a regular file");
}

int
file_open_directory(int dir_fd, const char *name, struct error *error)
{
	return open_at(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, "open", error);
}

int
file_open_read(int dir_fd, const char *name, struct error *error)
{
	int fd;

	/* O_NONBLOCK: a FIFO planted there must not stop us. */
	fd = open_at(dir_fd, name, O_RDONLY | O_NONBLOCK, 0, "open", error);
	return only_regular(fd, name, NULL, error);
}

int
file_open_sized(
    int dir_fd, const char *name, uint64_t *size, struct error *error)
{
	int fd = open_at(
	    dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOATIME, 0, "open", error);

	/* Of somebody else's file. */
	if (fd < 0 && errno == EPERM)
		fd = open_at(
		    dir_fd, name, O_RDONLY | O_NONBLOCK, 0, "open", error);
	return only_regular(fd, name, size, error);
}

int
file_open_unnoticed(int dir_fd, const char *name, struct error *error)
{
	return file_open_sized(dir_fd, name, NULL, error);
}

/* From "/": the rest of the path is walked as any other. */
static int
open_absolute(const char *path,
    int (*open_in)(int dir_fd, const char *name, struct error *error),
    struct error *error)
{
	int root_fd, fd;

	if (path[0] != '/')
		return refuse(error, EINVAL, path, "not an absolute path");
	root_fd = file_open_top(error);
	if (root_fd < 0)
		return -1;
	fd = open_in(root_fd, path + strspn(path, "/"), error);
	close_keep_errno(root_fd);
	return fd;
}

int
file_open_top(struct error *error)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? file_fail(error, "open", "/") : fd;
}

int
file_open_absolute(const char *path, struct error *error)
{
	return open_absolute(path, file_open_read, error);
}

int
file_open_absolute_directory(const char *path, struct error *error)
{
	return open_absolute(path, file_open_directory, error);
}

int
file_create(int dir_fd, const char *name, mode_t mode, struct error *error)
{
	if (file_fault("create", name) < 0)
		return file_fail(error, "create", name);
	return open_at(
	    dir_fd, name, O_RDWR | O_CREAT | O_EXCL, mode, "create", error);
}

int
file_open_write(int dir_fd, const char *name, mode_t mode, struct error *error)
{
	int fd;

	if (file_fault("create", name) < 0)
		return file_fail(error, "open", name);
	fd = open_at(
	    dir_fd, name, O_RDWR | O_CREAT | O_NONBLOCK, mode, "open", error);
	return only_regular(fd, name, NULL, error);
}

int
file_make_directory(
    int dir_fd, const char *name, mode_t mode, struct error *error)
{
	struct place place;
	int result;

	if (place_find(&place, dir_fd, name, error) < 0)
		return -1;
	result = file_fault("mkdir", name);
	if (result == 0)
		result = mkdirat(place.dir_fd, place.name, mode);
	place_leave(&place);
	return result < 0 ? file_fail(error, "mkdir", name) : 0;
}

/* Of the two places of a name, `call`: linkat where it is one more, else
 * renameat2. */
static int
name_at(const char *call, int from_dir_fd, const char *from, int to_dir_fd,
    const char *to, unsigned int flags, struct error *error)
{
	struct place source, target;
	int result;

	if (place_find(&source, from_dir_fd, from, error) < 0)
		return -1;
	if (place_find(&target, to_dir_fd, to, error) < 0) {
		place_leave(&source);
		return -1;
	}
	result = file_fault(call, to);
	if (result == 0 && strcmp(call, "link") == 0)
		result = linkat(
		    source.dir_fd, source.name, target.dir_fd, target.name, 0);
	else if (result == 0)
		result = renameat2(source.dir_fd, source.name, target.dir_fd,
		    target.name, flags);
	place_leave(&source);
	place_leave(&target);
	return result < 0 ? file_fail(error, call, from) : 0;
}

int
file_link(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
    struct error *error)
{
	return name_at("link", from_dir_fd, from, to_dir_fd, to, 0, error);
}

int
file_rename(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
    struct error *error)
{
	return name_at("rename", from_dir_fd, from, to_dir_fd, to, 0, error);
}

int
file_rename_new(int from_dir_fd, const char *from, int to_dir_fd,
    const char *to, struct error *error)
{
	return name_at("rename", from_dir_fd, from, to_dir_fd, to,
	    RENAME_NOREPLACE, error);
}

static int
unlink_at(int dir_fd, const char *name, int flags, const char *call,
    struct error *error)
{
	struct place place;
	int result;

	if (place_find(&place, dir_fd, name, error) < 0)
		return -1;
	result = file_fault(call, name);
	if (result == 0)
		result = unlinkat(place.dir_fd, place.name, flags);
	place_leave(&place);
	return result < 0 ? file_fail(error, call, name) : 0;
}

int
file_unlink(int dir_fd, const char *name, struct error *error)
{
	return unlink_at(dir_fd, name, 0, "unlink", error);
}

int
file_remove_directory(int dir_fd, const char *name, struct error *error)
{
	return unlink_at(dir_fd, name, AT_REMOVEDIR, "rmdir", error);
}

/* Creates NAME.XXXXXXXX.tmp, whose name goes to `temporary`. */
static int
create_temporary(int dir_fd, const char *name, mode_t mode, char *temporary,
    size_t size, struct error *error)
{
	uint32_t random;
	int n;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return file_fail(error, "getrandom for", name);
	n = snprintf(temporary, size, "%s.%08x.tmp", name, random);
	if (n < 0 || (size_t)n >= size)
		return error_set(error, ERROR_LIMIT, "name is too long");
	return file_create(dir_fd, temporary, mode, error);
}

/* The directory of `path`, synced: what was renamed in it stays. */
static int
sync_parent(int dir_fd, const char *path, struct error *error)
{
	struct place place;
	int fd, result;

	if (place_find(&place, dir_fd, path, error) < 0)
		return -1;
	fd = openat(place.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place_leave(&place);
	if (fd < 0)
		return file_fail(error, "open directory of", path);
	result = file_sync_directory(fd, error);
	close_keep_errno(fd);
	return result;
}

static int
replace(int dir_fd, const char *name, const void *data, size_t size,
    mode_t mode, bool is_synced, struct error *error)
{
	char temporary[PATH_MAX];
	int fd, result;

	fd = create_temporary(
	    dir_fd, name, mode, temporary, sizeof temporary, error);
	if (fd < 0)
		return -1;
	result = file_write_all(fd, data, size, error);
	if (result == 0 && is_synced)
		result = file_sync(fd, error);
	close_keep_errno(fd);
	if (result == 0)
		result = file_rename(dir_fd, temporary, dir_fd, name, error);
	if (result < 0) {
		int saved = errno;

		file_unlink(dir_fd, temporary, NULL);
		errno = saved;
		return -1;
	}
	return is_synced ? sync_parent(dir_fd, name, error) : 0;
}

int
file_replace(int dir_fd, const char *name, const void *data, size_t size,
    mode_t mode, struct error *error)
{
	return replace(dir_fd, name, data, size, mode, true, error);
}

int
file_replace_unsynced(int dir_fd, const char *name, const void *data,
    size_t size, mode_t mode, struct error *error)
{
	return replace(dir_fd, name, data, size, mode, false, error);
}

/* Its block is there already. */
static int
write_over(int dir_fd, const char *name, const void *data, size_t size,
    struct error *error)
{
	int fd = open_at(dir_fd, name, O_RDWR | O_NONBLOCK, 0, "open", error);
	struct stat info;
	int result;

	fd = only_regular(fd, name, NULL, error);
	if (fd < 0)
		return -1;
	if (fstat(fd, &info) < 0 || (uint64_t)info.st_size != size) {
		errno = ENOSPC;
		result = file_fail(error, "write over", name);
	} else {
		result = file_write_at(fd, 0, data, size, error);
	}
	if (result == 0)
		result = file_sync(fd, error);
	close_keep_errno(fd);
	return result;
}

int
file_replace_note(int dir_fd, const char *name, const void *data, size_t size,
    mode_t mode, struct error *error)
{
	int result = file_replace(dir_fd, name, data, size, mode, error);

	if (result == 0 || error->code != ERROR_FULL)
		return result;
	return write_over(dir_fd, name, data, size, error);
}

/* What is in a file that is open: written, read, reserved, synced. */
#include "common/file.h"

#include "common/file_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_READ_STEP = 65536
};

int
file_write_all(int fd, const void *data, size_t size, struct error *error)
{
	const char *bytes = data;
	ssize_t n;

	if (file_fault("write", "") < 0)
		return file_fail(error, "write", "file");
	while (size > 0) {
		n = write(fd, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_fail(error, "write", "file");
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

int
file_write_at(
    int fd, off_t offset, const void *data, size_t size, struct error *error)
{
	ssize_t n;

	if (file_fault("write at", "") < 0)
		return file_fail(error, "write", "file");
	do
		n = pwrite(fd, data, size, offset);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n < size)
		errno = ENOSPC;
	return n == (ssize_t)size ? 0 : file_fail(error, "write", "file");
}

int
file_read_all(int fd, struct buf *to, struct error *error)
{
	uint8_t extra = 0, *room;
	off_t offset = 0;
	size_t want;
	ssize_t n;

	for (;;) {
		/* First the room that is there: who knows the size has made
		 * it, and it never has to grow. */
		want = buf_room(to);
		if (want == 0)
			want = FILE_READ_STEP;
		if (want > to->max_size - to->size)
			want = to->max_size - to->size;
		room = want > 0 ? buf_reserve(to, want) : &extra;
		n = pread(fd, room, want > 0 ? want : 1, offset);
		if (n < 0 && errno == ESPIPE)
			n = read(fd, room, want > 0 ? want : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_fail(error, "read", "file");
		if (n == 0)
			return 0;
		if (want == 0) {
			errno = EFBIG;
			return error_set(error, ERROR_LIMIT,
			    "file is larger than %zu bytes", to->max_size);
		}
		buf_added(to, (size_t)n);
		offset += n;
	}
}

int
file_set_times(int fd, int64_t seconds, struct error *error)
{
	struct timespec times[2] = { { .tv_sec = seconds },
		{ .tv_sec = seconds } };

	if (file_fault("utime", "") < 0 || futimens(fd, times) < 0)
		return file_fail(error, "set times of", "file");
	return 0;
}

int
file_reserve(int fd, off_t offset, off_t size, struct error *error)
{
	int result;

	if (file_fault("reserve", "") < 0)
		return file_fail(error, "reserve", "file");
	do
		result = fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, size);
	while (result < 0 && errno == EINTR);
	return result == 0 ? 0 : file_fail(error, "reserve", "file");
}

int
file_give_back(int fd, struct error *error)
{
	struct stat info;
	int result;

	if (file_fault("give back", "") < 0 || fstat(fd, &info) < 0)
		return file_fail(error, "give back", "file");
	do
		result = ftruncate(fd, info.st_size);
	while (result < 0 && errno == EINTR);
	return result == 0 ? 0 : file_fail(error, "give back", "file");
}

int
file_punch(int fd, off_t offset, off_t size, struct error *error)
{
	int result;

	if (file_fault("punch", "") < 0)
		return file_fail(error, "punch", "file");
	do
		result = fallocate(fd,
		    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
	while (result < 0 && errno == EINTR);
	return result == 0 ? 0 : file_fail(error, "punch", "file");
}

int
file_sync(int fd, struct error *error)
{
	if (file_fault("sync", "") < 0 || fdatasync(fd) < 0)
		return file_fail(error, "sync", "file");
	return 0;
}

int
file_sync_directory(int fd, struct error *error)
{
	if (file_fault("sync_directory", "") < 0 || fsync(fd) < 0)
		return file_fail(error, "sync", "directory");
	return 0;
}

/* Files in memory, sealed: what a process hands to another one. */
#include "common/file.h"

#include "common/file_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	FILE_ALL_SEALS =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
};

static void
close_keep_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

int
file_sealed_memory(
    const char *name, const void *data, size_t size, struct error *error)
{
	const char *bytes = data;
	ssize_t n;
	int fd;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return file_fail(error, "memfd", name);
	/* Not file_write_all: memory is no disk, no fault hook. */
	for (; size > 0; bytes += n, size -= (size_t)n) {
		n = write(fd, bytes, size);
		if (n < 0) {
			close_keep_errno(fd);
			return file_fail(error, "write memfd", name);
		}
	}
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, FILE_ALL_SEALS) < 0) {
		close_keep_errno(fd);
		return file_fail(error, "seal memfd", name);
	}
	return fd;
}

int
file_check_sealed(int fd, struct error *error)
{
	int seals;

	/* Fails for everything that is not a memfd (or shmem file). */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return error_set(error, ERROR_REFUSED, "not a memfd");
	if ((seals & FILE_ALL_SEALS) != FILE_ALL_SEALS)
		return error_set(error, ERROR_REFUSED, "memfd is not sealed");
	return 0;
}

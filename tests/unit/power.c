/* See power.h. */
#include "tests/unit/power.h"

#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	PAGE = 4096,
	MAX_FILES = 16,
	CUT = 77 /* exit code of the child */
};

/* As it was when its file was synced last. */
struct page {
	struct page *next;
	off_t offset;
	uint8_t bytes[PAGE];
};

static struct file {
	ino_t inode;
	int fd;
	struct page *pages;
} files[MAX_FILES];

static bool is_watching;
static struct power_cut plan;
static unsigned int seen, calls_left;

/* -- The cut -- */

static bool
is_lost(void)
{
	plan.seed = plan.seed * UINT64_C(6364136223846793005) + 1;
	return (plan.seed >> 40 & 1) != 0;
}

static void
cut_now(void)
{
	size_t i;
	const struct page *page;

	for (i = 0; i < MAX_FILES; i++)
		for (page = files[i].pages; page != NULL; page = page->next)
			if (is_lost())
				(void)syscall(SYS_pwrite64, files[i].fd,
				    page->bytes, PAGE, page->offset);
	_exit(CUT);
}

static void
at_step(enum step step)
{
	if (step != plan.step || ++seen != plan.occurrence)
		return;
	if (plan.calls == 0)
		cut_now();
	calls_left = plan.calls;
}

static void
count_call(void)
{
	if (calls_left > 0 && --calls_left == 0)
		cut_now();
}

/* -- What is not synced -- */

/* NULL: nobody's business. */
static struct file *
file_of(int fd)
{
	struct stat status;
	size_t i;

	if (!is_watching || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return NULL;
	for (i = 0; i < MAX_FILES && files[i].fd != 0; i++)
		if (files[i].inode == status.st_ino)
			return &files[i];
	if (i == MAX_FILES)
		abort();
	files[i].inode = status.st_ino;
	files[i].fd = dup(fd);
	return &files[i];
}

static void
note_page(struct file *file, off_t offset)
{
	struct page *page;

	for (page = file->pages; page != NULL; page = page->next)
		if (page->offset == offset)
			return;
	page = calloc(1, sizeof(*page));
	if (page == NULL || pread(file->fd, page->bytes, PAGE, offset) < 0)
		abort();
	page->offset = offset;
	page->next = file->pages;
	file->pages = page;
}

/* Before a write. One through a descriptor that syncs by itself (LMDB's for its
 * meta pages) is durable. */
static void
note(int fd, off_t offset, size_t size)
{
	struct file *file = NULL;
	off_t at;

	count_call();
	if ((fcntl(fd, F_GETFL) & O_DSYNC) == 0)
		file = file_of(fd);
	if (file == NULL)
		return;
	for (at = offset - offset % PAGE; at < offset + (off_t)size; at += PAGE)
		note_page(file, at);
}

static void
note_sync(int fd)
{
	struct file *file = file_of(fd);
	struct page *page;

	count_call();
	while (file != NULL && (page = file->pages) != NULL) {
		file->pages = page->next;
		free(page);
	}
}

/* -- In the place of the C library: the disk itself is never waited for -- */

ssize_t power_pwrite(
    int fd, const void *data, size_t size, off_t offset) __asm__("pwrite");
ssize_t power_pwrite64(
    int fd, const void *data, size_t size, off_t offset) __asm__("pwrite64");
ssize_t power_writev(int fd, const struct iovec *parts, int count) __asm__(
    "writev");
int power_fsync(int fd) __asm__("fsync");
int power_fdatasync(int fd) __asm__("fdatasync");

/* The same file by a descriptor that does not sync, which is much faster. */
static int
plain_of(int fd)
{
	char path[40];

	if ((fcntl(fd, F_GETFL) & O_DSYNC) == 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_CLOEXEC);
}

ssize_t
power_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	int plain = plain_of(fd);
	ssize_t written;

	note(fd, offset, size);
	written =
	    syscall(SYS_pwrite64, plain != -1 ? plain : fd, data, size, offset);
	if (plain != -1)
		close(plain);
	return written;
}

ssize_t
power_pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	return power_pwrite(fd, data, size, offset);
}

ssize_t
power_writev(int fd, const struct iovec *parts, int count)
{
	size_t size = 0;
	int i;

	for (i = 0; i < count; i++)
		size += parts[i].iov_len;
	if (is_watching)
		note(fd, lseek(fd, 0, SEEK_CUR), size);
	return syscall(SYS_writev, fd, parts, count);
}

int
power_fsync(int fd)
{
	note_sync(fd);
	return 0;
}

int
power_fdatasync(int fd)
{
	note_sync(fd);
	return 0;
}

/* -- The child -- */

bool
power_run(
    const struct power_cut *cut, void (*run)(void *context), void *context)
{
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		scratch_child();
		plan = *cut;
		is_watching = true;
		step_set_hook(at_step);
		run(context);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) ||
	    (WEXITSTATUS(status) != CUT && WEXITSTATUS(status) != 0))
		fail_msg("the child ended with %d at: %s", status,
		    step_name(cut->step));
	return WEXITSTATUS(status) == CUT;
}

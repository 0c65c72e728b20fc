/*
 * See growth.h.
 */
#include "snapd/growth.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int step_fault;

void
growth_set_fault(int errno_value)
{
	step_fault = errno_value;
}

int
growth_open(struct growth *growth, int fd, uint64_t used, uint64_t limit,
    struct error *error)
{
	struct stat status;
	off_t hole;

	*growth = (struct growth){ .fd = fd, .limit = limit };
	if (fstat(fd, &status) != 0)
		return error_set_errno(error, "store: size");
	growth->prepared = (uint64_t)status.st_size;
	if (growth->prepared <= used)
		return 0;
	/* A copy may have holes where there were zeros. */
	hole = lseek(fd, (off_t)used, SEEK_HOLE);
	if (hole >= 0 && (uint64_t)hole < growth->prepared)
		growth->prepared = (uint64_t)hole;
	return 0;
}

uint64_t
growth_wanted(uint64_t used, uint64_t limit)
{
	uint64_t wanted = used / 8;

	if (wanted < GROWTH_MIN)
		wanted = GROWTH_MIN;
	if (wanted > GROWTH_MAX)
		wanted = GROWTH_MAX;
	return wanted < limit / 8 ? wanted : limit / 8;
}

static uint64_t
ahead_of(const struct growth *growth, uint64_t used)
{
	return growth->prepared > used ? growth->prepared - used : 0;
}

uint64_t
growth_step(const struct growth *growth, uint64_t used, bool is_idle)
{
	uint64_t wanted = growth_wanted(used, growth->limit);
	uint64_t step = is_idle ? GROWTH_STEP : GROWTH_BUSY_STEP;
	uint64_t ahead = ahead_of(growth, used);
	uint64_t end = used + ahead;

	if (ahead >= (is_idle ? wanted : wanted / 8) || end >= growth->limit)
		return 0;
	return end + step <= growth->limit ? step : growth->limit - end;
}

/* Behind `used`, with or without zeros. */
static uint64_t
blocks_ahead_of(const struct growth *growth, uint64_t used)
{
	uint64_t end = growth->prepared > growth->reserved ? growth->prepared
							   : growth->reserved;

	return end > used ? end - used : 0;
}

bool
growth_has_room(const struct growth *growth, uint64_t used, uint64_t bytes)
{
	uint64_t reserve = growth_wanted(used, growth->limit) / 2;

	return !growth->is_disk_full ||
	       bytes + reserve <= blocks_ahead_of(growth, used);
}

static int
reserve(
    struct growth *growth, uint64_t from, uint64_t size, struct error *error)
{
	if (step_fault != 0) {
		errno = step_fault;
		return error_set_errno(error, "store: reserving");
	}
	return file_reserve(growth->fd, (off_t)from, (off_t)size, error);
}

bool
growth_reserve(struct growth *growth, uint64_t used, uint64_t bytes)
{
	uint64_t from = used + blocks_ahead_of(growth, used), end;
	struct error error = { .code = ERROR_NONE };

	end = used + bytes < growth->limit ? used + bytes : growth->limit;
	if (end <= from)
		return true;
	/* A step more, so that not every commit has to ask. */
	if (end + GROWTH_STEP <= growth->limit &&
	    reserve(growth, from, end + GROWTH_STEP - from, &error) == 0) {
		growth->reserved = end + GROWTH_STEP;
		return true;
	}
	if (reserve(growth, from, end - from, &error) == 0) {
		growth->reserved = end;
		return true;
	}
	growth->is_disk_full |= error.code == ERROR_FULL;
	return false;
}

bool
growth_met_the_end(struct growth *growth)
{
	struct error error = { .code = ERROR_NONE };
	struct stat info;

	if (fstat(growth->fd, &info) != 0 ||
	    reserve(growth, (uint64_t)info.st_size, GROWTH_STEP, &error) == 0)
		return false;
	growth->is_disk_full |= error.code == ERROR_FULL;
	return error.code == ERROR_FULL;
}

bool
growth_has_spare(const struct growth *growth, uint64_t used)
{
	uint64_t enough = growth_wanted(used, growth->limit) + GROWTH_SPARE;

	return !growth->is_disk_full && growth->reserved > used + enough;
}

void
growth_give_back(struct growth *growth)
{
	struct error ignored;

	/* Where that fails they stay the file's, and are reserved once more. */
	(void)file_give_back(growth->fd, &ignored);
	growth->reserved = 0;
}

static ssize_t
write_zeros(int fd, uint64_t offset, size_t size)
{
	static const char zeros[65536];

	if (step_fault != 0) {
		errno = step_fault;
		return -1;
	}
	return pwrite(fd, zeros, size < sizeof(zeros) ? size : sizeof(zeros),
	    (off_t)offset);
}

int
growth_write(
    struct growth *growth, uint64_t used, uint64_t size, struct error *error)
{
	uint64_t from = used + ahead_of(growth, used), at = from;
	ssize_t n = 0;

	while (at < from + size && n >= 0) {
		n = write_zeros(growth->fd, at, from + size - at);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n > 0)
			at += (uint64_t)n;
	}
	growth->is_disk_full = n < 0;
	if (n < 0) {
		error_set_errno(error, "store: growing");
		error->code = ERROR_FULL;
	}
	growth->prepared = at;
	if (at > from)
		(void)sync_file_range(growth->fd, (off_t)from,
		    (off_t)(at - from), SYNC_FILE_RANGE_WRITE);
	return n < 0 ? -1 : 0;
}

/* See open_walls.h. */
#include "tests/redteam/open_walls.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	TRAILER_SIZE = 11 /* "\nwithout=" and two hex digits */
};

unsigned int
open_walls(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char trailer[TRAILER_SIZE + 1] = "";
	unsigned int without = 0;

	if (fd == -1)
		return 0;
	if (lseek(fd, -TRAILER_SIZE, SEEK_END) != -1 &&
	    read(fd, trailer, TRAILER_SIZE) == TRAILER_SIZE)
		(void)sscanf(trailer, "\nwithout=%2x", &without);
	close(fd);
	return without;
}

uint32_t
open_walls_confine(struct process *process, const int *program_fds,
    size_t program_count, unsigned int without)
{
	return process_confine_with(
	    process, program_fds, program_count, without | open_walls());
}

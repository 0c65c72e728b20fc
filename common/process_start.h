/*
 * The starter's side of common/process.h: how master and broker start a
 * process, and when they may start it again.
 */
#ifndef COMMON_PROCESS_START_H
#define COMMON_PROCESS_START_H

#include "common/error.h"
#include "common/process.h"

#include <sys/types.h>

struct process_start {
	enum role role;
	unsigned int flags;
	uint32_t uid; /* and gid */
	uint32_t account;
	uint64_t instance;
	int executable_fd;
	size_t fd_count; /* descriptors stay the caller's */
	int fds[CHANNEL_MAX_DESCRIPTORS];
	uint8_t kinds[CHANNEL_MAX_DESCRIPTORS];
};

/* Adds a descriptor to be given; -1 is none. Too many is fatal. */
void process_start_give(
    struct process_start *start, enum start_descriptor kind, int fd);

/* Starts it (vfork, execveat) and sends `start`. 0 with its pid and our end of
 * the channel, or -1. */
int process_start(const struct process_start *start, pid_t *pid,
    int *channel_fd, struct error *error);

/* How long to wait before the next start after so many quick ends in a row:
 * 1 s, doubled up to 60 s. */
int64_t process_backoff_ms(unsigned int quick_ends);

enum {
	/* One that lived so long did not end quickly. */
	PROCESS_STEADY_US = 60 * 1000 * 1000
};

#endif

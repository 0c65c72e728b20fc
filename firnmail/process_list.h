/* The broker's list of processes, read: lines of key=value pairs (row
 * processes of common/messages.def). */
#ifndef FIRNMAIL_PROCESS_LIST_H
#define FIRNMAIL_PROCESS_LIST_H

#include "firnmail/firnmail.h"

struct process_line {
	struct text role;
	uint64_t pid;
	uint64_t uid;
	uint64_t account;
	uint64_t uptime_s;
	uint64_t restarts;
	uint64_t generation;
	unsigned int walls; /* as in common/sandbox.h */
};

/* 0, or -1 if the line cannot be read. Keys that are not known are skipped. */
int process_line_parse(struct text line, struct process_line *process);

/* "uid chroot capabilities landlock seccomp", or "-", into `to`. */
void process_line_walls(unsigned int walls, char to[64]);

/* Asks the broker and calls `each` for every process. Exit code. */
int process_list_each(struct firnmail *firnmail, struct daemon *broker,
    void (*each)(
	struct firnmail *firnmail, const struct process_line *process));

#endif

/*
 * See process_start.h.  Between vfork and execveat the child only moves its
 * descriptor to where process_begin looks for it.  The environment is empty.
 */
#include "common/process_start.h"

#include "common/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void
process_start_give(
    struct process_start *start, enum start_descriptor kind, int fd)
{
	if (fd == -1)
		return;
	if (start->fd_count == CHANNEL_MAX_DESCRIPTORS)
		fatal("what=\"too many descriptors for %s\"",
		    role_name(start->role));
	start->kinds[start->fd_count] = (uint8_t)kind;
	start->fds[start->fd_count++] = fd;
}

static pid_t
start_program(const struct process_start *start, int child_end)
{
	char name[32];
	char *const arguments[] = { name, NULL };
	char *const environment[] = { NULL };
	pid_t pid;

	snprintf(name, sizeof(name), "firnmail-%s", role_name(start->role));
	pid = vfork();
	if (pid != 0)
		return pid;
	if (child_end == PROCESS_STARTER_FD
		? fcntl(child_end, F_SETFD, 0) == -1
		: dup2(child_end, PROCESS_STARTER_FD) == -1)
		_exit(126);
	syscall(SYS_execveat, start->executable_fd, "", arguments, environment,
	    AT_EMPTY_PATH);
	_exit(127);
}

static int
send_start(const struct process_start *start, int fd, struct error *error)
{
	struct message message = { .type = MESSAGE_start };
	enum role self = start->role <= ROLE_BROKER ? ROLE_MASTER : ROLE_BROKER;

	message.start = (struct message_start){
		.role = (uint8_t)start->role,
		.flags = (uint8_t)start->flags,
		.uid = start->uid,
		.gid = start->uid,
		.account = start->account,
		.instance = start->instance,
		.kinds = text_make(start->kinds, start->fd_count),
	};
	return channel_send_now(fd, self, start->role, &message, start->fds,
	    start->fd_count, error);
}

int
process_start(const struct process_start *start, pid_t *pid, int *channel_fd,
    struct error *error)
{
	int ends[2];

	if (channel_pair(ends, error) == -1)
		return -1;
	/* First the message, then the process: it never waits. */
	if (send_start(start, ends[0], error) == -1) {
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	*pid = start_program(start, ends[1]);
	close(ends[1]);
	if (*pid == -1) {
		close(ends[0]);
		return error_set_errno(error, "vfork");
	}
	*channel_fd = ends[0];
	return 0;
}

int64_t
process_backoff_ms(unsigned int quick_ends)
{
	if (quick_ends < 2)
		return 1000;
	return quick_ends >= 7 ? 60000 : (int64_t)1000 << (quick_ends - 1);
}

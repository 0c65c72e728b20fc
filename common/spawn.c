/* See spawn.h. */
#include "common/spawn.h"

#include "common/file.h"
#include "common/process.h"
#include "common/sandbox_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is handed over, above where it is laid out; close on exec. */
static int
lift(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 10);
		if (fds[i] == -1)
			return -1;
	}
	return 0;
}

static int
lay_out(const int *fds, size_t count, int output_fd)
{
	if (dup2(output_fd, 1) == -1)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (dup2(fds[i], PROCESS_STARTER_FD + (int)i) == -1)
			return -1;
	return close_range(PROCESS_STARTER_FD + (unsigned int)count, 9, 0);
}

/* In the child: never returns. */
static void
become_program(const struct spawn *spawn, int program_fd, int output_fd)
{
	char *const environment[] = { NULL };
	char *arguments[SPAWN_MAX_ARGUMENTS + 2] = { (char *)spawn->program };
	int fds[SPAWN_MAX_DESCRIPTORS];
	struct error error;

	for (size_t i = 0; i < SPAWN_MAX_ARGUMENTS; i++)
		arguments[i + 1] = (char *)spawn->arguments[i];
	memcpy(fds, spawn->fds, sizeof(fds));
	program_fd = fcntl(program_fd, F_DUPFD_CLOEXEC, 10);
	if (program_fd == -1 || lift(fds, spawn->fd_count) == -1 ||
	    lay_out(fds, spawn->fd_count, output_fd) == -1) {
		perror("firnmail: descriptors");
		_exit(1);
	}
	if (!spawn->shuts_walls && sandbox_become(spawn->uid, &error) == -1) {
		fprintf(stderr, "firnmail: %s\n", error.text);
		_exit(1);
	}
	fexecve(program_fd, arguments, environment);
	fprintf(stderr, "firnmail: %s: %s\n", spawn->program, strerror(errno));
	_exit(1);
}

/* What came so far is told as it comes. */
static int
read_output(int fd, struct buf *to, void (*more)(void *context), void *context,
    struct error *error)
{
	uint8_t step[16384];
	ssize_t n;

	while ((n = read(fd, step, sizeof(step))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return error_set_errno(error, "read of its output");
		if (buf_put(to, step, (size_t)n) == -1)
			return error_set(error, ERROR_LIMIT,
			    "it says more than %zu bytes", to->max_size);
		if (more != NULL)
			more(context);
	}
	return 0;
}

static int
wait_end(pid_t pid, const char *program, struct error *error)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return error_set_errno(error, "wait for %s", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return error_set(error, ERROR_UNAVAILABLE,
		    "%s was ended by signal %d", program, WTERMSIG(status));
	return error_set(error, ERROR_UNAVAILABLE, "%s failed", program);
}

int
spawn_and_read(const struct spawn *spawn, struct buf *to, struct error *error)
{
	return spawn_and_follow(spawn, to, NULL, NULL, error);
}

int
spawn_and_follow(const struct spawn *spawn, struct buf *to,
    void (*more)(void *context), void *context, struct error *error)
{
	const char *program = spawn->program;
	int program_fd = open(program, O_PATH | O_CLOEXEC);
	int pipe_fds[2] = { -1, -1 };
	int status = -1;
	pid_t pid;

	if (program_fd == -1)
		return error_set_errno(error, "program %s", program);
	if (pipe2(pipe_fds, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		error_set_errno(error, "start of %s", program);
		close(program_fd);
		return -1;
	}
	if (pid == 0)
		become_program(spawn, program_fd, pipe_fds[1]);
	close(program_fd);
	close(pipe_fds[1]);
	status = read_output(pipe_fds[0], to, more, context, error);
	close(pipe_fds[0]);
	if (wait_end(pid, program, status == 0 ? error : NULL) == -1)
		status = -1;
	return status;
}

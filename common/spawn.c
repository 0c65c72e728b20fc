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

/* In the child: never returns. */
static void
become_program(int program_fd, const char *program, const char *verb, int fd,
    int output_fd, uint32_t uid)
{
	char *const environment[] = { NULL };
	char *const arguments[] = { (char *)program, (char *)verb, NULL };
	struct error error;

	/* Above those that are laid out below; close on exec. */
	program_fd = fcntl(program_fd, F_DUPFD_CLOEXEC, 10);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	if (program_fd == -1 || fd == -1 || dup2(output_fd, 1) == -1 ||
	    dup2(fd, PROCESS_STARTER_FD) == -1 ||
	    close_range(PROCESS_STARTER_FD + 1, 9, 0) == -1) {
		perror("firnmail: descriptors");
		_exit(1);
	}
	if (sandbox_become(uid, &error) == -1) {
		fprintf(stderr, "firnmail: %s\n", error.text);
		_exit(1);
	}
	fexecve(program_fd, arguments, environment);
	fprintf(stderr, "firnmail: %s: %s\n", program, strerror(errno));
	_exit(1);
}

static int
read_output(int fd, struct buf *to, struct error *error)
{
	int status = file_read_all(fd, to, error);

	close(fd);
	return status;
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
spawn_and_read(const char *program, const char *verb, int fd, uint32_t uid,
    struct buf *to, struct error *error)
{
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
		become_program(program_fd, program, verb, fd, pipe_fds[1], uid);
	close(program_fd);
	close(pipe_fds[1]);
	status = read_output(pipe_fds[0], to, error);
	if (wait_end(pid, program, status == 0 ? error : NULL) == -1)
		status = -1;
	return status;
}

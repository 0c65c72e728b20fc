/*
 * See password_child.h: the only user of libcrypt, which reads what strangers
 * send and so runs where there is nothing: no descriptor but one socket, no
 * call but to read it, to answer and to have memory.
 */
#include "authd/password_child.h"

#include "authd/password_walls.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/log.h"

#include <crypt.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	KEEPER_MAX_CHILDREN = 64,
	CLOSE_BELOW = 256,
	QUICK_END_US = 1000 * 1000,
	BACKOFF_NS = 200 * 1000 * 1000
};

struct child {
	int fd;
	pid_t pid;
	int64_t started_us;
};

/* -- A child -- */

/* No early end: the time does not tell where the difference is. */
static bool
is_same(const char *a, const char *b)
{
	size_t size = strlen(a);
	unsigned char different = 0;

	if (strlen(b) != size)
		return false;
	for (size_t i = 0; i < size; i++)
		different |= (unsigned char)(a[i] ^ b[i]);
	return different == 0;
}

/* A NUL in either would end it early for crypt. */
static int
copy(struct text from, char *to, size_t size)
{
	if (from.size > 0 && memchr(from.data, '\0', from.size) != NULL)
		return -1;
	return text_copy(from, to, size);
}

static enum password_result
check(struct text hash, struct text password)
{
	static struct crypt_data data;
	char setting[PASSWORD_CHILD_MAX_HASH + 1];
	char phrase[PASSWORD_CHILD_MAX_PASSWORD + 1];
	enum password_result result = PASSWORD_WRONG;
	const char *made;

	if (copy(hash, setting, sizeof(setting)) == -1 ||
	    copy(password, phrase, sizeof(phrase)) == -1)
		return PASSWORD_WRONG;
	made = crypt_rn(phrase, setting, &data, sizeof(data));
	if (made != NULL && made[0] != '*' && is_same(made, setting))
		result = PASSWORD_RIGHT;
	explicit_bzero(&data, sizeof(data));
	explicit_bzero(phrase, sizeof(phrase));
	return result;
}

static int
answer(int fd, uint32_t number, enum password_result result)
{
	uint8_t packet[PASSWORD_CHILD_ANSWER];
	struct writer writer;

	writer_init(&writer, packet, sizeof(packet));
	writer_put_u32(&writer, number);
	writer_put_u8(&writer, (uint8_t)result);
	return send(fd, packet, sizeof(packet), MSG_NOSIGNAL) ==
		       (ssize_t)sizeof(packet)
		   ? 0
		   : -1;
}

/* Ends with 0 when authd closed, with 1 when something is wrong. */
static void __attribute__((noreturn)) child_run(int fd)
{
	uint8_t packet[PASSWORD_CHILD_MAX_JOB];
	struct reader reader;
	struct text hash, password;
	uint32_t number;
	ssize_t size;
	int sent;

	for (int other = 0; other < CLOSE_BELOW; other++)
		if (other != fd)
			close(other);
	if (password_walls_enter() == -1)
		_exit(1);
	while ((size = recv(fd, packet, sizeof(packet), 0)) > 0) {
		reader_init(&reader, packet, (size_t)size);
		number = reader_get_u32(&reader);
		hash = reader_get_text(&reader, PASSWORD_CHILD_MAX_HASH);
		password =
		    reader_get_text(&reader, PASSWORD_CHILD_MAX_PASSWORD);
		if (reader_done(&reader) == -1)
			_exit(1);
		sent = answer(fd, number, check(hash, password));
		explicit_bzero(packet, sizeof(packet));
		if (sent == -1)
			_exit(1);
	}
	_exit(0);
}

/* -- The keeper -- */

static void
start(struct child *child)
{
	const struct timespec pause = { 0, BACKOFF_NS };
	pid_t pid;

	if (child->started_us != 0 &&
	    clock_monotonic_us() - child->started_us < QUICK_END_US)
		nanosleep(&pause, NULL);
	while ((pid = fork()) == -1)
		nanosleep(&pause, NULL);
	if (pid == 0)
		child_run(child->fd);
	child->pid = pid;
	child->started_us = clock_monotonic_us();
}

static void
tell_end(const struct child *child, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_alarm("seccomp-kill",
		    "role=authd part=password-child "
		    "pid=%d",
		    child->pid);
	else
		log_warning("password-child-ended", "pid=%d status=0x%x",
		    child->pid, status);
}

void
password_keeper_run(const int *fds, size_t count)
{
	struct child children[KEEPER_MAX_CHILDREN] = { 0 };
	int status;
	pid_t pid;

	for (size_t i = 0; i < count && i < KEEPER_MAX_CHILDREN; i++) {
		children[i].fd = fds[i];
		start(&children[i]);
	}
	while ((pid = waitpid(-1, &status, 0)) > 0) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			break; /* authd is gone */
		for (size_t i = 0; i < count; i++) {
			if (children[i].pid != pid)
				continue;
			tell_end(&children[i], status);
			if (answer(children[i].fd, 0, PASSWORD_UNKNOWN) == -1)
				_exit(0);
			start(&children[i]);
		}
	}
	_exit(0);
}

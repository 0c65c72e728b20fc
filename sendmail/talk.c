/* See talk.h. */
#include "sendmail/talk.h"

#include "common/file.h"
#include "common/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	MAX_INPUT = 65536,
	GOODBYE_MS = 30000 /* for what is still to be answered */
};

static int
connect_to(const char *path, struct error *error)
{
	const struct timeval timeout = { .tv_sec = TALK_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (text_copy(text_of(path), address.sun_path,
		sizeof(address.sun_path)) == -1)
		return error_set(
		    error, ERROR_INPUT, "the path of the socket is too long");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0)
		return fd;
	error_set(error, ERROR_UNAVAILABLE, "Firnmail is not there (%s: %s)",
	    path, strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* The next line into talk->reply. */
static int
read_line(struct talk *talk, struct error *error)
{
	const uint8_t *end;
	uint8_t *room;
	ssize_t size;

	while ((end = talk->input.size == 0 ? NULL
					    : memchr(talk->input.data, '\n',
						  talk->input.size)) == NULL) {
		room = buf_reserve(&talk->input, TALK_MAX_LINE);
		size = room == NULL ? -1 : read(talk->fd, room, TALK_MAX_LINE);
		if (size <= 0)
			return error_set(error, ERROR_UNAVAILABLE,
			    "Firnmail does not answer any more");
		buf_added(&talk->input, (size_t)size);
	}
	size = end - talk->input.data;
	if (text_copy(text_trim(text_make(talk->input.data, (size_t)size)),
		talk->reply, sizeof(talk->reply)) == -1)
		return error_set(
		    error, ERROR_UNAVAILABLE, "an answer that is none");
	buf_cut(&talk->input, (size_t)size + 1);
	if (talk->is_shown)
		fprintf(stderr, "<<< %s\n", talk->reply);
	return 0;
}

static void
note_capability(struct talk *talk, struct text word)
{
	if (text_starts_nocase(word, "XORIGIN="))
		(void)text_copy(
		    text_skip(word, 8), talk->origin, sizeof(talk->origin));
	else if (text_starts_nocase(word, "SIZE "))
		(void)text_parse_number(
		    text_skip(word, 5), INT64_MAX, &talk->max_size);
}

/* All lines of a reply; what EHLO's say is noted on the way. */
static int
read_reply(struct talk *talk, struct error *error)
{
	struct text line;
	uint64_t code;

	for (;;) {
		if (read_line(talk, error) == -1)
			return -1;
		line = text_of(talk->reply);
		if (line.size < 3 || text_parse_number(text_make(line.data, 3),
					 599, &code) == -1)
			return error_set(
			    error, ERROR_UNAVAILABLE, "an answer that is none");
		talk->code = (unsigned int)code;
		if (line.size > 3)
			note_capability(talk, text_skip(line, 4));
		if (line.size == 3 || line.data[3] != '-')
			return 0;
	}
}

int
talk_say(struct talk *talk, struct error *error, const char *format, ...)
{
	char line[TALK_MAX_LINE];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line) - 2, format, args);
	va_end(args);
	if (size < 0 || size >= (int)sizeof(line) - 2)
		return error_set(error, ERROR_INPUT, "an address is too long");
	/* A line end in an argument would be a command more. */
	if (strpbrk(line, "\r\n") != NULL)
		return error_set(
		    error, ERROR_INPUT, "a line end within an address");
	if (talk->is_shown)
		fprintf(stderr, ">>> %s\n", line);
	memcpy(line + size, "\r\n", 2);
	if (file_write_all(talk->fd, line, (size_t)size + 2, error) == -1)
		return -1;
	return read_reply(talk, error);
}

int
talk_send(struct talk *talk, const struct buf *message, struct error *error)
{
	char line[64];
	int size =
	    snprintf(line, sizeof(line), "BDAT %zu LAST\r\n", message->size);

	if (talk->is_shown)
		fprintf(stderr, ">>> %.*s\n", size - 2, line);
	if (file_write_all(talk->fd, line, (size_t)size, error) == -1 ||
	    file_write_all(talk->fd, message->data, message->size, error) == -1)
		return -1;
	return read_reply(talk, error);
}

int
talk_begin(struct talk *talk, const char *path, struct error *error)
{
	buf_init(&talk->input, MAX_INPUT);
	talk->fd = connect_to(path, error);
	if (talk->fd == -1)
		return -1;
	if (read_reply(talk, error) == 0 && talk->code == 220 &&
	    talk_say(talk, error, "EHLO localhost") == 0 && talk->code == 250)
		return 0;
	if (talk->code != 0)
		error_set(error, ERROR_UNAVAILABLE, "%s", talk->reply);
	return -1;
}

void
talk_end(struct talk *talk)
{
	struct error error;

	if (talk->fd != -1) {
		(void)file_write_all(talk->fd, "QUIT\r\n", 6, &error);
		close(talk->fd);
	}
	buf_clear(&talk->input);
}

/* What one side has for the other: 1, 0 at its end, or -1. */
static int
copy_some(int from, int to, struct error *error)
{
	char data[16384];
	ssize_t size = read(from, data, sizeof(data));

	if (size == -1 && errno == EINTR)
		return 1;
	if (size == -1)
		return error_set_errno(error, "read");
	if (size == 0)
		return 0;
	return file_write_all(to, data, (size_t)size, error) == -1 ? -1 : 1;
}

/* There is no more: whoever did not say so is said for, and the answers are
 * waited for, which a closed side would cut off. */
static int
say_goodbye(struct pollfd *from, int to, struct error *error)
{
	from->fd = -1;
	return file_write_all(to, "QUIT\r\n", 6, error) == -1 ? -1 : 1;
}

int
talk_copy(const char *path, struct error *error)
{
	struct pollfd sides[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .events = POLLIN } };
	int result = 1, ready;

	sides[1].fd = connect_to(path, error);
	if (sides[1].fd == -1)
		return -1;
	while (result == 1) {
		ready = poll(sides, 2, sides[0].fd == -1 ? GOODBYE_MS : -1);
		if (ready == -1 && errno == EINTR)
			continue;
		if (ready == -1)
			result = error_set_errno(error, "poll");
		else if (ready == 0)
			result = error_set(error, ERROR_UNAVAILABLE,
			    "Firnmail does not answer any more");
		else if (sides[1].revents != 0)
			result = copy_some(sides[1].fd, STDOUT_FILENO, error);
		else if (copy_some(STDIN_FILENO, sides[1].fd, error) != 1)
			result = say_goodbye(&sides[0], sides[1].fd, error);
	}
	close(sides[1].fd);
	return result;
}

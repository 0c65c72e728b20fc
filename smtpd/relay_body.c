/* See relay_body.h. */
#include "smtpd/relay_body.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
relay_body_init(struct relay_body *body, int fd, uint64_t size)
{
	memset(body, 0, sizeof(*body));
	body->fd = fd;
	body->size = size;
	body->converted_fd = -1;
	relay_body_rewind(body);
}

void
relay_body_clear(struct relay_body *body)
{
	if (body->converted_fd != -1)
		close(body->converted_fd);
	body->converted_fd = -1;
}

void
relay_body_replace(struct relay_body *body, int fd, uint64_t size)
{
	relay_body_clear(body);
	body->converted_fd = fd;
	body->size = size;
	body->is_scanned = true;
	body->has_8bit = body->has_8bit_header = false;
	relay_body_rewind(body);
}

void
relay_body_rewind(struct relay_body *body)
{
	body->offset = 0;
	body->is_line_start = true;
	body->is_after_cr = false;
}

/* Bytes at `offset`, at most a piece; -1 if there are fewer than promised. */
static ssize_t
read_piece(const struct relay_body *body, uint64_t offset, char *data,
    struct error *error)
{
	uint64_t left = body->size - offset;
	size_t size = left < RELAY_BODY_PIECE ? (size_t)left : RELAY_BODY_PIECE;
	int fd = body->converted_fd != -1 ? body->converted_fd : body->fd;
	ssize_t n;

	do {
		n = pread(fd, data, size, (off_t)offset);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return error_set_errno(error, "body");
	if (n == 0)
		return error_set(error, ERROR_DAMAGED, "the body is short");
	return n;
}

static bool
is_8bit(const char *data, size_t size)
{
	char all = 0;

	for (size_t i = 0; i < size; i++)
		all |= data[i];
	return (all & 0x80) != 0;
}

/* How many of `size` bytes belong to the header; *line counts the bytes of the
 * line so far, without its CR. */
static size_t
header_part(const char *data, size_t size, size_t *line, bool *is_header)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			if (*line == 0) {
				*is_header = false;
				return i;
			}
			*line = 0;
		} else if (data[i] != '\r') {
			(*line)++;
		}
	}
	return size;
}

int
relay_body_scan(struct relay_body *body, struct error *error)
{
	char data[RELAY_BODY_PIECE];
	bool is_header = true;
	uint64_t offset = 0;
	size_t line = 0;

	while (!body->is_scanned && offset < body->size) {
		ssize_t n = read_piece(body, offset, data, error);
		size_t header = 0;

		if (n == -1)
			return -1;
		if (is_header)
			header =
			    header_part(data, (size_t)n, &line, &is_header);
		body->has_8bit_header |= is_8bit(data, header);
		body->has_8bit |= is_8bit(data, (size_t)n);
		offset += (uint64_t)n;
	}
	body->is_scanned = true;
	return 0;
}

/* The rest of a line that holds no CR, LF or dot at its start goes as it is. */
static size_t
plain_size(const char *data, size_t size)
{
	const char *cr = memchr(data, '\r', size);
	size_t n = cr != NULL ? (size_t)(cr - data) : size;
	const char *lf = memchr(data, '\n', n);

	return lf != NULL ? (size_t)(lf - data) : n;
}

static void
stuff(struct relay_body *body, const char *data, size_t size, struct buf *out)
{
	size_t i = 0;

	while (i < size) {
		if (data[i] == '\n' || body->is_after_cr) {
			(void)buf_put(out, "\r\n", 2);
			i += data[i] == '\n';
			body->is_line_start = true;
			body->is_after_cr = false;
		} else if (data[i] == '\r') {
			body->is_after_cr = true;
			i++;
		} else {
			size_t n = plain_size(data + i, size - i);

			if (body->is_line_start && data[i] == '.')
				(void)buf_put_byte(out, '.');
			(void)buf_put(out, data + i, n);
			body->is_line_start = false;
			i += n;
		}
	}
}

static void
end_data(struct relay_body *body, struct buf *out)
{
	if (body->is_after_cr || !body->is_line_start)
		(void)buf_put(out, "\r\n", 2);
	(void)buf_put(out, ".\r\n", 3);
}

int
relay_body_put(
    struct relay_body *body, bool is_data, struct buf *out, struct error *error)
{
	char data[RELAY_BODY_PIECE];
	ssize_t n;

	if (out->max_size - out->size < RELAY_BODY_ROOM)
		return 1;
	if (body->offset < body->size) {
		n = read_piece(body, body->offset, data, error);
		if (n == -1)
			return -1;
		body->offset += (uint64_t)n;
		if (is_data)
			stuff(body, data, (size_t)n, out);
		else
			(void)buf_put(out, data, (size_t)n);
	}
	if (body->offset < body->size)
		return 1;
	if (is_data)
		end_data(body, out);
	return 0;
}

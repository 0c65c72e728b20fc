/*
 * See message_bytes.h.
 */
#include "imapd/message_bytes.h"

#include "common/file.h"
#include "common/record.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	BYTES_IN_MEMORY = 32768, /* what the packet holds */
	BYTES_STEP = 65536
};

void
message_bytes_init(struct message_bytes *message)
{
	memset(message, 0, sizeof(*message));
	message->fd = -1;
	message->form = FORM_LF;
	buf_init(&message->bytes, BYTES_IN_MEMORY + 2 * BYTES_STEP);
}

void
message_bytes_clear(struct message_bytes *message)
{
	if (message->fd != -1)
		close(message->fd);
	message->fd = -1;
	buf_clear(&message->bytes);
}

/* What is in memory goes to the memfd. */
static int
spill(struct message_bytes *message)
{
	struct error error;

	if (message->fd == -1)
		message->fd =
		    memfd_create("append", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (message->fd == -1 ||
	    file_write_all(message->fd, message->bytes.data,
		message->bytes.size, &error) == -1) {
		message->has_failed = true;
		return -1;
	}
	message->fd_size += message->bytes.size;
	buf_reset(&message->bytes);
	return 0;
}

static int
put(struct message_bytes *message, const void *data, size_t size)
{
	if (message->bytes.size + size > BYTES_IN_MEMORY + BYTES_STEP &&
	    spill(message) == -1)
		return -1;
	if (buf_put(&message->bytes, data, size) == 0)
		return 0;
	message->has_failed = true;
	return -1;
}

/* The bytes are not of CRLF lines alone: what was written as LF becomes CRLF
 * again, which gives back exactly what came. */
static int
become_exact(struct message_bytes *message)
{
	static uint8_t step[4096];
	struct buf old = message->bytes;
	int old_fd = message->fd;
	off_t at = 0;
	ssize_t n = 0;
	int result = 0;

	message->form = FORM_EXACT;
	message->fd = -1;
	message->fd_size = 0;
	buf_init(&message->bytes, BYTES_IN_MEMORY + 2 * BYTES_STEP);
	while (result == 0) {
		if (old_fd != -1)
			n = pread(old_fd, step, sizeof(step), at);
		if (old_fd == -1 || n <= 0) {
			n = (ssize_t)(old.size < sizeof(step) ? old.size
							      : sizeof(step));
			if (n == 0)
				break;
			memcpy(step, old.data, (size_t)n);
			buf_cut(&old, (size_t)n);
			if (old_fd != -1)
				close(old_fd);
			old_fd = -1;
		}
		at += n;
		for (ssize_t i = 0; result == 0 && i < n; i++)
			result = step[i] == '\n' ? put(message, "\r\n", 2)
						 : put(message, &step[i], 1);
	}
	buf_clear(&old);
	if (old_fd != -1)
		close(old_fd);
	return result;
}

/* One run of bytes while every line end was CRLF. Returns how many were
 * used: less than `size` if the form changed. */
static size_t
write_lines(struct message_bytes *message, const uint8_t *data, size_t size)
{
	size_t used = 0;

	while (used < size) {
		const uint8_t *end = data + used;
		size_t run = 0;

		if (message->has_cr != (data[used] == '\n'))
			break;
		if (message->has_cr) {
			message->has_cr = false;
			put(message, "\n", 1);
			used++;
			continue;
		}
		while (
		    used + run < size && end[run] != '\r' && end[run] != '\n')
			run++;
		if (run > 0)
			put(message, end, run);
		used += run;
		if (used < size && data[used] == '\r') {
			message->has_cr = true;
			used++;
		}
	}
	return used;
}

static void
count_wire_size(struct message_bytes *message, const char *data, size_t size)
{
	const char *p = data, *end = data + size;

	message->wire_size += size;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		message->wire_size +=
		    p == data ? !message->wire_after_cr : p[-1] != '\r';
		p++;
	}
	if (size > 0)
		message->wire_after_cr = end[-1] == '\r';
}

int
message_bytes_write(
    struct message_bytes *message, const void *data, size_t size)
{
	size_t used = 0;

	count_wire_size(message, data, size);
	while (!message->has_failed && used < size) {
		size_t step =
		    size - used < BYTES_STEP ? size - used : BYTES_STEP;

		if (message->form == FORM_LF) {
			size_t taken = write_lines(
			    message, (const uint8_t *)data + used, step);

			used += taken;
			if (taken == step)
				continue;
			become_exact(message);
			if (message->has_cr)
				put(message, "\r", 1);
			message->has_cr = false;
			continue;
		}
		put(message, (const uint8_t *)data + used, step);
		used += step;
	}
	return message->has_failed ? -1 : 0;
}

int
message_bytes_seal(struct message_bytes *message)
{
	if (message->has_cr) { /* ends in a lone CR */
		message->has_cr = false;
		become_exact(message);
		put(message, "\r", 1);
	}
	if (message->bytes.size > BYTES_IN_MEMORY || message->fd != -1) {
		spill(message);
		buf_clear(&message->bytes);
	}
	if (message->has_failed)
		return -1;
	return message->fd == -1 ? 0
				 : fcntl(message->fd, F_ADD_SEALS,
				       F_SEAL_SEAL | F_SEAL_SHRINK |
					   F_SEAL_GROW | F_SEAL_WRITE);
}

uint64_t
message_bytes_size(const struct message_bytes *message)
{
	return message->fd_size > 0 ? message->fd_size : message->bytes.size;
}

struct text
message_bytes_text(const struct message_bytes *message)
{
	return text_make(message->bytes.data, message->bytes.size);
}

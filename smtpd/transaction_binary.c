/*
 * A binary message (RFC 3030) for accounts of ours.  Mail programs and Maildirs
 * know lines: what reads a message there may make CR LF of each LF.  So the
 * copy for them has its binary parts in base64, as it would have come had it
 * not been offered; the one for other hosts stays as it is.
 */
#include "smtpd/transaction_state.h"

#include "common/file.h"
#include "smtpd/relay_downgrade.h"

#include <unistd.h>

enum {
	INLINE_SIZE = 16384,
	STEP = 32768
};

/* The trace fields are there already. */
static void
make_prefix(struct mail_body *body, struct buf *prefix, void *context)
{
	const struct transaction *t = context;

	buf_put_format(prefix, "Return-Path: <%s>\n", t->sender);
}

/* The message as it came, in a descriptor; -1. */
static int
open_body(const struct transaction *t, uint64_t *size, struct error *error)
{
	struct buf data;
	int fd = -1, result;

	buf_init(&data, INLINE_SIZE);
	result = outgoing_body(&t->body, &data, &fd, size, error);
	if (result == 0 && fd == -1)
		fd = file_sealed_memory("mail", data.data, data.size, error);
	buf_clear(&data);
	return result == -1 ? -1 : fd;
}

static int
copy(struct mail_body *body, int fd, uint64_t size, struct error *error)
{
	uint8_t bytes[STEP];
	uint64_t offset = 0;
	ssize_t got;

	while (offset < size) {
		got = pread(fd, bytes, sizeof(bytes), (off_t)offset);
		if (got <= 0)
			return error_set_errno(error, "reading a message");
		if (mail_body_put(body, bytes, (size_t)got, error) == -1)
			return -1;
		offset += (uint64_t)got;
	}
	return mail_body_finish(body, error);
}

int
transaction_convert(struct transaction *t, struct error *error)
{
	struct relay_body body;
	uint64_t size;
	int fd = open_body(t, &size, error), converted, result = -1;

	if (fd == -1)
		return -1;
	relay_body_init(&body, fd, size);
	converted = relay_downgrade(&body, &size, error);
	if (converted != -1) {
		mail_body_init(&t->converted, make_prefix, t);
		t->is_converted = true;
		result = copy(&t->converted, converted, size, error);
		close(converted);
		t->counted += size;
		t->queue->bytes += size;
	}
	close(fd);
	return result;
}

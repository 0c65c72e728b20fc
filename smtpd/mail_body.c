/*
 * Conversion and keeping of one message's bytes.
 */
#include "smtpd/mail_body.h"

#include "common/file.h"
#include "common/smtp_verdict.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HEADER_SLICE = 2048
};

void
mail_body_init(struct mail_body *body,
    void (*make_prefix)(
	struct mail_body *body, struct buf *prefix, void *context),
    void *context)
{
	memset(body, 0, sizeof(*body));
	buf_init(&body->head, MAIL_BODY_HEAD_SIZE + RECEIVED_MAX_SIZE);
	body->fd = -1;
	body->make_prefix = make_prefix;
	body->context = context;
}

void
mail_body_clear(struct mail_body *body)
{
	buf_clear(&body->head);
	if (body->fd != -1)
		close(body->fd);
	body->fd = -1;
}

static int
write_head(struct mail_body *body, struct error *error)
{
	if (file_write_all(body->fd, body->head.data, body->head.size, error) ==
	    -1)
		return -1;
	buf_reset(&body->head);
	return 0;
}

/* The trace fields have LF; in a message that is kept as it came CR LF. */
static void
put_prefix(struct mail_body *body, struct buf *to)
{
	struct buf prefix;

	buf_init(&prefix, RECEIVED_MAX_SIZE);
	body->make_prefix(body, &prefix, body->context);
	for (size_t i = 0; i < prefix.size; i++) {
		if (body->is_exact && prefix.data[i] == '\n')
			buf_put_byte(to, '\r');
		buf_put_byte(to, prefix.data[i]);
	}
	body->stored_size += to->size;
	buf_clear(&prefix);
}

/* Moves what there is to a memfd, behind the trace fields. */
static int
spill(struct mail_body *body, struct error *error)
{
	struct buf prefix;
	int result;

	body->fd = memfd_create("mail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (body->fd == -1)
		return error_set_errno(error, "memory for a message");
	buf_init(&prefix, 2 * RECEIVED_MAX_SIZE);
	put_prefix(body, &prefix);
	result = file_write_all(body->fd, prefix.data, prefix.size, error);
	buf_clear(&prefix);
	return result == -1 ? -1 : write_head(body, error);
}

static int
keep(struct mail_body *body, const void *data, size_t size, struct error *error)
{
	size_t room;

	while (size > 0) {
		if (body->head.size >= MAIL_BODY_HEAD_SIZE &&
		    (body->fd == -1 ? spill(body, error)
				    : write_head(body, error)) == -1)
			return -1;
		room = MAIL_BODY_HEAD_SIZE - body->head.size;
		room = size < room ? size : room;
		buf_put(&body->head, data, room);
		body->stored_size += room;
		data = (const uint8_t *)data + room;
		size -= room;
	}
	return 0;
}

static int
put_stored(struct mail_body *body, const uint8_t *data, size_t size,
    struct error *error)
{
	uint8_t passed[HEADER_SLICE + HEADER_FILTER_ROOM];
	size_t used, made, slice;

	while (size > 0 && !body->header.is_over) {
		slice = size < HEADER_SLICE ? size : HEADER_SLICE;
		made = header_filter_feed(
		    &body->header, data, slice, &used, passed);
		if (keep(body, passed, made, error) == -1)
			return -1;
		data += used;
		size -= used;
	}
	return keep(body, data, size, error);
}

/* A CR was the last byte of the chunk before. */
static int
resolve_cr(struct mail_body *body, const uint8_t *data, struct error *error)
{
	body->is_after_cr = false;
	if (*data == '\n')
		return 0;
	body->defects |= DEFECT_BARE_CR;
	return put_stored(body, (const uint8_t *)"\r", 1, error);
}

int
mail_body_put(struct mail_body *body, const uint8_t *data, size_t size,
    struct error *error)
{
	const uint8_t *end = data + size, *cr, *stop;
	bool is_proper = false; /* this run begins with the LF of a CR LF */

	body->header.is_exact = body->is_exact;
	if (body->is_exact)
		return put_stored(body, data, size, error);
	if (size > 0 && body->is_after_cr) {
		is_proper = *data == '\n';
		if (resolve_cr(body, data, error) == -1)
			return -1;
	}
	while (data < end) {
		cr = memchr(data, '\r', (size_t)(end - data));
		stop = cr != NULL ? cr : end;
		if (memchr(data + is_proper, '\n',
			(size_t)(stop - data) - is_proper) != NULL)
			body->defects |= DEFECT_BARE_LF;
		if (cr != NULL && cr + 1 < end && cr[1] != '\n') {
			body->defects |= DEFECT_BARE_CR;
			stop = cr + 1; /* refused later, kept as it is */
		}
		if (put_stored(body, data, (size_t)(stop - data), error) == -1)
			return -1;
		is_proper = cr != NULL && cr + 1 < end && cr[1] == '\n';
		body->is_after_cr = cr != NULL && cr + 1 == end;
		data = cr != NULL ? cr + 1 : end;
	}
	return 0;
}

static int
seal(int fd, struct error *error)
{
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1)
		return error_set_errno(error, "sealing a message");
	return 0;
}

int
mail_body_finish(struct mail_body *body, struct error *error)
{
	uint8_t name[HEADER_FILTER_ROOM];
	struct buf whole;

	if (body->is_after_cr)
		body->defects |= DEFECT_BARE_CR;
	if (!body->header.is_over &&
	    keep(body, name, header_filter_finish(&body->header, name),
		error) == -1)
		return -1;
	if (body->fd == -1 &&
	    body->head.size > MAIL_BODY_INLINE_SIZE - RECEIVED_MAX_SIZE &&
	    spill(body, error) == -1)
		return -1;
	if (body->fd != -1)
		return write_head(body, error) == -1 ? -1
						     : seal(body->fd, error);
	buf_init(&whole, MAIL_BODY_INLINE_SIZE);
	put_prefix(body, &whole);
	buf_put(&whole, body->head.data, body->head.size);
	buf_clear(&body->head);
	body->head = whole;
	return 0;
}

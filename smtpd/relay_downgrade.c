/*
 * See relay_downgrade.h.  The message is read twice: once for the tree of its
 * parts, and once to write them anew.  Text becomes quoted-printable, so that
 * it can still be read without decoding, all else base64.
 */
#include "smtpd/relay_downgrade.h"

#include "common/file.h"
#include "common/mail_header.h"
#include "common/mime_encoding.h"
#include "common/mime_parser.h"
#include "common/pool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	PIECE = 16384,
	OUTPUT = 4 * PIECE
};

struct downgrade {
	int from;
	int to;
	uint64_t written;
	struct buf out;
	struct buf header;
	bool is_root;
	struct error *error;
};

static int convert_part(struct downgrade *d, const struct mime_part *part);

/* -- Bytes in and out -- */

static int
read_at(struct downgrade *d, uint64_t offset, char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = pread(d->from, data, size, (off_t)offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(
			    d->error, ERROR_DAMAGED, "the body is short");
		data += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int
flush(struct downgrade *d)
{
	d->written += d->out.size;
	if (d->written > RELAY_DOWNGRADE_MAX_SIZE)
		return error_set(d->error, ERROR_LIMIT, "too large");
	if (file_write_all(d->to, d->out.data, d->out.size, d->error) == -1)
		return -1;
	buf_reset(&d->out);
	return 0;
}

/* Calls `take` for each piece of a run of the message. */
static int
each_piece(struct downgrade *d, uint64_t offset, uint64_t size,
    int (*take)(struct downgrade *d, struct text piece, void *context),
    void *context)
{
	char data[PIECE];

	while (size > 0) {
		size_t n = size < PIECE ? (size_t)size : PIECE;

		if (read_at(d, offset, data, n) == -1 ||
		    take(d, text_make(data, n), context) == -1)
			return -1;
		offset += n;
		size -= n;
	}
	return 0;
}

static int
copy_piece(struct downgrade *d, struct text piece, void *context)
{
	(void)buf_put(&d->out, piece.data, piece.size);
	return flush(d);
}

/* What stands between parts: boundaries, and words for nobody. */
static int
copy_between(struct downgrade *d, struct text piece, void *context)
{
	for (size_t i = 0; i < piece.size; i++)
		(void)buf_put_byte(&d->out,
		    (piece.data[i] & 0x80) != 0 ? '?' : (uint8_t)piece.data[i]);
	return flush(d);
}

static int
encode_piece(struct downgrade *d, struct text piece, void *context)
{
	(void)mime_encode(context, piece, &d->out);
	return flush(d);
}

static int
look_at_piece(struct downgrade *d, struct text piece, void *context)
{
	bool *is_8bit = context;

	*is_8bit |= !text_is_ascii(piece) || text_find_byte(piece, '\0') != -1;
	return 0;
}

/* -- Headers -- */

static struct text
type_of(struct text header)
{
	struct mail_field field;

	return mail_header_find(header, "Content-Type", &field)
		   ? text_trim(field.value)
		   : TEXT("text/plain");
}

static bool
is_binary(struct text header)
{
	struct mail_field field;

	return mail_header_find(header, "Content-Transfer-Encoding", &field) &&
	       text_is_nocase(text_trim(field.value), "binary");
}

static bool
has_encoding(struct text header)
{
	struct mail_field field;

	return mail_header_find(header, "Content-Transfer-Encoding", &field) &&
	       mime_encoding_find(text_trim(field.value)) !=
		   MIME_ENCODING_IDENTITY;
}

/* The header with another encoding; NULL: with none, for 7 bits. The root of a
 * message that knew no MIME says now that it does. */
static int
put_header(struct downgrade *d, struct text header, const char *encoding)
{
	struct mail_field field;
	bool has_version =
	    !d->is_root || mail_header_find(header, "MIME-Version", &field);
	struct text rest = header;

	d->is_root = false;
	while (mail_header_next(&rest, &field)) {
		if (text_is_nocase(field.name, "Content-Transfer-Encoding"))
			continue;
		(void)buf_put(&d->out, field.raw.data, field.raw.size);
		if (d->out.size > PIECE && flush(d) == -1)
			return -1;
	}
	if (!has_version && encoding != NULL)
		(void)buf_put_text(&d->out, "MIME-Version: 1.0\r\n");
	if (encoding != NULL)
		(void)buf_put_format(
		    &d->out, "Content-Transfer-Encoding: %s\r\n", encoding);
	(void)buf_put_text(&d->out, "\r\n");
	return flush(d);
}

static int
read_header(struct downgrade *d, const struct mime_part *part)
{
	size_t size = (size_t)part->header.size;
	uint8_t *to;

	buf_reset(&d->header);
	if (part->header.size > RELAY_DOWNGRADE_MAX_HEADER ||
	    (to = buf_reserve(&d->header, size)) == NULL)
		return error_set(d->error, ERROR_LIMIT, "a header is too long");
	if (read_at(d, part->header.offset, (char *)to, size) == -1)
		return -1;
	buf_added(&d->header, size);
	if (text_is_ascii(text_make(d->header.data, size)))
		return 0;
	return error_set(
	    d->error, ERROR_REFUSED, "a header has 8-bit characters");
}

/* -- Parts -- */

static int
convert_leaf(struct downgrade *d, const struct mime_part *part, bool is_8bit)
{
	struct text header = text_make(d->header.data, d->header.size);
	struct mime_encoder encoder = { .encoding = MIME_ENCODING_BASE64 };

	if (!is_8bit && has_encoding(header)) {
		d->is_root = false;
		if (copy_piece(d, header, NULL) == -1)
			return -1;
		return each_piece(
		    d, part->body.offset, part->body.size, copy_piece, NULL);
	}
	if (!is_8bit && !is_binary(header)) {
		if (put_header(d, header, NULL) == -1)
			return -1;
		return each_piece(
		    d, part->body.offset, part->body.size, copy_piece, NULL);
	}
	if (text_starts_nocase(type_of(header), "text/") && !is_binary(header))
		encoder.encoding = MIME_ENCODING_QUOTED_PRINTABLE;
	if (put_header(d, header,
		encoder.encoding == MIME_ENCODING_BASE64
		    ? "base64"
		    : "quoted-printable") == -1 ||
	    each_piece(d, part->body.offset, part->body.size, encode_piece,
		&encoder) == -1)
		return -1;
	(void)mime_encode_end(&encoder, &d->out);
	/* Base64 ends its line before the next boundary. */
	if (encoder.encoding == MIME_ENCODING_BASE64 && part->parent == NULL)
		(void)buf_put_text(&d->out, "\r\n");
	return flush(d);
}

static int
convert_children(struct downgrade *d, const struct mime_part *part)
{
	uint64_t place = part->body.offset;
	uint64_t end = part->body.offset + part->body.size;

	for (const struct mime_part *child = part->child; child != NULL;
	     child = child->next) {
		if (each_piece(d, place, child->header.offset - place,
			copy_between, NULL) == -1 ||
		    convert_part(d, child) == -1)
			return -1;
		place = child->body.offset + child->body.size;
	}
	return each_piece(d, place, end - place, copy_between, NULL);
}

static int
convert_part(struct downgrade *d, const struct mime_part *part)
{
	bool is_8bit = false;
	struct text header;

	if (read_header(d, part) == -1 ||
	    each_piece(d, part->body.offset, part->body.size, look_at_piece,
		&is_8bit) == -1)
		return -1;
	header = text_make(d->header.data, d->header.size);
	if (is_8bit && text_starts_nocase(type_of(header), "multipart/signed"))
		return error_set(d->error, ERROR_REFUSED,
		    "it is signed, and would not be the same");
	if (part->kind == MIME_LEAF || part->child == NULL)
		return convert_leaf(d, part, is_8bit);
	if (put_header(d, header, NULL) == -1)
		return -1;
	return convert_children(d, part);
}

static struct mime_part *
read_tree(struct downgrade *d, uint64_t size, struct pool *pool)
{
	struct mime_parser *parser = mime_parser_new(pool);
	char data[PIECE];

	for (uint64_t offset = 0; offset < size;) {
		size_t n =
		    size - offset < PIECE ? (size_t)(size - offset) : PIECE;

		if (read_at(d, offset, data, n) == -1) {
			(void)mime_parser_finish(&parser);
			return NULL;
		}
		mime_parser_feed(parser, data, n);
		offset += n;
	}
	return mime_parser_finish(&parser);
}

int
relay_downgrade(
    const struct relay_body *body, uint64_t *size, struct error *error)
{
	struct downgrade d = {
		.from = body->fd, .is_root = true, .error = error
	};
	struct pool *pool = pool_new();
	struct mime_part *root;

	d.to = memfd_create("downgraded", MFD_CLOEXEC);
	if (d.to == -1)
		error_set_errno(error, "memory");
	buf_init(&d.out, OUTPUT + RELAY_DOWNGRADE_MAX_HEADER);
	buf_init(&d.header, RELAY_DOWNGRADE_MAX_HEADER);
	root = d.to != -1 ? read_tree(&d, body->size, pool) : NULL;
	if (d.to != -1 && (root == NULL || convert_part(&d, root) == -1)) {
		close(d.to);
		d.to = -1;
	}
	*size = d.written;
	buf_clear(&d.out);
	buf_clear(&d.header);
	pool_free(&pool);
	return d.to;
}

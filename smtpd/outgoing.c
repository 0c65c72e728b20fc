/* See outgoing.h. */
#include "smtpd/outgoing.h"

#include "common/codec.h"
#include "common/file.h"
#include "common/mail_header.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	RECORDS_SIZE = 40000, /* as in the row `spool_put` */
	RECORD_MAX = 2 * RECORD_MAX_ADDRESS_SIZE + 16,
	STEP = 32768,
	MAX_HEADER = 8000 /* of a report: with CR LF it still fits a packet */
};

void
outgoing_init(struct outgoing *outgoing)
{
	buf_init(&outgoing->records, RECORDS_SIZE);
	outgoing->count = outgoing->told = 0;
}

void
outgoing_clear(struct outgoing *outgoing)
{
	buf_clear(&outgoing->records);
	outgoing->count = outgoing->told = 0;
}

static bool
has(const struct outgoing *outgoing, const struct outgoing_record *one)
{
	struct outgoing_record record;
	struct reader reader;

	reader_init(&reader, outgoing->records.data, outgoing->records.size);
	while (record_get_outgoing(&reader, &record) == 1)
		if (record.fate == one->fate &&
		    text_equal(record.address, one->address))
			return true;
	return false;
}

int
outgoing_add(struct outgoing *outgoing, const struct outgoing_record *record)
{
	uint8_t bytes[RECORD_MAX];
	struct writer writer;

	if (has(outgoing, record))
		return 0;
	writer_init(&writer, bytes, sizeof(bytes));
	record_put_outgoing(&writer, record);
	if (writer.failed ||
	    buf_put(&outgoing->records, bytes, writer.size) == -1)
		return -1;
	if (record_is_to_go(record))
		outgoing->count++;
	else
		outgoing->told++;
	return 0;
}

struct outgoing_mark
outgoing_mark(const struct outgoing *outgoing)
{
	const struct outgoing_mark mark = { outgoing->records.size,
		outgoing->count, outgoing->told };

	return mark;
}

void
outgoing_return_to(struct outgoing *outgoing, const struct outgoing_mark *mark)
{
	buf_truncate(&outgoing->records, mark->size);
	outgoing->count = mark->count;
	outgoing->told = mark->told;
}

static bool
is_xtext(char c)
{
	return c > ' ' && c <= '~' && c != '+' && c != '=';
}

struct text
outgoing_original(struct text address, char to[OUTGOING_ORIGINAL_SIZE])
{
	static const char type[] = "rfc822;", hex[] = "0123456789ABCDEF";
	size_t size = sizeof(type) - 1;
	unsigned char c;

	if (!text_is_ascii(address))
		return TEXT("");
	memcpy(to, type, size);
	for (size_t i = 0; i < address.size; i++) {
		if (size + 3 > OUTGOING_ORIGINAL_SIZE)
			return TEXT("");
		c = (unsigned char)address.data[i];
		if (is_xtext(address.data[i])) {
			to[size++] = address.data[i];
			continue;
		}
		to[size++] = '+';
		to[size++] = hex[c >> 4];
		to[size++] = hex[c & 15];
	}
	return text_make(to, size);
}

/* -- The body -- */

/* Where bytes go: into memory until there are too many, then into a memfd. */
struct sink {
	struct buf *data;
	int fd;
	uint64_t size;
	bool is_exact;
};

static int
flush(struct sink *sink, struct error *error)
{
	if (sink->fd == -1)
		sink->fd =
		    memfd_create("mail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (sink->fd == -1)
		return error_set_errno(error, "memory for a message");
	if (file_write_all(
		sink->fd, sink->data->data, sink->data->size, error) == -1)
		return -1;
	buf_reset(sink->data);
	return 0;
}

static int
put(struct sink *sink, const void *bytes, size_t size, struct error *error)
{
	sink->size += size;
	if (buf_put(sink->data, bytes, size) == 0)
		return 0;
	if (flush(sink, error) == -1)
		return -1;
	return buf_put(sink->data, bytes, size);
}

/* Of any length. */
static int
put_run(
    struct sink *sink, const uint8_t *bytes, size_t size, struct error *error)
{
	size_t step;

	for (; size > 0; bytes += step, size -= step) {
		step = size < STEP / 4 ? size : STEP / 4;
		if (put(sink, bytes, step, error) == -1)
			return -1;
	}
	return 0;
}

/* Every LF of the stored form stands for a line end, unless the bytes are kept
 * as they came. */
static int
put_lines(
    struct sink *sink, const uint8_t *bytes, size_t size, struct error *error)
{
	const uint8_t *end = bytes + size, *line_end;
	size_t run;

	if (sink->is_exact)
		return put_run(sink, bytes, size, error);

	while (bytes < end) {
		line_end = memchr(bytes, '\n', (size_t)(end - bytes));
		run = (size_t)((line_end != NULL ? line_end : end) - bytes);
		if (put(sink, bytes, run, error) == -1 ||
		    (line_end != NULL && put(sink, "\r\n", 2, error) == -1))
			return -1;
		bytes += run + (line_end != NULL);
	}
	return 0;
}

/* The line that received_format puts first. */
static size_t
return_path_size(const uint8_t *bytes, size_t size)
{
	static const char name[] = "Return-Path:";
	const uint8_t *line_end = memchr(bytes, '\n', size);

	if (line_end == NULL || size < sizeof(name) ||
	    memcmp(bytes, name, sizeof(name) - 1) != 0)
		return 0;
	return (size_t)(line_end + 1 - bytes);
}

static int
put_file(struct sink *sink, int fd, uint64_t size, struct error *error)
{
	uint8_t bytes[STEP];
	uint64_t offset = 0;
	size_t skip;
	ssize_t got;

	while (offset < size) {
		got = pread(fd, bytes, sizeof(bytes), (off_t)offset);
		if (got <= 0)
			return error_set_errno(error, "reading a message");
		skip = offset == 0 ? return_path_size(bytes, (size_t)got) : 0;
		if (put_lines(sink, bytes + skip, (size_t)got - skip, error) ==
		    -1)
			return -1;
		offset += (uint64_t)got;
	}
	return flush(sink, error);
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
outgoing_header(const struct mail_body *body, struct buf *data, uint64_t *size,
    struct error *error)
{
	struct sink sink = {
		.data = data, .fd = -1, .is_exact = body->is_exact
	};
	struct text header = text_make(body->head.data, body->head.size);
	uint8_t bytes[MAX_HEADER];
	size_t skip;
	ssize_t got;

	if (body->fd != -1) {
		got = pread(body->fd, bytes, sizeof(bytes), 0);
		if (got == -1)
			return error_set_errno(error, "reading a message");
		header = text_make(bytes, (size_t)got);
	}
	header.size = mail_header_size(header);
	if (header.size > MAX_HEADER)
		header.size = MAX_HEADER;
	skip = return_path_size((const uint8_t *)header.data, header.size);
	if (put_lines(&sink, (const uint8_t *)header.data + skip,
		header.size - skip, error) == -1)
		return -1;
	*size = sink.size;
	return 0;
}

int
outgoing_body(const struct mail_body *body, struct buf *data, int *fd,
    uint64_t *size, struct error *error)
{
	struct sink sink = {
		.data = data, .fd = -1, .is_exact = body->is_exact
	};
	size_t skip;
	int result;

	if (body->fd != -1) {
		result = put_file(&sink, body->fd, body->stored_size, error);
	} else {
		skip = return_path_size(body->head.data, body->head.size);
		result = put_lines(&sink, body->head.data + skip,
		    body->head.size - skip, error);
		if (result == 0 && sink.fd != -1)
			result = flush(&sink, error);
	}
	if (result == 0 && sink.fd != -1)
		result = seal(sink.fd, error);
	if (result == -1 && sink.fd != -1)
		close(sink.fd);
	*fd = result == -1 ? -1 : sink.fd;
	*size = sink.size;
	return result;
}

/*
 * See fetch_binary.h.  An encoding's line ends are those of the wire: what is
 * stored with LF is decoded with CRLF.
 */
#include "imapd/fetch_binary.h"

#include "common/mail_header.h"

#include <string.h>
#include <unistd.h>

bool
fetch_binary_encoding(struct text header, enum mime_encoding *encoding)
{
	static const char *const identities[] = { "7bit", "8bit", "binary" };
	struct mail_field field;
	struct text name;

	*encoding = MIME_ENCODING_IDENTITY;
	if (!mail_header_find(header, "Content-Transfer-Encoding", &field))
		return true;
	name = text_trim(field.value);
	*encoding = mime_encoding_find(name);
	if (*encoding != MIME_ENCODING_IDENTITY || name.size == 0)
		return true;
	for (size_t i = 0; i < 3; i++)
		if (text_is_nocase(name, identities[i]))
			return true;
	return false;
}

void
fetch_binary_begin(struct fetch_binary *binary, int fd,
    const struct mime_span *span, enum mime_encoding encoding)
{
	memset(binary, 0, sizeof(*binary));
	binary->fd = fd;
	binary->offset = span->offset;
	binary->end = span->offset + span->size;
	binary->line_ends.left = UINT64_MAX;
	binary->decoder.encoding = encoding;
}

int
fetch_binary_next(struct fetch_binary *binary, struct buf *out)
{
	uint8_t chunk[FETCH_BINARY_CHUNK];
	uint64_t want = binary->end - binary->offset;
	struct buf wire;
	ssize_t n;
	int result;

	if (want == 0)
		return mime_decode_end(&binary->decoder, out);
	if (want > sizeof(chunk))
		want = sizeof(chunk);
	n = pread(binary->fd, chunk, (size_t)want, (off_t)binary->offset);
	if (n <= 0)
		return -1;
	binary->offset += (uint64_t)n;
	buf_init(&wire, 2 * sizeof(chunk) + 2);
	result = fetch_body_put_wire(
	    &binary->line_ends, text_make(chunk, (size_t)n), &wire);
	if (result == 0)
		result = mime_decode(
		    &binary->decoder, text_make(wire.data, wire.size), out);
	buf_clear(&wire);
	return result == 0 ? 1 : -1;
}

/*
 * Values on their way to an IMAP client: strings in the smallest form that
 * carries them, names, flags, dates (RFC 3501 section 9).  Goes into a
 * session's output buffer.  Never emits a byte that could be taken for
 * protocol: what does not fit a quoted string becomes a literal.
 */
#include "imapd/imap_writer.h"

#include "common/mail_date.h"
#include "common/record.h"
#include "common/utf7.h"

#include <string.h>

/* A date-time has years 1 to 9999. */
#define DATE_FIRST INT64_C(-62135596800)
#define DATE_LAST  INT64_C(253402300799)

static bool
is_quotable(struct text value)
{
	size_t i;
	unsigned char c;

	if (value.size > 1000)
		return false;
	for (i = 0; i < value.size; i++) {
		c = (unsigned char)value.data[i];
		if (c == '\0' || c == '\r' || c == '\n' || c >= 0x80)
			return false;
	}
	return true;
}

static bool
is_atom(struct text value)
{
	size_t i;
	char c;

	if (value.size == 0 || text_is_nocase(value, "NIL"))
		return false;
	for (i = 0; i < value.size; i++) {
		c = value.data[i];
		if (c <= 0x20 || c == 0x7f || strchr("(){%*\"\\]&~", c) != NULL)
			return false;
	}
	return true;
}

static int
put_quoted(struct buf *to, struct text value)
{
	size_t i, start = 0;

	if (buf_put_byte(to, '"') == -1)
		return -1;
	for (i = 0; i < value.size; i++) {
		if (value.data[i] != '"' && value.data[i] != '\\')
			continue;
		if (buf_put(to, value.data + start, i - start) == -1 ||
		    buf_put_byte(to, '\\') == -1)
			return -1;
		start = i;
	}
	if (buf_put(to, value.data + start, i - start) == -1)
		return -1;
	return buf_put_byte(to, '"');
}

int
imap_put_string(struct buf *to, struct text value)
{
	if (value.size == 0)
		return buf_put_text(to, "\"\"");
	if (is_quotable(value))
		return put_quoted(to, value);
	if (buf_put_format(to, "{%zu}\r\n", value.size) == -1)
		return -1;
	return buf_put(to, value.data, value.size);
}

int
imap_put_astring(struct buf *to, struct text value)
{
	if (is_atom(value))
		return buf_put(to, value.data, value.size);
	return imap_put_string(to, value);
}

int
imap_put_mailbox(struct buf *to, struct text name, bool is_utf8)
{
	struct buf encoded;
	int result;

	if (is_utf8 && !text_is_ascii(name))
		return put_quoted(to, name);
	if (is_utf8)
		return is_atom(name) ? buf_put(to, name.data, name.size)
				     : imap_put_string(to, name);

	buf_init(&encoded, 8192);
	result = utf7_encode(name, &encoded);
	if (result == 0) {
		struct text value = text_make(encoded.data, encoded.size);

		result = is_atom(value) ? buf_put(to, value.data, value.size)
					: imap_put_string(to, value);
	}
	buf_clear(&encoded);
	return result;
}

int
imap_put_flags(struct buf *to, unsigned int flags, uint64_t keywords,
    const struct text *names, size_t name_count, const char *also)
{
	static const struct {
		unsigned int flag;
		const char *name;
	} system[] = {
		{ FLAG_ANSWERED, "\\Answered" },
		{ FLAG_FLAGGED, "\\Flagged" },
		{ FLAG_DELETED, "\\Deleted" },
		{ FLAG_SEEN, "\\Seen" },
		{ FLAG_DRAFT, "\\Draft" },
	};
	const char *space = "";
	size_t i;
	int failed = buf_put_byte(to, '(');

	for (i = 0; i < sizeof(system) / sizeof(*system); i++) {
		if ((flags & system[i].flag) == 0)
			continue;
		failed |= buf_put_text(to, space);
		failed |= buf_put_text(to, system[i].name);
		space = " ";
	}
	for (i = 0; i < name_count && i < 64; i++) {
		if ((keywords >> i & 1) == 0)
			continue;
		failed |= buf_put_text(to, space);
		failed |= buf_put(to, names[i].data, names[i].size);
		space = " ";
	}
	if (also != NULL) {
		failed |= buf_put_text(to, space);
		failed |= buf_put_text(to, also);
	}
	return failed | buf_put_byte(to, ')');
}

int
imap_put_date_time(struct buf *to, int64_t seconds)
{
	struct mail_date date = { seconds, 0 };
	char value[MAIL_DATE_INTERNAL_SIZE];

	if (seconds < DATE_FIRST || seconds > DATE_LAST)
		date.time = 0;
	mail_date_format_internal(&date, value);
	return buf_put_format(to, "\"%s\"", value);
}

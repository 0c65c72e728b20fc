/*
 * Any bytes as a field's value: addresses, dates, encoded words, parameters,
 * mailbox names (which must survive a round trip), transfer encodings (what
 * was encoded decodes to itself).
 */
#include "common/buf.h"
#include "common/charset.h"
#include "common/mail_address.h"
#include "common/mail_date.h"
#include "common/mime_encoding.h"
#include "common/pool.h"
#include "common/utf7.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MAX_SIZE = 1024 * 1024
};

static void
try_mailbox_name(struct text input)
{
	struct buf utf8, again;

	buf_init(&utf8, MAX_SIZE);
	buf_init(&again, MAX_SIZE);
	if (utf7_decode(input, &utf8) == 0 &&
	    (utf7_encode(text_make(utf8.data, utf8.size), &again) < 0 ||
		!text_equal(input, text_make(again.data, again.size))))
		abort();
	buf_clear(&utf8);
	buf_clear(&again);
}

static void
try_encoding(struct text input, enum mime_encoding encoding)
{
	struct mime_encoder e = { .encoding = encoding };
	struct mime_decoder d = { .encoding = encoding };
	struct buf code, plain;

	buf_init(&code, MAX_SIZE);
	buf_init(&plain, MAX_SIZE);
	mime_encode(&e, input, &code);
	mime_encode_end(&e, &code);
	mime_decode(&d, text_make(code.data, code.size), &plain);
	mime_decode_end(&d, &plain);
	if (!text_equal(input, text_make(plain.data, plain.size)))
		abort();
	buf_reset(&plain);
	memset(&d, 0, sizeof(d));
	d.encoding = encoding;
	mime_decode(&d, input, &plain);
	mime_decode_end(&d, &plain);
	buf_clear(&code);
	buf_clear(&plain);
}

/* Whatever the bytes are, what comes out is UTF-8. */
static void
try_charsets(struct text input)
{
	const char *name;
	struct buf utf8;

	buf_init(&utf8, MAX_SIZE);
	for (size_t n = 0; (name = charset_name(n)) != NULL; n++) {
		buf_reset(&utf8);
		(void)charset_decode(charset_find(text_of(name)), input, &utf8);
		if (!text_is_utf8(text_make(utf8.data, utf8.size)))
			abort();
	}
	buf_clear(&utf8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text input = text_make(data, size), rest = input;
	struct pool *pool = pool_new();
	struct mailbox_address mailbox;
	struct mail_date date;
	struct buf out;

	if (size > 10000)
		return 0;
	buf_init(&out, MAX_SIZE);
	mail_address_parse_list(input, pool);
	mail_address_parse_path(
	    &rest, MAIL_PATH_FORWARD, true, '+', &mailbox, NULL);
	mail_address_parse_mailbox(input, true, '+', &mailbox, NULL);
	mail_date_parse(input, &date);
	mail_date_parse_internal(input, &date);
	mime_decode_words(input, &out);
	mime_parameter_find(input, "filename", pool);
	try_mailbox_name(input);
	try_charsets(input);
	try_encoding(input, MIME_ENCODING_BASE64);
	try_encoding(input, MIME_ENCODING_QUOTED_PRINTABLE);
	buf_clear(&out);
	pool_free(&pool);
	return 0;
}

/*
 * FETCH PREVIEW (RFC 8970): made from the beginning of the first part of text,
 * plain rather than HTML, whenever it is asked for, and at once: LAZY makes no
 * difference.  See preview.h for what it looks like.
 */
#include "imapd/fetch_command.h"

#include "common/charset.h"
#include "common/mail_header.h"
#include "imapd/imap_writer.h"
#include "imapd/preview.h"

#include <string.h>
#include <unistd.h>

enum {
	PREVIEW_MAX_PARTS = 32, /* are looked at */
	PREVIEW_HEADER_SIZE = 64 * 1024,
	PREVIEW_DECODED_SIZE = 4 * PREVIEW_TEXT_SIZE
};

struct part_text {
	struct text header; /* in the pool */
	struct mime_span body;
	bool is_html;
};

/* The beginning of a span, in the pool; empty if it cannot be read. */
static struct text
read_start(struct fetch_state *state, const struct mime_span *span, size_t max)
{
	size_t size = span->size < max ? (size_t)span->size : max;
	char *bytes = pool_alloc(state->pool, size + 1, 1);
	ssize_t n = pread(state->body.fd, bytes, size, (off_t)span->offset);

	return text_make(bytes, n > 0 ? (size_t)n : 0);
}

/* Is it text, and no attachment? */
static bool
is_readable(struct text header, bool *is_html)
{
	struct mail_field field;
	struct text type;

	*is_html = false;
	if (mail_header_find(header, "Content-Disposition", &field) &&
	    text_starts_nocase(text_trim(field.value), "attachment"))
		return false;
	if (!mail_header_find(header, "Content-Type", &field))
		return true;
	type = text_trim(field.value);
	*is_html = text_starts_nocase(type, "text/html");
	return *is_html || type.size == 0 ||
	       text_starts_nocase(type, "text/plain") ||
	       text_starts_nocase(type, "text;");
}

/* The first plain one below `part`, else the first one in HTML; `left` more are
 * looked at. True if a plain one was found. */
static bool
find_text(struct fetch_state *state, const struct mime_part *part,
    unsigned int *left, struct part_text *found)
{
	struct text header;
	bool is_html;

	if (part->kind != MIME_LEAF) {
		for (part = part->child; part != NULL; part = part->next)
			if (find_text(state, part, left, found))
				return true;
		return false;
	}
	if (*left == 0)
		return false;
	--*left;
	header = read_start(state, &part->header, PREVIEW_HEADER_SIZE);
	if (!is_readable(header, &is_html) ||
	    (is_html && found->header.data != NULL))
		return false;
	*found = (struct part_text){ header, part->body, is_html };
	return !is_html;
}

/* As UTF-8. */
static void
decode_text(
    struct fetch_state *state, const struct part_text *part, struct buf *utf8)
{
	struct mime_decoder decoder = { MIME_ENCODING_IDENTITY, 0, 0, 0, "" };
	const struct charset *charset = NULL;
	struct mail_field field;
	struct text name;
	struct buf bytes;

	(void)fetch_binary_encoding(part->header, &decoder.encoding);
	if (mail_header_find(part->header, "Content-Type", &field)) {
		name = mime_parameter_find(field.value, "charset", state->pool);
		if (name.data != NULL)
			charset = charset_find(name);
	}
	if (charset == NULL)
		charset = charset_find(TEXT("utf-8"));
	buf_init(&bytes, PREVIEW_DECODED_SIZE);
	(void)mime_decode(&decoder,
	    read_start(state, &part->body, PREVIEW_TEXT_SIZE), &bytes);
	(void)mime_decode_end(&decoder, &bytes);
	(void)charset_decode(charset, text_make(bytes.data, bytes.size), utf8);
	buf_clear(&bytes);
}

static void
make_preview(struct fetch_state *state, struct buf *preview)
{
	struct part_text part = { { NULL, 0 }, { 0 }, false };
	unsigned int left = PREVIEW_MAX_PARTS;
	struct buf utf8, seen;
	struct text text;

	(void)find_text(state, state->root, &left, &part);
	if (part.header.data == NULL)
		return;
	buf_init(&utf8, PREVIEW_DECODED_SIZE);
	buf_init(&seen, PREVIEW_DECODED_SIZE);
	decode_text(state, &part, &utf8);
	text = text_make(utf8.data, utf8.size);
	if (part.is_html) {
		(void)preview_strip_html(text, &seen);
		text = text_make(seen.data, seen.size);
	}
	preview_make(text, preview);
	buf_clear(&utf8);
	buf_clear(&seen);
}

void
fetch_put_preview(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	struct buf preview;

	(void)buf_put_format(command->out, "%sPREVIEW ", state->space);
	state->space = " ";
	/* Nothing of one that must not be looked into. */
	if (state->root == NULL ||
	    !mailbox_parse_begin(command->view, state->uids[state->at])) {
		(void)buf_put_text(command->out, "NIL");
		return;
	}
	buf_init(&preview, PREVIEW_MAX_BYTES);
	make_preview(state, &preview);
	mailbox_parse_end(command->view);
	(void)imap_put_string(
	    command->out, text_make(preview.data, preview.size));
	buf_clear(&preview);
}

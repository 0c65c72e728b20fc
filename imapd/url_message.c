/*
 * See url_message.h.
 */
#include "imapd/url_message.h"

#include "common/mailbox_name.h"
#include "common/mime_parser.h"
#include "imapd/fetch_items.h"
#include "imapd/imap_parser.h"
#include "imapd/message_cache.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	STORED_CHUNK =
	    URL_MESSAGE_CHUNK / 2, /* each byte becomes two at most */
	MAX_HEADER = 1024 * 1024
};

/* ---- Opening ---- */

/* It is open for a moment, and nobody is told of anything. */
static void
changed(struct mailbox_view *view, void *context)
{
}

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct url_message *message = context;

	message->is_reading = false;
	message->status = status;
	if (status == STATUS_OK) {
		message->body = *body;
		message->has_body = true;
		body->fd = -1;
	}
	message->ready(message->context);
}

/* "sub" beside the selected "A/B" is "A/sub" (RFC 3986 5.2.3). */
static struct text
resolve(struct text selected, struct text name, struct pool *pool)
{
	size_t size = selected.size;
	char *whole;

	if (name.size == 0)
		return selected;
	while (size > 0 && selected.data[size - 1] != '/')
		size--;
	whole = pool_alloc(pool, size + name.size + 1, 1);
	memcpy(whole, selected.data, size);
	memcpy(whole + size, name.data, name.size);
	return text_make(whole, size + name.size);
}

static int
parse_section(struct url_message *message, const struct imap_url *url)
{
	struct section *section = &message->section;
	struct imap_parser parser;

	section->kind = SECTION_ALL;
	section->is_partial = url->is_partial;
	section->first = url->first;
	section->count = url->count;
	if (url->section.size == 0)
		return 0;
	imap_parser_init(&parser, url->section, message->pool);
	return fetch_section_parse(&parser, section) == -1 ||
		       !imap_parse_at_end(&parser)
		   ? -1
		   : 0;
}

static const char *
open_mailbox(struct url_message *message, const struct imap_url *url,
    struct text selected)
{
	static const struct mailbox_view_handler handler = { changed };
	struct text name = url->mailbox;
	enum status status;
	char *normal;

	if (url->is_relative && selected.data == NULL)
		return "No mailbox is selected";
	if (url->is_relative)
		name = resolve(selected, name, message->pool);
	normal = mailbox_name_normal(name);
	message->view = mailbox_view_open(
	    message->account, text_of(normal), true, &handler, NULL, &status);
	free(normal);
	if (message->view == NULL)
		return "No such mailbox";
	if (url->uidvalidity != 0 &&
	    url->uidvalidity != mailbox_view_info(message->view)->uidvalidity)
		return "UIDVALIDITY is another one";
	return NULL;
}

const char *
url_message_open(struct url_message *message, struct account_store *account,
    const struct imap_url *url, struct text selected, struct pool *pool,
    void (*ready)(void *context), void *context)
{
	const char *problem;

	message->account = account;
	message->pool = pool;
	message->ready = ready;
	message->context = context;
	if (parse_section(message, url) == -1)
		return "Not an URL of a message";
	if ((problem = open_mailbox(message, url, selected)) != NULL)
		return problem;
	message->uid = url->uid;
	message->is_reading = true;
	mailbox_read(message->view, message->uid, body_read, message);
	return NULL;
}

void
url_message_clear(struct url_message *message)
{
	if (message->is_reading)
		mailbox_read_cancel(message->account, message);
	if (message->has_body && message->body.fd != -1)
		close(message->body.fd);
	mailbox_view_close(&message->view);
	buf_clear(&message->fields);
	memset(message, 0, sizeof(*message));
}

/* ---- Where the section's bytes are ---- */

/* The parts of the message: from the cache, or of the body that was read. NULL
 * if it cannot be read, or must not be looked into. */
static struct mime_part *
find_parts(struct url_message *message)
{
	static uint8_t chunk[STORED_CHUNK];
	struct mime_parser *parser;
	struct mime_part *root;
	struct message_cache cache;
	struct text bytes;
	uint64_t at = 0;
	ssize_t n;

	if (mailbox_cache_find(message->view, message->uid, &bytes) &&
	    message_cache_parse(bytes, &cache, NULL) == 0 &&
	    cache.stored_size == message->body.size)
		return message_cache_get_parts(&cache, message->pool);
	if (!mailbox_parse_begin(message->view, message->uid))
		return NULL;
	parser = mime_parser_new(message->pool);
	while ((n = pread(message->body.fd, chunk, sizeof(chunk), (off_t)at)) >
	       0) {
		mime_parser_feed(parser, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	root = mime_parser_finish(&parser);
	mailbox_parse_end(message->view);
	return at == message->body.size ? root : NULL;
}

static int
read_header(const struct url_message *message, const struct mime_span *span,
    struct buf *to)
{
	uint64_t size = span->size < MAX_HEADER ? span->size : MAX_HEADER;
	uint8_t *room = buf_reserve(to, (size_t)size + 1);

	if (room == NULL || pread(message->body.fd, room, (size_t)size,
				(off_t)span->offset) != (ssize_t)size)
		return -1;
	buf_added(to, (size_t)size);
	return 0;
}

/* Some fields of a header, in one go. */
static enum status
find_fields(
    struct url_message *message, const struct mime_span *span, const char **why)
{
	struct buf header;
	int result = -1;

	buf_init(&header, MAX_HEADER + 1);
	buf_init(&message->fields, 2 * MAX_HEADER + 2);
	message->is_filtered = true;
	if (read_header(message, span, &header) == 0 &&
	    mailbox_parse_begin(message->view, message->uid)) {
		result = fetch_body_filter(&message->section,
		    text_make(header.data, header.size), &message->fields);
		mailbox_parse_end(message->view);
	}
	buf_clear(&header);
	message->size = message->fields.size;
	if (result == 0)
		return STATUS_OK;
	*why = "Header cannot be read";
	return STATUS_MISSING;
}

/* Bytes of the message from here on, as many as they are on the wire. */
static enum status
find_span(struct url_message *message, uint64_t offset, uint64_t size,
    uint64_t wire_size)
{
	const struct section *section = &message->section;
	uint64_t first = section->is_partial ? section->first : 0;

	if (first > wire_size)
		first = wire_size;
	wire_size -= first;
	if (section->is_partial && section->count < wire_size)
		wire_size = section->count;
	message->size = wire_size;
	message->offset = offset;
	message->end = offset + size;
	message->line_ends =
	    (struct line_ends){ .skip = first, .left = wire_size };
	return STATUS_OK;
}

enum status
url_message_find(struct url_message *message, const char **why)
{
	const struct section *section = &message->section;
	struct section_span found;
	struct mime_part *root;

	*why = "No such message";
	if (message->status != STATUS_OK)
		return message->status;
	if (section->depth == 0 && section->kind == SECTION_ALL)
		return find_span(
		    message, 0, message->body.size, message->body.wire_size);
	*why = "Message cannot be looked into";
	if ((root = find_parts(message)) == NULL)
		return STATUS_MISSING;
	fetch_body_find(root, section, &found);
	*why = "Message has no such section";
	if (found.is_missing)
		return STATUS_MISSING;
	return found.is_filtered ? find_fields(message, &found.span, why)
				 : find_span(message, found.span.offset,
				       found.span.size, found.span.wire);
}

/* ---- Copying ---- */

static int
next_fields(struct url_message *message, struct buf *to)
{
	size_t size = message->fields.size;

	if (size > URL_MESSAGE_CHUNK)
		size = URL_MESSAGE_CHUNK;
	if (buf_put(to, message->fields.data, size) == -1)
		return -1;
	buf_cut(&message->fields, size);
	return size > 0;
}

int
url_message_next(struct url_message *message, struct buf *to)
{
	uint64_t want = message->end - message->offset;
	static uint8_t chunk[STORED_CHUNK];
	ssize_t n;

	if (message->is_filtered)
		return next_fields(message, to);
	if (message->line_ends.left == 0)
		return 0;
	if (want > sizeof(chunk))
		want = sizeof(chunk);
	n = want == 0 ? 0
		      : pread(message->body.fd, chunk, (size_t)want,
			    (off_t)message->offset);
	if (n <= 0 || fetch_body_put_wire(&message->line_ends,
			  text_make(chunk, (size_t)n), to) == -1)
		return -1;
	message->offset += (uint64_t)n;
	return 1;
}

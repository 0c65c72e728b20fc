/*
 * A part of a message that CATENATE puts together, named by an URL (RFC 4469,
 * RFC 5550 5.7.1 for PARTIAL): finds the message in the session's own account,
 * which is the only one that it can open, and copies its bytes, or those of a
 * section, a few MiB at a time.  What an URL does not lead to is BADURL.
 */
#include "imapd/append_command.h"

#include "common/mailbox_name.h"
#include "common/mime_parser.h"
#include "imapd/fetch_items.h"
#include "imapd/imap_url.h"
#include "imapd/message_cache.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	URL_CHUNK = 64 * 1024,
	URL_TURN_BYTES = 4 * 1024 * 1024, /* before others have their turn */
	URL_MAX_HEADER = 1024 * 1024
};

void
append_url_clear(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;

	if (url->is_reading)
		mailbox_read_cancel(command->account, command);
	if (url->has_body && url->body.fd != -1)
		close(url->body.fd);
	mailbox_view_close(&url->view);
	memset(url, 0, sizeof(*url));
}

/* "[BADURL ...]" as RFC 4469 has it: no "]", no control byte, nothing that is
 * not ASCII may be in it. */
static enum append_step
bad_url(struct imap_command *command, const char *why)
{
	struct append_state *state = command->state;
	struct buf *line = command_answer(command);
	struct text text = state->url.text;

	(void)buf_put_text(line, "NO [BADURL ");
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c <= ' ' || c >= 0x7f || c == ']')
			(void)buf_put_format(line, "%%%02X", c);
		else
			(void)buf_put_byte(line, c);
	}
	(void)buf_put_format(line, "%s] %s", text.size == 0 ? "%" : "", why);
	return append_refuse(command, COMMAND_DONE);
}

/* ---- Where the section's bytes are ---- */

/* The parts of the message: from the cache, or of the body that was read. NULL
 * if it cannot be read, or must not be looked into. */
static struct mime_part *
find_parts(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	static uint8_t chunk[URL_CHUNK];
	struct mime_parser *parser;
	struct mime_part *root;
	struct message_cache cache;
	struct text bytes;
	uint64_t at = 0;
	ssize_t n;

	if (mailbox_cache_find(url->view, url->uid, &bytes) &&
	    message_cache_parse(bytes, &cache, NULL) == 0 &&
	    cache.stored_size == url->body.size)
		return message_cache_get_parts(&cache, command->pool);
	if (!mailbox_parse_begin(url->view, url->uid))
		return NULL;
	parser = mime_parser_new(command->pool);
	while ((n = pread(url->body.fd, chunk, sizeof(chunk), (off_t)at)) > 0) {
		mime_parser_feed(parser, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	root = mime_parser_finish(&parser);
	mailbox_parse_end(url->view);
	return at == url->body.size ? root : NULL;
}

static int
read_header(
    const struct append_url *url, const struct mime_span *span, struct buf *to)
{
	uint64_t size =
	    span->size < URL_MAX_HEADER ? span->size : URL_MAX_HEADER;
	uint8_t *room = buf_reserve(to, (size_t)size + 1);

	if (room == NULL || pread(url->body.fd, room, (size_t)size,
				(off_t)span->offset) != (ssize_t)size)
		return -1;
	buf_added(to, (size_t)size);
	return 0;
}

/* Some fields of a header, in one go. */
static enum append_step
put_fields(struct imap_command *command, const struct mime_span *span)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	struct buf header, fields;
	int result = -1;

	buf_init(&header, URL_MAX_HEADER + 1);
	buf_init(&fields, 2 * URL_MAX_HEADER + 2);
	if (read_header(url, span, &header) == 0 &&
	    mailbox_parse_begin(url->view, url->uid)) {
		result = fetch_body_filter(&url->section,
		    text_make(header.data, header.size), &fields);
		mailbox_parse_end(url->view);
	}
	if (result == 0 && append_make_room(command, fields.size))
		(void)append_write(state->append, fields.data, fields.size);
	buf_clear(&header);
	buf_clear(&fields);
	if (result == -1)
		return bad_url(command, "Header cannot be read");
	if (state->append == NULL)
		return APPEND_ENDED;
	append_url_clear(command);
	state->place = APPEND_PART;
	return APPEND_GO_ON;
}

/* Bytes of the message from here to there, as many as they are on the wire. */
static enum append_step
begin_span(struct imap_command *command, uint64_t offset, uint64_t size,
    uint64_t wire_size)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	const struct section *section = &url->section;
	uint64_t first = section->is_partial ? section->first : 0;

	if (first > wire_size)
		first = wire_size;
	wire_size -= first;
	if (section->is_partial && section->count < wire_size)
		wire_size = section->count;
	if (!append_make_room(command, wire_size))
		return APPEND_ENDED;
	url->offset = offset;
	url->end = offset + size;
	url->line_ends = (struct line_ends){ .skip = first, .left = wire_size };
	return APPEND_GO_ON;
}

static enum append_step
find_section(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	struct section_span found;
	struct mime_part *root;

	if (url->section.depth == 0 && url->section.kind == SECTION_ALL)
		return begin_span(
		    command, 0, url->body.size, url->body.wire_size);
	root = find_parts(command);
	if (root == NULL)
		return bad_url(command, "Message cannot be looked into");
	fetch_body_find(root, &url->section, &found);
	if (found.is_missing)
		return bad_url(command, "Message has no such section");
	return found.is_filtered ? put_fields(command, &found.span)
				 : begin_span(command, found.span.offset,
				       found.span.size, found.span.wire);
}

/* ---- Copying ---- */

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct imap_command *command = context;
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	bool is_waiting = url->is_waiting;

	url->is_reading = false;
	url->is_waiting = false;
	url->status = status;
	if (status == STATUS_OK) {
		url->body = *body;
		url->has_body = true;
		body->fd = -1;
	}
	if (is_waiting)
		command_wake(command, COMMAND_MORE);
}

static enum append_step
body_came(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;

	if (url->is_reading) {
		url->is_waiting = true;
		return APPEND_WAIT;
	}
	if (url->status == STATUS_MISSING)
		return bad_url(command, "No such message");
	if (url->status != STATUS_OK)
		return append_refuse(
		    command, command_failed(command, url->status));
	state->place = APPEND_URL_BYTES;
	return find_section(command);
}

/* Some of its bytes; false if they cannot be read. */
static bool
copy_some(struct append_state *state)
{
	struct append_url *url = &state->url;
	static uint8_t chunk[URL_CHUNK];
	size_t turn = 0;
	struct buf wire;
	ssize_t n = 1;

	buf_init(&wire, 2 * URL_CHUNK);
	while (url->line_ends.left > 0 && n > 0 && turn < URL_TURN_BYTES) {
		uint64_t want = url->end - url->offset;

		if (want > sizeof(chunk))
			want = sizeof(chunk);
		n = pread(
		    url->body.fd, chunk, (size_t)want, (off_t)url->offset);
		if (n <= 0)
			break;
		buf_reset(&wire);
		(void)fetch_body_put_wire(
		    &url->line_ends, text_make(chunk, (size_t)n), &wire);
		(void)append_write(state->append, wire.data, wire.size);
		url->offset += (uint64_t)n;
		turn += (size_t)n;
	}
	buf_clear(&wire);
	return n > 0;
}

enum append_step
append_url_go_on(struct imap_command *command)
{
	struct append_state *state = command->state;

	if (state->place == APPEND_URL)
		return body_came(command);
	if (!copy_some(state))
		return append_refuse(
		    command, command_failed(command, STATUS_DAMAGED));
	if (state->url.line_ends.left == 0) {
		append_url_clear(command);
		state->place = APPEND_PART;
	}
	return APPEND_TURN;
}

/* ---- The URL ---- */

/* "sub" beside the selected "A/B" is "A/sub" (RFC 3986 5.2.3). */
static struct text
resolve(struct imap_command *command, const struct imap_url *parsed)
{
	struct text selected = mailbox_view_info(command->view)->name;
	struct text name = parsed->mailbox;
	size_t size = selected.size;
	char *whole;

	if (name.size == 0)
		return selected;
	while (size > 0 && selected.data[size - 1] != '/')
		size--;
	whole = pool_alloc(command->pool, size + name.size + 1, 1);
	memcpy(whole, selected.data, size);
	memcpy(whole + size, name.data, name.size);
	return text_make(whole, size + name.size);
}

static int
parse_section(struct imap_command *command, const struct imap_url *parsed)
{
	struct append_state *state = command->state;
	struct section *section = &state->url.section;
	struct imap_parser parser;

	section->kind = SECTION_ALL;
	section->is_partial = parsed->is_partial;
	section->first = parsed->first;
	section->count = parsed->count;
	if (parsed->section.size == 0)
		return 0;
	imap_parser_init(&parser, parsed->section, command->pool);
	return fetch_section_parse(&parser, section) == -1 ||
		       !imap_parse_at_end(&parser)
		   ? -1
		   : 0;
}

/* NULL, or why there is no view of the mailbox. */
static const char *
open_mailbox(struct imap_command *command, const struct imap_url *parsed)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	struct text name = parsed->mailbox;
	enum status status;
	char *normal;

	/* Whoever it says it is: the account is the session's. */
	if (parsed->has_server)
		return "Only URLs without a server are taken";
	if (parsed->is_relative && command->view == NULL)
		return "No mailbox is selected";
	if (parsed->is_relative)
		name = resolve(command, parsed);
	normal = mailbox_name_normal(name);
	url->view = mailbox_view_open(command->account, text_of(normal), true,
	    &command_view_handler, command->session, &status);
	free(normal);
	if (url->view == NULL)
		return "No such mailbox";
	if (parsed->uidvalidity != 0 &&
	    parsed->uidvalidity != mailbox_view_info(url->view)->uidvalidity)
		return "UIDVALIDITY is another one";
	return NULL;
}

enum append_step
append_url_begin(struct imap_command *command, struct text text)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	struct imap_url parsed;
	const char *problem;

	state->parts++;
	url->text = text_make(
	    pool_copy(command->pool, text.data, text.size + 1), text.size);
	if (imap_url_parse(url->text, command->pool, &parsed) == -1 ||
	    parse_section(command, &parsed) == -1)
		return bad_url(command, "Not an URL of a message");
	problem = open_mailbox(command, &parsed);
	if (problem != NULL)
		return bad_url(command, problem);
	url->uid = parsed.uid;
	url->is_reading = true;
	state->place = APPEND_URL;
	mailbox_read(url->view, url->uid, body_read, command);
	return APPEND_GO_ON;
}

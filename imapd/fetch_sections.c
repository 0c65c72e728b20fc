/*
 * The sections of a FETCH response that the cache lacks: from the message's
 * file, a chunk at a time, as fast as the client reads; as they were sent, or
 * (BINARY, RFC 3516) without their transfer encoding.  See fetch_command.h.
 */
#include "imapd/fetch_command.h"

#include <string.h>
#include <unistd.h>

enum {
	FETCH_CHUNK = 32 * 1024,
	FETCH_TURN_CHUNKS = 128, /* are decoded before others have their turn */
	FETCH_MAX_HEADER = 1024 * 1024
};

/* The bytes of a span of the body, at most FETCH_MAX_HEADER. */
static int
read_span(const struct fetch_state *state, const struct mime_span *span,
    struct buf *to)
{
	uint64_t size = span->size, done = 0;
	uint8_t *room;
	ssize_t n;

	if (size > FETCH_MAX_HEADER)
		size = FETCH_MAX_HEADER;
	if (size == 0)
		return 0;
	if ((room = buf_reserve(to, (size_t)size)) == NULL)
		return -1;
	while (done < size) {
		n = pread(state->body.fd, room + done, (size_t)(size - done),
		    (off_t)(span->offset + done));
		if (n <= 0)
			return -1;
		done += (uint64_t)n;
	}
	buf_added(to, (size_t)size);
	return 0;
}

/* Nothing of a header that must not be looked into. */
static int
filter_header(struct imap_command *command, const struct fetch_section *section,
    struct text header, struct buf *fields)
{
	struct fetch_state *state = command->state;
	int result;

	if (!mailbox_parse_begin(command->view, state->uids[state->at]))
		return buf_put_text(fields, "\r\n");
	result = fetch_body_filter(&section->section, header, fields);
	mailbox_parse_end(command->view);
	return result;
}

static int
put_filtered(struct imap_command *command, const struct fetch_section *section,
    const struct mime_span *span)
{
	struct fetch_state *state = command->state;
	struct buf stored, fields;
	int result;

	buf_init(&stored, FETCH_MAX_HEADER + 2);
	buf_init(&fields, 2 * FETCH_MAX_HEADER + 4);
	result = read_span(state, span, &stored);
	if (result == 0 &&
	    span->size > FETCH_MAX_HEADER) /* its end is cut off */
		result = buf_put(&stored, "\n\n", 2);
	if (result == 0)
		result = filter_header(command, section,
		    text_make(stored.data, stored.size), &fields);
	if (result == 0)
		fetch_put_literal(command, text_make(fields.data, fields.size));
	buf_clear(&stored);
	buf_clear(&fields);
	return result;
}

/* "{n}" of what <partial> leaves of `size` bytes, which follow. */
static void
begin_literal(
    struct imap_command *command, const struct section *section, uint64_t size)
{
	struct fetch_state *state = command->state;
	uint64_t first = 0;

	if (section->is_partial) {
		first = section->first < size ? section->first : size;
		size -= first;
		if (size > section->count)
			size = section->count;
	}
	(void)buf_put_format(
	    command->out, "{%llu}\r\n", (unsigned long long)size);
	memset(&state->line_ends, 0, sizeof(state->line_ends));
	state->line_ends.skip = first;
	state->line_ends.left = size;
	state->stage = FETCH_STREAMING;
}

/* ---- BINARY ---- */

/* How the part is encoded; nothing of a header that must not be looked into. */
static int
read_encoding(struct imap_command *command, const struct section_span *found,
    enum mime_encoding *encoding)
{
	struct fetch_state *state = command->state;
	struct buf header;
	int result;

	*encoding = MIME_ENCODING_IDENTITY;
	buf_init(&header, FETCH_MAX_HEADER);
	result = read_span(state, &found->header, &header);
	if (result == 0 &&
	    mailbox_parse_begin(command->view, state->uids[state->at])) {
		if (!fetch_binary_encoding(
			text_make(header.data, header.size), encoding))
			state->is_encoding_unknown = true;
		mailbox_parse_end(command->view);
	}
	buf_clear(&header);
	return result;
}

static int
begin_binary(struct imap_command *command, const struct section_span *found)
{
	struct fetch_state *state = command->state;
	enum mime_encoding encoding;

	if (read_encoding(command, found, &encoding) == -1)
		return -1;
	fetch_binary_begin(
	    &state->binary, state->body.fd, &found->span, encoding);
	state->counted = state->binary;
	state->binary_size = 0;
	state->has_nul = false;
	state->stage = FETCH_COUNTING;
	return 0;
}

/* One more chunk: as fetch_binary_next. */
static int
decode_chunk(struct imap_command *command, struct fetch_binary *binary,
    struct buf *piece)
{
	struct fetch_state *state = command->state;
	bool may_decode =
	    mailbox_parse_begin(command->view, state->uids[state->at]);
	int result;

	buf_reset(piece);
	if (!may_decode)
		binary->decoder.encoding = MIME_ENCODING_IDENTITY;
	result = fetch_binary_next(binary, piece);
	if (may_decode)
		mailbox_parse_end(command->view);
	return result;
}

/* "~{n}" only where it must be: some clients have no other use for it. */
static void
put_binary_head(
    struct imap_command *command, const struct fetch_section *section)
{
	struct fetch_state *state = command->state;

	fetch_put_label(command, section);
	state->stage = FETCH_SECTIONS;
	if (section->form == FETCH_BINARY_SIZE) {
		(void)buf_put_format(command->out, "%llu",
		    (unsigned long long)state->binary_size);
		return;
	}
	if (state->has_nul)
		(void)buf_put_byte(command->out, '~');
	begin_literal(command, &section->section, state->binary_size);
	state->is_binary = true;
}

/* How long it will be: 0, 2 if it is not known yet, or -1. */
static int
count_binary(struct imap_command *command, const struct fetch_section *section)
{
	struct fetch_state *state = command->state;
	struct buf piece;
	size_t chunks = 0;
	int result = 1;

	buf_init(&piece, 4 * FETCH_BINARY_CHUNK);
	while (result == 1 && chunks++ < FETCH_TURN_CHUNKS) {
		result = decode_chunk(command, &state->counted, &piece);
		state->binary_size += piece.size;
		state->has_nul = state->has_nul ||
				 (piece.size > 0 &&
				     memchr(piece.data, 0, piece.size) != NULL);
	}
	buf_clear(&piece);
	if (result == 0)
		put_binary_head(command, section);
	return result == 1 ? 2 : result;
}

static int
stream_binary(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	struct buf piece;
	int result = 1;

	buf_init(&piece, 4 * FETCH_BINARY_CHUNK);
	while (state->line_ends.left > 0 && result == 1 &&
	       !command_output_is_full(command)) {
		result = decode_chunk(command, &state->binary, &piece);
		if (piece.size > 0 &&
		    fetch_body_put_as_is(&state->line_ends,
			text_make(piece.data, piece.size), command->out) == -1)
			result = -1;
	}
	buf_clear(&piece);
	if (state->line_ends.left > 0)
		return result == 1 ? 0 : -1;
	state->is_binary = false;
	state->stage = FETCH_SECTIONS;
	return 0;
}

/* ---- As it was sent ---- */

/* 0, or -1 if the file is not what it was. */
static int
stream_literal(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	uint8_t chunk[FETCH_CHUNK];
	uint64_t want;
	ssize_t n;

	while (state->line_ends.left > 0 && !command_output_is_full(command)) {
		want = state->end - state->offset;
		if (want > sizeof(chunk))
			want = sizeof(chunk);
		n = want == 0 ? 0
			      : pread(state->body.fd, chunk, (size_t)want,
				    (off_t)state->offset);
		if (n > 0)
			fetch_body_hide_nuls(chunk, (size_t)n);
		if (n <= 0 ||
		    fetch_body_put_wire(&state->line_ends,
			text_make(chunk, (size_t)n), command->out) == -1)
			return -1;
		state->offset += (uint64_t)n;
	}
	if (state->line_ends.left == 0)
		state->stage = FETCH_SECTIONS;
	return 0;
}

static void
find_section(const struct fetch_state *state,
    const struct fetch_section *section, struct section_span *found)
{
	memset(found, 0, sizeof(*found));
	if (state->is_whole) {
		found->span.size = state->body.size;
		found->span.wire = state->body.wire_size;
		return;
	}
	fetch_body_find(state->root, &section->section, found);
}

static int
put_section(struct imap_command *command, const struct fetch_section *section)
{
	struct fetch_state *state = command->state;
	struct section_span found;

	find_section(state, section, &found);
	if (!found.is_missing && section->form != FETCH_AS_SENT)
		return begin_binary(command, &found);
	fetch_put_label(command, section);
	if (found.is_missing) {
		(void)buf_put_text(command->out,
		    section->form == FETCH_BINARY_SIZE ? "0" : "NIL");
		return 0;
	}
	if (found.is_filtered)
		return put_filtered(command, section, &found.span);
	begin_literal(command, &section->section, found.span.wire);
	state->offset = found.span.offset;
	state->end = found.span.offset + found.span.size;
	return 0;
}

/* One step: as fetch_put_sections, or 0 if it can go on. */
static int
put_more(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	const struct fetch_items *items = &state->items;
	size_t i = state->section_at;

	switch (state->stage) {
	case FETCH_STREAMING:
		return state->is_binary ? stream_binary(command)
					: stream_literal(command);
	case FETCH_COUNTING:
		return count_binary(command, &items->sections[i - 1]);
	default:
		state->section_at++;
		return i == items->section_count
			   ? 1
			   : put_section(command, &items->sections[i]);
	}
}

int
fetch_put_sections(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	int result = 0;

	while (result == 0) {
		if (command_output_is_full(command))
			return 0;
		if (state->stage == FETCH_SECTIONS &&
		    state->section_at < state->items.section_count &&
		    state->section_done[state->section_at])
			state->section_at++;
		else
			result = put_more(command);
	}
	if (result == 1)
		(void)buf_put_text(command->out, ")\r\n");
	return result;
}

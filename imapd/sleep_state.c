/* See sleep_state.h. */
#include "imapd/sleep_state.h"

#include "imapd/imap_parser.h"

#include <string.h>

enum {
	SLEEP_FORMAT = 2,
	VARINT_BITS = 7,
	VARINT_MORE = 0x80
};

/* ---- Sets ---- */

static void
put_varint(struct writer *writer, uint32_t value)
{
	while (value >= VARINT_MORE) {
		writer_put_u8(
		    writer, (uint8_t)(value % VARINT_MORE + VARINT_MORE));
		value >>= VARINT_BITS;
	}
	writer_put_u8(writer, (uint8_t)value);
}

/* One that is longer than it must be is none: each value has one form. */
static uint32_t
get_varint(struct reader *reader)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift <= 4 * VARINT_BITS;
	     shift += VARINT_BITS) {
		byte = reader_get_u8(reader);
		value |= (uint64_t)(byte % VARINT_MORE) << shift;
		if (byte < VARINT_MORE) {
			if (value > UINT32_MAX || (byte == 0 && shift > 0))
				break;
			return (uint32_t)value;
		}
	}
	reader->failed = true;
	return 0;
}

static void
put_set(struct writer *writer, const struct imap_set *set)
{
	uint32_t last = 0;

	put_varint(writer, (uint32_t)set->count);
	for (size_t i = 0; i < set->count && !writer->failed; i++) {
		put_varint(writer, set->ranges[i].first - last);
		put_varint(writer, set->ranges[i].last - set->ranges[i].first);
		last = set->ranges[i].last;
	}
}

static void
get_set(struct reader *reader, struct pool *pool, struct imap_set *set)
{
	uint32_t count = get_varint(reader);
	uint64_t messages = 0, first, last = 0;

	memset(set, 0, sizeof(*set));
	if (reader->failed || count > reader->size / 2) {
		reader->failed = true;
		return;
	}
	set->ranges = pool_alloc(pool, count, sizeof(*set->ranges));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t gap = get_varint(reader);

		first = last + gap;
		last = first + get_varint(reader);
		messages += last - first + 1;
		if (gap == 0 || last > UINT32_MAX ||
		    messages > SLEEP_MAX_MESSAGES)
			reader->failed = true;
		if (reader->failed)
			return;
		set->ranges[i].first = (uint32_t)first;
		set->ranges[i].last = (uint32_t)last;
	}
	set->count = count;
}

/* ---- The mailbox ---- */

static void
put_memory(struct writer *writer, const struct mailbox_memory *memory)
{
	writer_put_u64(writer, memory->mailbox);
	writer_put_u32(writer, memory->uidvalidity);
	writer_put_u32(writer, memory->told_uidnext);
	writer_put_u64(writer, memory->told_modseq);
	writer_put_u32(writer, memory->told_recent);
	writer_put_u8(writer, memory->keyword_count);
	put_set(writer, &memory->uids);
	put_set(writer, &memory->recent);
}

static void
get_memory(
    struct reader *reader, struct pool *pool, struct mailbox_memory *memory)
{
	memory->mailbox = reader_get_u64(reader);
	memory->uidvalidity = reader_get_u32(reader);
	memory->told_uidnext = reader_get_u32(reader);
	memory->told_modseq = reader_get_u64(reader);
	memory->told_recent = reader_get_u32(reader);
	memory->keyword_count = reader_get_u8(reader);
	get_set(reader, pool, &memory->uids);
	get_set(reader, pool, &memory->recent);
	/* A UID from there on would be told a second time. */
	if ((memory->uids.count > 0 &&
		imap_set_last(&memory->uids) >= memory->told_uidnext) ||
	    memory->keyword_count > RECORD_MAX_KEYWORDS)
		reader->failed = true;
}

/* ---- All of it ---- */

static uint16_t
all_flags(const struct sleep_state *state)
{
	uint16_t flags = state->flags & (uint16_t)~SLEEP_OF_MAILBOX;

	if ((flags & SLEEP_HAS_MAILBOX) == 0)
		return flags;
	if (state->memory.is_read_only)
		flags |= SLEEP_READ_ONLY;
	if (state->memory.has_new_keywords)
		flags |= SLEEP_NEW_KEYWORDS;
	return flags;
}

int
sleep_state_encode(const struct sleep_state *state, struct writer *writer)
{
	uint16_t flags = all_flags(state);

	writer_put_u8(writer, SLEEP_FORMAT);
	writer_put_u16(writer, flags);
	writer_put_raw(writer, &state->store, sizeof(state->store));
	writer_put_u64(writer, state->incarnation);
	writer_put_u64(writer, (uint64_t)state->silent_since_us);
	writer_put_u8(writer, state->bad_commands);
	writer_put_text(writer, text_of(state->tag), IMAP_MAX_TAG_SIZE);
	put_set(writer, &state->saved);
	if (flags & SLEEP_COMPRESSES)
		writer_put_text(writer, state->packed, DEFLATE_STATE_MAX);
	if (flags & SLEEP_HAS_MAILBOX)
		put_memory(writer, &state->memory);
	return writer->failed ? -1 : 0;
}

/* As a client may have sent it: it goes back to him. */
static bool
is_tag(struct text tag)
{
	struct imap_parser parser;
	struct text parsed;

	imap_parser_init(&parser, tag, NULL);
	return imap_parse_tag(&parser, &parsed) == 0 &&
	       imap_parse_at_end(&parser);
}

static bool
is_flags(uint16_t flags)
{
	return (flags & ~SLEEP_ALL) == 0 &&
	       ((flags & SLEEP_OF_MAILBOX) == 0 || (flags & SLEEP_HAS_MAILBOX));
}

int
sleep_state_decode(
    struct text bytes, struct pool *pool, struct sleep_state *state)
{
	struct reader reader;
	struct text tag;
	uint8_t format;

	memset(state, 0, sizeof(*state));
	reader_init(&reader, bytes.data, bytes.size);
	format = reader_get_u8(&reader);
	state->flags = reader_get_u16(&reader);
	reader_get_raw(&reader, &state->store, sizeof(state->store));
	state->incarnation = reader_get_u64(&reader);
	state->silent_since_us = (int64_t)reader_get_u64(&reader);
	state->bad_commands = reader_get_u8(&reader);
	tag = reader_get_text(&reader, IMAP_MAX_TAG_SIZE);
	get_set(&reader, pool, &state->saved);
	if (state->flags & SLEEP_COMPRESSES)
		state->packed = reader_get_text(&reader, DEFLATE_STATE_MAX);
	if (state->flags & SLEEP_HAS_MAILBOX)
		get_memory(&reader, pool, &state->memory);
	if (reader_done(&reader) == -1 || format != SLEEP_FORMAT ||
	    !is_flags(state->flags) ||
	    text_copy(tag, state->tag, sizeof(state->tag)) == -1 ||
	    ((state->flags & SLEEP_IDLES) != 0) != is_tag(tag))
		return -1;
	state->memory.is_read_only = (state->flags & SLEEP_READ_ONLY) != 0;
	state->memory.has_new_keywords =
	    (state->flags & SLEEP_NEW_KEYWORDS) != 0;
	return 0;
}

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
put_varint(struct writer *writer, uint64_t value)
{
	while (value >= VARINT_MORE) {
		writer_put_u8(
		    writer, (uint8_t)(value % VARINT_MORE + VARINT_MORE));
		value >>= VARINT_BITS;
	}
	writer_put_u8(writer, (uint8_t)value);
}

/* One that is longer than it must be is none: each value has one form. */
static uint64_t
get_varint64(struct reader *reader)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 64; shift += VARINT_BITS) {
		byte = reader_get_u8(reader);
		value |= (uint64_t)(byte % VARINT_MORE) << shift;
		if (byte < VARINT_MORE) {
			if ((value >> shift) != byte ||
			    (byte == 0 && shift > 0))
				break;
			return value;
		}
	}
	reader->failed = true;
	return 0;
}

static uint32_t
get_varint(struct reader *reader)
{
	uint64_t value = get_varint64(reader);

	if (value > UINT32_MAX)
		reader->failed = true;
	return reader->failed ? 0 : (uint32_t)value;
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

/* ---- NOTIFY ---- */

static void
put_name(struct writer *writer, struct text name)
{
	put_varint(writer, name.size);
	writer_put_raw(writer, name.data, name.size);
}

static struct text
get_name(struct reader *reader)
{
	uint32_t size = get_varint(reader);
	struct text name = text_make(reader->data, size);

	if (reader->failed || size > reader->size || size > IMAP_MAX_MAILBOX) {
		reader->failed = true;
		return text_make(NULL, 0);
	}
	reader->data += size;
	reader->size -= size;
	return name;
}

static void
put_notify(struct writer *writer, const struct notify_memory *notify)
{
	uint64_t last = 0;

	writer_put_text(writer, notify->arguments, SLEEP_STATE_MAX);
	writer_put_u8(writer, notify->bits);
	put_varint(writer, notify->known_count);
	for (size_t i = 0; i < notify->known_count && !writer->failed; i++) {
		const struct notify_known *known = &notify->known[i];

		put_varint(writer, known->mailbox - last);
		put_varint(writer, known->mark);
		put_varint(writer, known->count);
		if (notify->bits & KNOWN_NAMES)
			put_name(writer, known->name);
		last = known->mailbox;
	}
	if ((notify->bits & KNOWN_SUBSCRIBED) == 0)
		return;
	put_varint(writer, notify->subscribed_count);
	for (size_t i = 0; i < notify->subscribed_count && !writer->failed; i++)
		put_name(writer, notify->subscribed[i]);
}

/* So many follow, each of `least` bytes or more. */
static size_t
get_count(struct reader *reader, size_t least)
{
	uint32_t count = get_varint(reader);

	if (count > reader->size / least)
		reader->failed = true;
	return reader->failed ? 0 : count;
}

static void
get_known(
    struct reader *reader, struct pool *pool, struct notify_memory *notify)
{
	uint64_t last = 0;

	notify->known_count = get_count(reader, 3);
	notify->known =
	    pool_alloc(pool, notify->known_count, sizeof(*notify->known));
	for (size_t i = 0; i < notify->known_count && !reader->failed; i++) {
		struct notify_known *known = &notify->known[i];

		known->mailbox = last + get_varint64(reader);
		known->mark = get_varint64(reader);
		known->count = get_varint(reader);
		if (notify->bits & KNOWN_NAMES)
			known->name = get_name(reader);
		if (known->mailbox <= last)
			reader->failed = true;
		last = known->mailbox;
	}
}

static void
get_notify(
    struct reader *reader, struct pool *pool, struct notify_memory *notify)
{
	notify->arguments = reader_get_text(reader, SLEEP_STATE_MAX);
	notify->bits = reader_get_u8(reader);
	if ((notify->bits & ~KNOWN_ALL) != 0)
		reader->failed = true;
	if (!reader->failed)
		get_known(reader, pool, notify);
	if ((notify->bits & KNOWN_SUBSCRIBED) == 0 || reader->failed)
		return;
	notify->subscribed_count = get_count(reader, 1);
	notify->subscribed = pool_alloc(
	    pool, notify->subscribed_count, sizeof(*notify->subscribed));
	for (size_t i = 0; i < notify->subscribed_count; i++)
		notify->subscribed[i] = get_name(reader);
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
	writer_put_u64(writer, memory->key);
	if (memory->is_past)
		writer_put_u64(writer, memory->past_sequence);
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
	memory->key = reader_get_u64(reader);
	if (memory->is_past)
		memory->past_sequence = reader_get_u64(reader);
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
	if (state->memory.has_new_key)
		flags |= SLEEP_NEW_KEY;
	if (state->memory.is_past)
		flags |= SLEEP_OF_PAST;
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
	if (flags & SLEEP_NOTIFIES)
		put_notify(writer, &state->notify);
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
	if (state->flags & SLEEP_NOTIFIES)
		get_notify(&reader, pool, &state->notify);
	state->memory.is_past = (state->flags & SLEEP_OF_PAST) != 0;
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
	state->memory.has_new_key = (state->flags & SLEEP_NEW_KEY) != 0;
	return 0;
}

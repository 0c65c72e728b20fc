/*
 * See message_cache.h.
 */
#include "imapd/message_cache.h"

#include "common/codec.h"
#include "common/mail_header.h"
#include "common/memory.h"
#include "imapd/body_structure.h"
#include "imapd/envelope.h"
#include "imapd/fetch_body.h"

#include <unistd.h>

enum {
	MAGIC = 0x434d4600 + MESSAGE_CACHE_VERSION, /* "FMC" */
	SPAN_SIZE = 28,
	PART_SIZE = 4 + 1 + 2 * SPAN_SIZE,
	HAS_ALL_FIELDS = 1,
	HAS_END = 2,
	HEAD_SIZE = 4 + 8 + 8 + 1 + 4 + 4 * 4,
	MAX_TEXT = MESSAGE_CACHE_MAX_SIZE
};

/* Those that are asked for most stand first. */
static const char *const cached_names[] = { "Subject", "From", "To", "Cc",
	"Date", "Message-ID", "References", "Bcc", "Content-Type",
	"Content-Transfer-Encoding", "Delivered-To", "Importance",
	"In-Reply-To", "List-Archive", "List-Help", "List-Id", "List-Owner",
	"List-Post", "List-Subscribe", "List-Unsubscribe",
	"List-Unsubscribe-Post", "MIME-Version", "Newsgroups", "Precedence",
	"Priority", "Reply-To", "Return-Path", "Sender", "X-Mailer",
	"X-Priority", "X-Spam-Flag", "X-Spam-Level", "X-Spam-Score",
	"X-Spam-Status", "Disposition-Notification-To", "User-Agent",
	"Authentication-Results" };

enum {
	NAME_COUNT = sizeof(cached_names) / sizeof(*cached_names)
};

/* Most names differ in the first byte, by more than its case. */
static bool
begins_alike(struct text name, const char *other)
{
	return name.size > 0 && ((name.data[0] ^ other[0]) & ~0x20) == 0;
}

bool
message_cache_keeps(struct text name)
{
	for (size_t i = 0; i < NAME_COUNT; i++)
		if (begins_alike(name, cached_names[i]) &&
		    text_is_nocase(name, cached_names[i]))
			return true;
	return false;
}

/* 1, or 0 if a field was left out for its size. */
static int
collect_fields(struct text header, struct buf *fields)
{
	struct line_ends state = { .left = UINT64_MAX };
	struct mail_field field;
	int result = 1;

	while (mail_header_next(&header, &field)) {
		if (!message_cache_keeps(field.name))
			continue;
		if (fields->size + 2 * field.raw.size + 2 >
		    MESSAGE_CACHE_MAX_FIELD) {
			result = 0;
			continue;
		}
		fetch_body_put_wire(&state, field.raw, fields);
		if (field.raw.data[field.raw.size - 1] != '\n')
			buf_put_text(fields, "\r\n");
	}
	return result;
}

static void
put_span(struct writer *w, const struct mime_span *span)
{
	writer_put_u64(w, span->offset);
	writer_put_u64(w, span->size);
	writer_put_u64(w, span->wire);
	writer_put_u32(w, span->lines);
}

/* Parts in the order in which they were numbered: parents come first. */
static void
put_parts(struct writer *w, const struct mime_part *part)
{
	writer_put_u32(w, part->parent == NULL ? 0 : part->parent->number);
	writer_put_u8(w, (uint8_t)part->kind);
	put_span(w, &part->header);
	put_span(w, &part->body);
	for (part = part->child; part != NULL; part = part->next)
		put_parts(w, part);
}

static int
put_record(const struct mime_part *root, uint64_t stored_size,
    const struct buf texts[4], bool has_all_fields, struct buf *out)
{
	uint32_t count = mime_part_count(root);
	size_t size = HEAD_SIZE + (size_t)count * PART_SIZE;
	struct writer w;
	uint8_t *room;

	for (int i = 0; i < 4; i++)
		size += texts[i].size;
	if (size > MESSAGE_CACHE_MAX_SIZE ||
	    (room = buf_reserve(out, size)) == NULL)
		return -1;
	writer_init(&w, room, size);
	writer_put_u32(&w, MAGIC);
	writer_put_u64(&w, stored_size);
	writer_put_u64(&w, mime_part_wire_size(root));
	writer_put_u8(&w,
	    (has_all_fields ? HAS_ALL_FIELDS : 0) |
		(root->body.size > 0 || mail_header_has_end(root->header_text)
			? HAS_END
			: 0));
	writer_put_u32(&w, count);
	for (int i = 0; i < 4; i++)
		writer_put_u32(&w, (uint32_t)texts[i].size);
	for (int i = 0; i < 4; i++)
		writer_put_raw(&w, texts[i].data, texts[i].size);
	put_parts(&w, root);
	if (w.failed)
		return -1;
	buf_added(out, w.size);
	return 0;
}

int
message_cache_format(
    const struct mime_part *root, uint64_t stored_size, struct buf *out)
{
	struct pool *pool = pool_new();
	struct buf texts[4];
	bool has_all_fields;
	int result = 0;

	for (int i = 0; i < 4; i++)
		buf_init(&texts[i], MAX_TEXT);
	has_all_fields = root->header_text.size == root->header.size &&
			 collect_fields(root->header_text, &texts[3]);
	if (envelope_format(root->header_text, pool, &texts[0]) < 0 ||
	    body_structure_format(root, pool, &texts[1], &texts[2]) < 0 ||
	    put_record(root, stored_size, texts, has_all_fields, out) < 0)
		result = -1;
	for (int i = 0; i < 4; i++)
		buf_clear(&texts[i]);
	pool_free(&pool);
	return result;
}

/* What is counted without being understood. */
static void
count_lines(struct mime_span *span, struct text bytes, uint8_t *last)
{
	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t byte = (uint8_t)bytes.data[i];

		if (byte == '\n') {
			span->lines++;
			span->wire += *last != '\r';
		}
		*last = byte;
	}
	span->size += bytes.size;
	span->wire += bytes.size;
}

int
message_cache_format_raw(
    int fd, struct text data, uint64_t stored_size, struct buf *out)
{
	static uint8_t step[65536];
	struct mime_part part = { .kind = MIME_LEAF,
		.header_text =
		    TEXT("Content-Type: text/plain; charset=unknown-8bit\n"
			 "Content-Transfer-Encoding: 8bit\n\n") };
	uint8_t last = 0;
	ssize_t n;

	if (fd == -1)
		count_lines(&part.body, data, &last);
	while (fd != -1 && part.body.size < stored_size &&
	       (n = pread(fd, step, sizeof(step), (off_t)part.body.size)) > 0)
		count_lines(&part.body, text_make(step, (size_t)n), &last);
	if (part.body.size != stored_size)
		return -1;
	return message_cache_format(&part, stored_size, out);
}

/* The next text of what is left; what is missing fails. */
static struct text
take_text(struct reader *r, uint32_t size)
{
	struct text text = text_make((const char *)r->data, size);

	if (r->failed || size > r->size) {
		r->failed = true;
		return text_make(NULL, 0);
	}
	r->data += size;
	r->size -= size;
	return text;
}

int
message_cache_parse(
    struct text bytes, struct message_cache *cache, struct error *error)
{
	uint32_t sizes[4] = { 0 };
	struct reader r;
	uint8_t state;

	*cache = (struct message_cache){ 0 };
	reader_init(&r, bytes.data, bytes.size);
	if (reader_get_u32(&r) != MAGIC || r.failed)
		return error_set(
		    error, ERROR_DAMAGED, "message cache: not this version");
	cache->stored_size = reader_get_u64(&r);
	cache->wire_size = reader_get_u64(&r);
	state = reader_get_u8(&r);
	cache->has_all_fields = (state & HAS_ALL_FIELDS) != 0;
	cache->has_end = (state & HAS_END) != 0;
	cache->part_count = reader_get_u32(&r);
	for (int i = 0; i < 4; i++)
		sizes[i] = reader_get_u32(&r);
	cache->envelope = take_text(&r, sizes[0]);
	cache->body = take_text(&r, sizes[1]);
	cache->bodystructure = take_text(&r, sizes[2]);
	cache->fields = take_text(&r, sizes[3]);
	cache->parts = text_make(r.data, r.size);
	if (r.failed || cache->part_count == 0 ||
	    cache->part_count > MIME_MAX_PARTS ||
	    r.size != (size_t)cache->part_count * PART_SIZE)
		return error_set(
		    error, ERROR_DAMAGED, "message cache: malformed record");
	return 0;
}

/* False if it reaches outside of the stored message or grows oddly. */
static bool
get_span(
    struct reader *r, const struct message_cache *cache, struct mime_span *span)
{
	span->offset = reader_get_u64(r);
	span->size = reader_get_u64(r);
	span->wire = reader_get_u64(r);
	span->lines = reader_get_u32(r);
	return span->offset <= cache->stored_size &&
	       span->size <= cache->stored_size - span->offset &&
	       span->wire >= span->size && span->wire / 2 <= span->size;
}

/* The next part under its parent; -1 if the bytes make no sense. */
static int
get_part(struct reader *r, const struct message_cache *cache,
    struct mime_part *parts, uint32_t number)
{
	struct mime_part *part = &parts[number];
	uint32_t parent = reader_get_u32(r);
	uint8_t kind = reader_get_u8(r);

	part->number = number;
	part->kind = (enum mime_kind)kind;
	if (!get_span(r, cache, &part->header) ||
	    !get_span(r, cache, &part->body) || kind > MIME_MESSAGE)
		return -1;
	if (number == 0)
		return 0;
	if (parent >= number || parts[parent].kind == MIME_LEAF)
		return -1;
	part->parent = &parts[parent];
	if (part->parent->last_child == NULL)
		part->parent->child = part;
	else
		part->parent->last_child->next = part;
	part->parent->last_child = part;
	return 0;
}

struct mime_part *
message_cache_get_parts(const struct message_cache *cache, struct pool *pool)
{
	struct mime_part *parts =
	    pool_alloc(pool, cache->part_count, sizeof(*parts));
	struct reader r;

	reader_init(&r, cache->parts.data, cache->parts.size);
	for (uint32_t i = 0; i < cache->part_count; i++)
		if (get_part(&r, cache, parts, i) < 0)
			return NULL;
	for (uint32_t i = 0; i < cache->part_count; i++)
		if (parts[i].kind == MIME_MESSAGE && parts[i].child == NULL)
			return NULL;
	return parts;
}

bool
message_cache_has_name(const struct message_cache *cache, struct text name)
{
	return cache->has_all_fields && message_cache_keeps(name);
}

int
message_cache_put_fields(const struct message_cache *cache,
    const struct text *names, size_t name_count, struct buf *out)
{
	struct text rest = cache->fields;
	struct mail_field field;

	while (mail_header_next(&rest, &field))
		for (size_t i = 0; i < name_count; i++)
			if (text_equal_nocase(field.name, names[i])) {
				if (buf_put(out, field.raw.data,
					field.raw.size) == -1)
					return -1;
				break;
			}
	return cache->has_end ? buf_put(out, "\r\n", 2) : 0;
}

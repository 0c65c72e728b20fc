/*
 * A message of any bytes: parsed whole and in chunks gives one tree; its
 * cache record reads back to the same parts; the bytes taken as a record give
 * an error or parts inside the message.
 */
#include "common/memory.h"
#include "common/mime_parser.h"
#include "common/pool.h"
#include "imapd/fetch_body.h"
#include "imapd/message_cache.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require_same(const struct mime_part *a, const struct mime_part *b)
{
	for (; a != NULL && b != NULL; a = a->next, b = b->next) {
		if (a->kind != b->kind ||
		    a->header.offset != b->header.offset ||
		    a->header.wire != b->header.wire ||
		    a->body.offset != b->body.offset ||
		    a->body.size != b->body.size ||
		    a->body.wire != b->body.wire ||
		    a->body.lines != b->body.lines)
			abort();
		require_same(a->child, b->child);
	}
	if (a != b)
		abort();
}

static struct mime_part *
parse_in_chunks(
    const uint8_t *data, size_t size, size_t chunk, struct pool *pool)
{
	struct mime_parser *parser = mime_parser_new(pool);

	for (size_t i = 0; i < size; i += chunk)
		mime_parser_feed(
		    parser, data + i, size - i < chunk ? size - i : chunk);
	return mime_parser_finish(&parser);
}

static void
try_record(struct text bytes, const struct mime_part *root, struct pool *pool)
{
	struct message_cache cache;
	struct mime_part *parts;
	struct section section = { .depth = 1, .path = { 1 } };
	struct section_span found;

	if (message_cache_parse(bytes, &cache, NULL) < 0) {
		if (root != NULL)
			abort();
		return;
	}
	parts = message_cache_get_parts(&cache, pool);
	if (root != NULL)
		require_same(root, parts);
	if (parts != NULL)
		fetch_body_find(parts, &section, &found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pool *pool = pool_new();
	struct mime_part *root = mime_parse(text_make(data, size), pool);
	struct buf record;

	require_same(root, parse_in_chunks(data, size, 1, pool));
	require_same(root, parse_in_chunks(data, size, 7, pool));
	buf_init(&record, MESSAGE_CACHE_MAX_SIZE);
	if (message_cache_format(root, size, &record) == 0)
		try_record(text_make(record.data, record.size), root, pool);
	try_record(text_make(data, size), NULL, pool);
	buf_clear(&record);
	pool_free(&pool);
	return 0;
}

/*
 * Staged bodies: the rows of DB_BLOB and the chunks of DB_CHUNK stand in the
 * same order, so that one pass over both finds a chunk without its body, a body
 * without a chunk, and, for as many as were asked for, a wrong SHA-256.
 */
#include "snapd/verify_rows.h"

#include "snapd/segment_form.h"
#include "snapd/verify_segments.h"

#include <string.h>

struct body {
	uint64_t blob;
	struct blob_form form;
	bool is_read;
};

struct chunk {
	bool is_there;
	struct text key;
	struct text value;
};

static int
decode_body(struct text key, struct text value, struct body *body)
{
	body->blob = key_u64_at(key, 0);
	return key.size == 8 ? blob_form_decode(value, &body->form) : -1;
}

/* Another share of the bodies in each transaction. */
static bool
is_chosen(const struct verify *v, uint64_t blob)
{
	uint64_t mixed =
	    (blob + v->result->transaction * 31) * UINT64_C(0x9E3779B97F4A7C15);

	return (mixed >> 32) % 100 < v->options->percent;
}

static void
next_chunk(struct page_cursor *cursor, struct chunk *chunk)
{
	chunk->is_there =
	    page_cursor_next(cursor, &chunk->key, &chunk->value) == 1;
}

/* What is sealed may have chunks that are not freed yet. */
static void
skip_sealed(struct page_cursor *cursor, struct chunk *chunk, uint64_t blob)
{
	while (chunk->is_there && chunk->key.size == 12 &&
	       key_u64_at(chunk->key, 0) == blob)
		next_chunk(cursor, chunk);
}

/* Chunks of bodies before this one belong to none. */
static void
skip_to(struct verify *v, struct page_cursor *cursor, struct chunk *chunk,
    uint64_t blob)
{
	uint64_t skipped = 0;

	while (chunk->is_there &&
	       (chunk->key.size != 12 || key_u64_at(chunk->key, 0) < blob)) {
		skipped++;
		next_chunk(cursor, chunk);
	}
	if (skipped > 0)
		finding(v->findings, "chunk: %llu without a body before %llu",
		    (unsigned long long)skipped, (unsigned long long)blob);
}

/* What it consists of is there, and is as long as it says; whose bytes are what
 * they were is checked of each piece. */
static void
check_pieces(struct verify *v, const struct body *body)
{
	struct blob_form form = body->form, found;
	struct piece_ref piece;
	uint64_t size = 0;
	struct text value;
	uint32_t i;

	for (i = 0; i < body->form.piece_count; i++) {
		struct key key = { .size = 0 };

		if (piece_ref_get(&form.pieces, &piece) != 0)
			break;
		verify_reference(v, piece.blob);
		size += piece.size;
		key_put_u64(&key, piece.blob);
		if (verify_find(v, DB_BLOB, &key, &value) != 1 ||
		    blob_form_decode(value, &found) != 0 || found.is_pieced ||
		    found.account != form.account || found.size != piece.size)
			finding(v->findings,
			    "body %llu: piece %llu is missing or another",
			    (unsigned long long)body->blob,
			    (unsigned long long)piece.blob);
	}
	if (size != form.size)
		finding(v->findings, "body %llu is not whole",
		    (unsigned long long)body->blob);
}

static void
check_body(struct verify *v, struct page_cursor *cursor, struct chunk *chunk,
    const struct body *body)
{
	uint64_t size = 0;
	uint32_t number = 0;
	struct hash hash;
	bool is_whole = true;

	skip_to(v, cursor, chunk, body->blob);
	if (body->form.is_sealed) {
		skip_sealed(cursor, chunk, body->blob);
		if (body->form.is_pieced)
			check_pieces(v, body);
		else
			verify_note_places(v, body->blob, &body->form);
		return;
	}
	if (body->is_read)
		digest_start(v->digest);
	for (; chunk->is_there && chunk->key.size == 12 &&
	       key_u64_at(chunk->key, 0) == body->blob;
	     next_chunk(cursor, chunk)) {
		is_whole = is_whole && key_u32_at(chunk->key, 8) == number++;
		size += chunk->value.size;
		if (body->is_read)
			digest_add(
			    v->digest, chunk->value.data, chunk->value.size);
	}
	if (!is_whole || size != body->form.size) {
		finding(v->findings, "body %llu is not whole",
		    (unsigned long long)body->blob);
		return;
	}
	if (!body->is_read)
		return;
	v->result->body_bytes += size;
	hash = digest_finish(v->digest);
	if (memcmp(&hash, &body->form.hash, sizeof(hash)) != 0)
		finding(v->findings, "body %llu does not match its hash",
		    (unsigned long long)body->blob);
}

static void
walk_bodies(
    struct verify *v, struct page_cursor *bodies, struct page_cursor *chunks)
{
	struct text key, value;
	struct chunk chunk;
	struct body body;

	next_chunk(chunks, &chunk);
	while (page_cursor_next(bodies, &key, &value) == 1) {
		v->result->rows++;
		if (verify_take_sum(DB_BLOB, key, &value) != 0 ||
		    decode_body(key, value, &body) != 0) {
			finding(v->findings, "blob: a row has a wrong sum");
			continue;
		}
		v->result->bodies++;
		body.is_read = is_chosen(v, body.blob);
		check_body(v, chunks, &chunk, &body);
		if (v->result->bodies % 8192 == 0 &&
		    v->options->progress != NULL)
			v->options->progress(v->options->progress_context,
			    page_file_bytes_read(v->file), v->total_bytes);
	}
	skip_to(v, chunks, &chunk, UINT64_MAX);
}

void
verify_bodies(struct verify *v)
{
	unsigned int walk = PAGE_WALK_COUNT;
	struct page_cursor *bodies, *chunks;

	bodies = page_cursor_new(v->file, &v->trees[DB_BLOB], "blob",
	    PAGE_WALK_COUNT | PAGE_WALK_VALUES);
	if (v->options->percent > 0)
		walk |= PAGE_WALK_VALUES;
	chunks = page_cursor_new(v->file, &v->trees[DB_CHUNK], "chunk", walk);
	walk_bodies(v, bodies, chunks);
	page_cursor_free(&chunks);
	page_cursor_free(&bodies);
}

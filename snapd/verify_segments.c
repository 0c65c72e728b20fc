/*
 * See verify_segments.h.
 */
#include "snapd/verify_segments.h"

#include "common/memory.h"
#include "snapd/block_seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_NAMED = 1000, /* bodies that are told one by one */
	READ_SIZE = 1 << 20
};

enum segment_tree {
	TREE_INFO,
	TREE_KEY,
	TREE_VALUE,
	TREE_COUNT
};

static const char *const tree_names[TREE_COUNT] = { "info", "key", "value" };

/* What the index says of a segment, and what was found in it. */
struct segment_seen {
	uint64_t live_bytes; /* by the places of DB_BLOB */
	bool has_use;
	struct segment_use use;
	bool is_given; /* its file is there to be looked at */
};

/* One segment that is looked at. */
struct segment_walk {
	struct verify *v;
	const struct verify_segment *segment;
	struct findings findings; /* says which segment */
	struct page_file *file;
	struct page_tree trees[TREE_COUNT];
	bool has_tree[TREE_COUNT];
	struct page_cursor *keys;
	struct page_cursor *values;
	struct block_seal *seal;
	struct digest *body; /* of one in several blocks */
	uint64_t body_blob;
	uint64_t body_next; /* the byte that must follow */
	uint8_t *raw;
	/* The key that was used last. */
	bool has_key;
	uint32_t key_account;
	struct aead_key key;
	/* Names of what is damaged. */
	struct block_at at;
};

static void
put_with_number(void *context, const char *text)
{
	struct segment_walk *walk = context;

	finding(
	    walk->v->findings, "segment %u: %s", walk->segment->number, text);
}

static struct segment_seen *
seen_of(struct verify *v, uint32_t number)
{
	struct segment_seen *seen = NULL;

	if (v->segments == NULL)
		v->segments = table_new();
	seen = table_find_u64(v->segments, number);
	if (seen == NULL) {
		seen = memory_new(1, sizeof(*seen));
		table_put_u64(v->segments, number, seen);
	}
	return seen;
}

void
verify_segments_free(struct verify *v)
{
	size_t position = 0;
	void *seen;

	if (v->segments == NULL)
		return;
	while (table_next(v->segments, &position, NULL, NULL, &seen))
		free(seen);
	table_free(&v->segments);
}

/* -- What the index says -- */

void
verify_note_places(
    struct verify *v, uint64_t blob, const struct blob_form *form)
{
	struct blob_form copy = *form;
	struct place place;
	uint64_t size = 0;
	uint32_t i;

	for (i = 0; i < form->place_count; i++) {
		if (place_get(&copy.places, &place) != 0)
			break;
		seen_of(v, place.at.segment)->live_bytes += place.length;
		size += place.length;
		v->places++;
	}
	if (size != form->size)
		finding(v->findings, "body %llu is not whole",
		    (unsigned long long)blob);
}

void
verify_segment_use(struct verify *v, struct text key, struct text value)
{
	struct segment_seen *seen;

	if (key.size != 4) {
		finding(v->findings, "segment_use: malformed key");
		return;
	}
	seen = seen_of(v, key_u32_at(key, 0));
	seen->has_use = segment_use_decode(value, &seen->use) == 0;
	if (!seen->has_use)
		finding(v->findings, "segment_use: malformed row of %u",
		    key_u32_at(key, 0));
}

static void
check_use(struct verify *v, uint32_t number, const struct segment_seen *seen)
{
	bool is_dropped = seen->has_use && seen->use.state == SEGMENT_DROPPED;
	uint64_t counted = seen->has_use ? seen->use.live_bytes : 0;

	if (counted != seen->live_bytes)
		finding(v->findings,
		    "segment %u: %llu bytes are alive, the index counts %llu",
		    number, (unsigned long long)seen->live_bytes,
		    (unsigned long long)counted);
	if (!seen->is_given && v->options->has_segments && !is_dropped &&
	    (seen->live_bytes > 0 || (seen->has_use && seen->use.values > 0)))
		finding(v->findings, "segment %u is missing", number);
}

/* -- The trees of a segment -- */

static void
take_trees(struct segment_walk *walk)
{
	struct page_cursor *cursor =
	    page_cursor_new(walk->file, &page_file_meta(walk->file)->main,
		"main", PAGE_WALK_COUNT | PAGE_WALK_VALUES);
	struct text key, value;
	int i;

	while (page_cursor_next(cursor, &key, &value) == 1) {
		for (i = 0; i < TREE_COUNT; i++)
			if (text_is(key, tree_names[i]))
				break;
		if (i == TREE_COUNT || !page_cursor_is_tree(cursor) ||
		    page_tree_decode(value, &walk->trees[i]) != 0 ||
		    walk->trees[i].flags != 0)
			finding(
			    &walk->findings, "main: a row that is no database");
		else
			walk->has_tree[i] = true;
	}
	page_cursor_free(&cursor);
	for (i = 0; i < TREE_COUNT; i++)
		if (!walk->has_tree[i])
			finding(&walk->findings, "database %s is missing",
			    tree_names[i]);
}

static int
take_sum(enum segment_database database, struct text key, struct text *value)
{
	return verify_take_sum((enum database)database, key, value);
}

static void
check_info(struct segment_walk *walk)
{
	struct page_cursor *cursor =
	    page_cursor_new(walk->file, &walk->trees[TREE_INFO], "info",
		PAGE_WALK_COUNT | PAGE_WALK_VALUES);
	struct segment_info info;
	struct text key, value;
	unsigned int rows = 0;

	while (page_cursor_next(cursor, &key, &value) == 1) {
		rows++;
		if (take_sum(SEGMENT_INFO, key, &value) != 0)
			finding(&walk->findings, "info: a wrong sum");
		else if (segment_info_decode(value, &info) != 0 ||
			 info.number != walk->segment->number ||
			 memcmp(&info.store, &walk->v->store,
			     sizeof(info.store)) != 0)
			finding(&walk->findings, "is not what its number says");
	}
	if (rows != 1)
		finding(&walk->findings, "info: %u rows", rows);
	page_cursor_free(&cursor);
}

static void
check_keys(struct segment_walk *walk)
{
	struct page_cursor *cursor = page_cursor_new(walk->file,
	    &walk->trees[TREE_KEY], "key", PAGE_WALK_COUNT | PAGE_WALK_VALUES);
	struct text key, value;

	while (page_cursor_next(cursor, &key, &value) == 1)
		if (key.size != 4 || take_sum(SEGMENT_KEY, key, &value) != 0)
			finding(&walk->findings, "key: a wrong sum");
	page_cursor_free(&cursor);
}

/* 0, or -1: there is none that opens. */
static int
find_key(struct segment_walk *walk, uint32_t account)
{
	struct key_owner owner = { walk->v->store, account };
	struct key key = { .size = 0 };
	struct text k, value;
	struct error error;

	if (walk->has_key && walk->key_account == account)
		return 0;
	key_put_u32(&key, account);
	k = text_make(key.bytes, key.size);
	walk->has_key = page_cursor_find(walk->keys, k, &value) == 1 &&
			take_sum(SEGMENT_KEY, k, &value) == 0 &&
			account_key_unwrap(&owner, value,
			    &walk->v->options->key, &walk->key, &error) == 0;
	walk->key_account = account;
	return walk->has_key ? 0 : -1;
}

/* -- Blocks -- */

static void
block_finding(
    struct segment_walk *walk, const struct block_head *head, const char *what)
{
	if (head->kind == BLOCK_BODIES)
		finding(&walk->findings,
		    "value %u: block %u: %s (bodies %llu to %llu of account "
		    "%u)",
		    walk->at.value, walk->at.block, what,
		    (unsigned long long)head->first,
		    (unsigned long long)head->last, head->account);
	else
		finding(&walk->findings,
		    "value %u: block %u: %s (rows of account %u)",
		    walk->at.value, walk->at.block, what, head->account);
}

/* 0 if walk->raw holds what the block at `block` holds. */
static int
open_block(struct segment_walk *walk, const struct block_head *head,
    const uint8_t *block)
{
	struct error error;

	if (find_key(walk, head->account) != 0) {
		block_finding(walk, head, "its key does not open");
		return -1;
	}
	if (block_seal_open(walk->seal, &walk->v->store, &walk->at, &walk->key,
		head, block, walk->raw, &error) == 0)
		return 0;
	block_finding(walk, head, error.text);
	return -1;
}

/* Does the index say that this part of the body lies here? */
static bool
is_placed(struct segment_walk *walk, const struct block_entry *entry,
    uint32_t offset, struct blob_form *form)
{
	struct verify *v = walk->v;
	struct key key = { .size = 0 };
	struct text value, k;
	struct place place;
	uint32_t i;

	key_put_u64(&key, entry->blob);
	k = text_make(key.bytes, key.size);
	if (page_cursor_find(v->finders[DB_BLOB], k, &value) != 1 ||
	    verify_take_sum(DB_BLOB, k, &value) != 0 ||
	    blob_form_decode(value, form) != 0)
		return false;
	for (i = 0; i < form->place_count; i++)
		if (place_get(&form->places, &place) == 0 &&
		    place.at.segment == walk->at.segment &&
		    place.at.value == walk->at.value &&
		    place.at.block == walk->at.block &&
		    place.offset == offset && place.length == entry->length)
			return true;
	return false;
}

/* One in several blocks is hashed as its parts come. */
static void
hash_part(struct segment_walk *walk, const struct block_entry *entry,
    const uint8_t *bytes, const struct blob_form *form)
{
	struct digest *digest = walk->body;
	struct hash hash;

	if (entry->offset == 0) {
		digest_start(digest);
		walk->body_blob = entry->blob;
		walk->body_next = 0;
	}
	if (walk->body_blob != entry->blob || walk->body_next != entry->offset)
		return; /* a part before it is damaged, and named */
	digest_add(digest, bytes, entry->length);
	walk->body_next += entry->length;
	walk->v->result->body_bytes += entry->length;
	if (walk->body_next < entry->size)
		return;
	hash = digest_finish(digest);
	if (memcmp(&hash, &form->hash, sizeof(hash)) != 0)
		finding(walk->v->findings, "body %llu does not match its hash",
		    (unsigned long long)entry->blob);
}

static void
check_bodies(struct segment_walk *walk, const struct block_head *head)
{
	struct text raw = text_make(walk->raw, head->raw_size);
	struct block_entry entry;
	struct blob_form form;
	uint64_t offset;
	uint32_t count, i;

	if (block_entries(raw, &count) != 0) {
		block_finding(walk, head, "malformed list");
		return;
	}
	offset = 4 + (uint64_t)count * BLOCK_ENTRY_SIZE;
	for (i = 0; i < count; i++) {
		if (block_entry_get(raw, i, &entry) != 0 ||
		    offset + entry.length > raw.size) {
			block_finding(walk, head, "malformed list");
			return;
		}
		if (is_placed(walk, &entry, (uint32_t)offset, &form)) {
			walk->v->places_found++;
			hash_part(walk, &entry, walk->raw + offset, &form);
		}
		offset += entry.length;
	}
}

static void
check_rows(struct segment_walk *walk, const struct block_head *head)
{
	struct text rest = text_make(walk->raw, head->raw_size);
	struct block_row row;
	int got;

	while ((got = block_row_next(&rest, &row)) == 1)
		continue;
	if (got < 0)
		block_finding(walk, head, "malformed rows");
}

/* All blocks of a value: its sums, and what is in it. */
static void
check_value(struct segment_walk *walk, const uint8_t *value)
{
	struct block_head head;
	struct error error;
	size_t offset = 0;
	int found;

	for (walk->at.block = 0; (found = block_head_find(value, offset,
				      walk->at.block, &head, &error)) == 1;
	     walk->at.block++, offset += block_size(&head)) {
		if (block_sum(value + offset + BLOCK_HEAD_SIZE,
			head.packed_size + BLOCK_TAG_SIZE) != head.sum)
			block_finding(walk, &head, "wrong sum");
		else if (!walk->v->options->has_key ||
			 open_block(walk, &head, value + offset) != 0)
			continue;
		else if (head.kind == BLOCK_BODIES)
			check_bodies(walk, &head);
		else
			check_rows(walk, &head);
	}
	if (found < 0)
		finding(&walk->findings, "value %u: %s", walk->at.value,
		    error.text);
}

/* Another share of the values in each transaction. */
static bool
is_chosen(const struct segment_walk *walk, uint32_t number)
{
	uint64_t mixed = (number + walk->v->result->transaction * 31 + 1) *
			 UINT64_C(0x9E3779B97F4A7C15);

	return (mixed >> 32) % 100 < walk->v->options->percent;
}

static void
check_values(struct segment_walk *walk)
{
	struct page_cursor *cursor = page_cursor_new(
	    walk->file, &walk->trees[TREE_VALUE], "value", PAGE_WALK_COUNT);
	const struct verify_options *options = walk->v->options;
	uint32_t number, expected = 0;
	struct text key, value;

	while (page_cursor_next(cursor, &key, &value) == 1) {
		number = key_u32_at(key, 0);
		if (key.size != 4 || value.size != SEGMENT_VALUE_SIZE ||
		    number != expected) {
			finding(&walk->findings,
			    "value %u: malformed, or one is missing", number);
			expected = number + 1;
			continue;
		}
		expected++;
		walk->at.value = number;
		if (!is_chosen(walk, number))
			continue;
		if (page_cursor_find(walk->values, key, &value) == 1)
			check_value(walk, (const uint8_t *)value.data);
		else
			finding(
			    &walk->findings, "value %u cannot be read", number);
		if (options->progress != NULL)
			options->progress(options->progress_context,
			    walk->v->bytes_before +
				page_file_bytes_read(walk->file),
			    walk->v->total_bytes);
	}
	page_cursor_free(&cursor);
}

/* -- A segment -- */

/* One that is full is as it was when it became so. */
static void
check_file_hash(struct segment_walk *walk, const struct segment_use *use)
{
	struct digest *digest = walk->v->digest;
	off_t offset = 0;
	struct hash hash;
	ssize_t got;

	digest_start(digest);
	while ((got = pread(
		    walk->segment->fd, walk->raw, BLOCK_MAX_RAW, offset)) > 0) {
		digest_add(digest, walk->raw, (size_t)got);
		offset += got;
	}
	hash = digest_finish(digest);
	if (memcmp(&hash, &use->hash, sizeof(hash)) != 0)
		finding(&walk->findings,
		    "is full and not as it was: another SHA-256");
}

static void
open_finders(struct segment_walk *walk)
{
	struct verify *v = walk->v;
	unsigned int quiet = PAGE_WALK_VALUES | PAGE_WALK_QUIET;

	walk->keys =
	    page_cursor_new(walk->file, &walk->trees[TREE_KEY], "key", quiet);
	walk->values = page_cursor_new(
	    walk->file, &walk->trees[TREE_VALUE], "value", quiet);
	if (v->finders[DB_BLOB] == NULL)
		v->finders[DB_BLOB] =
		    page_cursor_new(v->file, &v->trees[DB_BLOB], "blob", quiet);
}

static void
walk_segment(struct segment_walk *walk)
{
	struct verify *v = walk->v;
	struct segment_seen *seen = seen_of(v, walk->segment->number);

	seen->is_given = true;
	walk->file = page_file_open(
	    walk->segment->fd, walk->segment->meta, &walk->findings);
	if (walk->file == NULL)
		return;
	take_trees(walk);
	if (walk->has_tree[TREE_INFO] && walk->has_tree[TREE_KEY] &&
	    walk->has_tree[TREE_VALUE]) {
		open_finders(walk);
		check_info(walk);
		check_keys(walk);
		check_values(walk);
		page_file_check_free(walk->file);
		v->result->lost_pages += page_file_lost_pages(walk->file);
	}
	if (v->options->percent >= 100 && seen->has_use &&
	    seen->use.state == SEGMENT_FULL)
		check_file_hash(walk, &seen->use);
	v->result->pages += page_file_meta(walk->file)->last_page + 1;
	v->bytes_before += page_file_bytes_read(walk->file);
}

static void
close_segment(struct segment_walk *walk)
{
	page_cursor_free(&walk->keys);
	page_cursor_free(&walk->values);
	page_file_free(&walk->file);
	memset(walk->trees, 0, sizeof(walk->trees));
	memset(walk->has_tree, 0, sizeof(walk->has_tree));
	walk->has_key = false;
}

static void
check_all_uses(struct verify *v)
{
	size_t position = 0, size;
	const void *key;
	void *seen;

	if (v->segments == NULL)
		return;
	while (table_next(v->segments, &position, &key, &size, &seen)) {
		uint64_t number;

		memcpy(&number, key, sizeof(number));
		check_use(v, (uint32_t)number, seen);
	}
}

void
verify_segments(struct verify *v)
{
	struct segment_walk *walk = memory_new(1, sizeof(*walk));
	size_t i;

	walk->v = v;
	walk->findings = (struct findings){ put_with_number, walk, 0 };
	walk->seal = block_seal_new();
	walk->body = digest_new();
	walk->raw = memory_new(1, BLOCK_MAX_RAW);
	v->bytes_before = page_file_bytes_read(v->file);
	for (i = 0; i < v->options->segment_count; i++) {
		walk->segment = &v->options->segments[i];
		walk->at.segment = walk->segment->number;
		walk_segment(walk);
		close_segment(walk);
	}
	check_all_uses(v);
	if (v->options->has_segments && v->options->has_key &&
	    v->options->percent >= 100 && v->places_found != v->places)
		finding(v->findings,
		    "%llu parts of bodies are not where the index says",
		    (unsigned long long)(v->places - v->places_found));
	block_seal_free(&walk->seal);
	digest_free(&walk->body);
	free(walk->raw);
	memory_free(&walk);
}

/* -- Before LMDB opens it -- */

static void
take_first(void *context, const char *text)
{
	struct error *error = context;

	if (error->code == ERROR_NONE)
		error_set(error, ERROR_DAMAGED, "%s", text);
}

int
verify_segment_before_open(int fd, struct error *error)
{
	struct findings findings = { take_first, error, 0 };
	struct page_cursor *cursor;
	struct page_file *file;
	struct page_tree tree;
	struct text key, value;

	error->code = ERROR_NONE;
	file = page_file_open(fd, NULL, &findings);
	if (file == NULL)
		return -1;
	cursor = page_cursor_new(
	    file, &page_file_meta(file)->main, "main", PAGE_WALK_VALUES);
	while (page_cursor_next(cursor, &key, &value) == 1)
		if (!page_cursor_is_tree(cursor) ||
		    page_tree_decode(value, &tree) != 0)
			finding(&findings, "main: a row that is no database");
		else
			page_file_check_root(file, &tree, "segment");
	page_cursor_free(&cursor);
	page_file_check_root(file, &page_file_meta(file)->free, "free list");
	page_file_free(&file);
	return findings.count == 0 ? 0 : -1;
}

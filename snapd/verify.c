/*
 * The order of a verification: see verify.h.  First every tree is walked once,
 * each page counted and each sum checked; what rows say about each other is
 * looked up on the way, where a lookup can go no deeper than a tree is.
 */
#include "snapd/verify.h"

#include "common/codec.h"
#include "common/memory.h"
#include "common/event_form.h"
#include "common/merkle_log.h"
#include "snapd/verify_rows.h"
#include "snapd/verify_segments.h"

#include <string.h>
#include <sys/stat.h>

enum {
	PROGRESS_ROWS = 65536
};

/* -- The main tree: which databases there are -- */

static void
take_tree(struct verify *v, struct text name, struct text value)
{
	int i;

	for (i = 0; i < DB_COUNT; i++)
		if (text_is(name, database_name((enum database)i)))
			break;
	if (i == DB_COUNT)
		finding(v->findings, "main: a database of unknown name");
	else if (page_tree_decode(value, &v->trees[i]) != 0 ||
		 v->trees[i].flags != 0)
		finding(v->findings, "main: database %s is malformed",
		    database_name((enum database)i));
	else
		v->has_tree[i] = true;
}

static void
walk_main(struct verify *v)
{
	struct text key, value;
	struct page_cursor *cursor;
	int i;

	cursor = page_cursor_new(v->file, &page_file_meta(v->file)->main,
	    "main", PAGE_WALK_COUNT | PAGE_WALK_VALUES);
	while (page_cursor_next(cursor, &key, &value) == 1)
		if (page_cursor_is_tree(cursor))
			take_tree(v, key, value);
		else
			finding(v->findings, "main: a row that is no database");
	page_cursor_free(&cursor);
	for (i = 0; i < DB_COUNT; i++)
		if (!v->has_tree[i] && i >= DB_FIRST_ADDED)
			v->trees[i] = page_tree_empty();
		else if (!v->has_tree[i])
			finding(v->findings, "database %s is missing",
			    database_name((enum database)i));
}

/* -- The state, and that the meta page before is not a later one -- */

static int
find_state(struct verify *v, const struct page_tree *tree, struct text name,
    struct text *value, struct page_cursor **cursor)
{
	*cursor = page_cursor_new(
	    v->file, tree, "meta", PAGE_WALK_VALUES | PAGE_WALK_QUIET);
	if (page_cursor_find(*cursor, name, value) != 1)
		return 0;
	return verify_take_sum(DB_META, name, value) == 0;
}

/* Of a state that LMDB would read from this meta page; 0 if it cannot. */
static uint64_t
sequence_of(struct verify *v, const struct page_meta *meta, uint64_t *guard_us)
{
	struct page_cursor *main, *cursor = NULL;
	struct page_tree tree;
	struct text value;
	struct reader r;
	uint64_t sequence = 0;

	main = page_cursor_new(
	    v->file, &meta->main, "main", PAGE_WALK_VALUES | PAGE_WALK_QUIET);
	if (page_cursor_find(main, TEXT("meta"), &value) == 1 &&
	    page_tree_decode(value, &tree) == 0 &&
	    find_state(v, &tree, TEXT("state"), &value, &cursor)) {
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		sequence = reader_get_u64(&r);
		reader_get_u64(&r);
		reader_get_u64(&r);
		reader_get_u64(&r);
		*guard_us = reader_get_u64(&r);
	}
	page_cursor_free(&cursor);
	page_cursor_free(&main);
	return sequence;
}

static void
check_previous(struct verify *v)
{
	const struct page_meta *previous = page_file_previous(v->file);
	uint64_t now_us = 0, before_us = 0, now, before;

	if (previous == NULL)
		return;
	now = sequence_of(v, page_file_meta(v->file), &now_us);
	before = sequence_of(v, previous, &before_us);
	if (before > now || (before == now && before_us > now_us))
		finding(v->findings,
		    "the older meta page has the later state: event %llu "
		    "after %llu",
		    (unsigned long long)before, (unsigned long long)now);
}

static void
take_state(struct verify *v)
{
	struct page_cursor *cursor;
	struct text value;
	struct reader r;
	struct merkle_log kept = { .count = 0 };

	v->has_state =
	    find_state(v, &v->trees[DB_META], TEXT("state"), &value, &cursor);
	if (v->has_state) {
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		v->sequence = reader_get_u64(&r);
		v->next_blob = reader_get_u64(&r);
		v->next_mailbox = reader_get_u64(&r);
		reader_get_u64(&r);
		reader_get_u64(&r);
		while (r.size >= 32 && kept.root_count < 64)
			reader_get_raw(
			    &r, kept.roots[kept.root_count++].bytes, 32);
		kept.count = v->sequence;
		v->kept = kept;
		if (reader_done(&r) != 0)
			finding(v->findings, "meta: malformed state");
	}
	page_cursor_free(&cursor);
	if (find_state(
		v, &v->trees[DB_META], TEXT("store_id"), &value, &cursor) &&
	    value.size == 17)
		memcpy(v->store.bytes, value.data + 1, 16);
	else
		finding(v->findings, "meta: no store id");
	page_cursor_free(&cursor);
	if (find_state(
		v, &v->trees[DB_META], TEXT("signing_key"), &value, &cursor) &&
	    value.size == 1 + 2 * HEAD_KEY_SIZE)
		memcpy(v->result->public_key, value.data + 1 + HEAD_KEY_SIZE,
		    HEAD_KEY_SIZE);
	else
		finding(v->findings, "meta: no signing key");
	page_cursor_free(&cursor);
}

/* -- All rows -- */

static void
report_progress(struct verify *v)
{
	const struct verify_options *options = v->options;

	if (++v->result->rows % PROGRESS_ROWS == 0 && options->progress != NULL)
		options->progress(options->progress_context,
		    page_file_bytes_read(v->file), v->total_bytes);
}

static void
walk_rows(struct verify *v, enum database database)
{
	struct text key, value;
	struct page_cursor *cursor;

	cursor = page_cursor_new(v->file, &v->trees[database],
	    database_name(database), PAGE_WALK_COUNT | PAGE_WALK_VALUES);
	while (page_cursor_next(cursor, &key, &value) == 1) {
		report_progress(v);
		if (verify_take_sum(database, key, &value) != 0)
			finding(v->findings, "%s: a row has a wrong sum",
			    database_name(database));
		else
			verify_row(v, database, key, value);
	}
	page_cursor_free(&cursor);
	verify_rows_end(v, database);
}

static void
walk_all(struct verify *v)
{
	/* Rows of the later ones are looked up in those before. */
	static const enum database order[] = { DB_META, DB_LOG, DB_HEAD,
		DB_ACCOUNT, DB_ACCOUNT_LOG, DB_FORGOTTEN, DB_MAILBOX, DB_NAME,
		DB_MAILBOX_OLD, DB_SUBSCRIBED, DB_UNFILED, DB_LIVE, DB_DEAD,
		DB_MARK, DB_HOLD, DB_DELIVERY, DB_HASH, DB_REPLY, DB_BLOB_USE,
		DB_EXPUNGED, DB_SEGMENT_USE, DB_ALLOWANCE };
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		walk_rows(v, order[i]);
	verify_bodies(v);
	verify_uses_end(v); /* pieces of bodies are referred to, too */
	page_file_check_free(v->file);
	v->result->lost_pages = page_file_lost_pages(v->file);
	verify_segments(v);
}

static void
look_at_tops(struct verify *v)
{
	int i;

	page_file_check_root(
	    v->file, &page_file_meta(v->file)->free, "free list");
	for (i = 0; i < DB_COUNT; i++)
		page_file_check_root(
		    v->file, &v->trees[i], database_name((enum database)i));
}

static void
run(struct verify *v, enum verify_depth depth)
{
	uint64_t before = v->findings->count;

	walk_main(v);
	if (v->findings->count != before)
		return;
	check_previous(v);
	take_state(v);
	if (depth == VERIFY_CHEAP) {
		look_at_tops(v);
		return;
	}
	walk_all(v);
}

static uint64_t
segment_bytes(const struct verify_options *options)
{
	uint64_t sum = 0;
	struct stat st;
	size_t i;

	for (i = 0; i < options->segment_count; i++)
		if (fstat(options->segments[i].fd, &st) == 0)
			sum += (uint64_t)st.st_size;
	return sum;
}

int
verify_run(
    int fd, const struct verify_options *options, struct verify_result *result)
{
	struct verify *v = memory_new(1, sizeof(*v));
	struct findings findings = options->findings;

	memset(result, 0, sizeof(*result));
	v->options = options;
	v->result = result;
	v->findings = &findings;
	v->digest = digest_new();
	v->file = page_file_open(fd, options->meta, &findings);
	if (v->file != NULL) {
		const struct page_meta *meta = page_file_meta(v->file);

		result->transaction = meta->transaction;
		result->pages = meta->last_page + 1;
		v->total_bytes =
		    result->pages * meta->page_size + segment_bytes(options);
		run(v, options->depth);
	}
	verify_rows_free(v);
	page_file_free(&v->file);
	digest_free(&v->digest);
	memory_free(&v);
	result->findings = findings.count;
	return findings.count == 0 ? 0 : -1;
}

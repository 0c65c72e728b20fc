/*
 * Trees of pages, entry by entry: see page_walker.h.  The way down is kept as
 * an array of pages, one a level.
 */
#include "snapd/page_walker.h"

#include "common/memory.h"
#include "snapd/page_file.h"

#include <stdlib.h>
#include <string.h>

struct level {
	uint64_t number;
	uint8_t *page; /* NULL: nothing read yet */
	unsigned int index;
};

struct page_cursor {
	struct page_file *file;
	struct page_tree tree;
	const char *name;
	unsigned int walk;
	bool is_started;
	bool is_tree;
	bool is_damaged;
	size_t depth; /* levels in use */
	struct level levels[PAGE_MAX_DEPTH];
	uint8_t last_key[PAGE_MAX_KEY];
	size_t last_size;
	bool has_last;
	bool may_equal; /* last_key is a separator */
	uint8_t *value;
	size_t value_room;
	struct page_tree found; /* what was counted */
};

static void
damaged(struct page_cursor *cursor, uint64_t page, const char *what)
{
	cursor->is_damaged = true;
	if ((cursor->walk & PAGE_WALK_QUIET) == 0)
		finding(cursor->file->findings, "%s: page %llu %s",
		    cursor->name, (unsigned long long)page, what);
}

static bool
is_integer_tree(const struct page_cursor *cursor)
{
	return cursor->tree.flags != 0;
}

static int
compare_keys(const struct page_cursor *cursor, struct text a, struct text b)
{
	uint64_t x, y;

	if (!is_integer_tree(cursor) || a.size != 8 || b.size != 8)
		return text_compare(a, b);
	x = page_u64((const uint8_t *)a.data);
	y = page_u64((const uint8_t *)b.data);
	return x < y ? -1 : x > y;
}

/* In the order of the walk, keys rise; a separator may be met again. */
static int
check_order(struct page_cursor *cursor, struct text key, bool is_separator)
{
	struct text last = text_make(cursor->last_key, cursor->last_size);
	int order = -1;

	if (cursor->has_last)
		order = compare_keys(cursor, last, key);
	if (order > 0 || (order == 0 && !cursor->may_equal) || key.size == 0)
		return -1;
	memcpy(cursor->last_key, key.data, key.size);
	cursor->last_size = key.size;
	cursor->has_last = true;
	cursor->may_equal = is_separator;
	return 0;
}

struct page_cursor *
page_cursor_new(struct page_file *file, const struct page_tree *tree,
    const char *name, unsigned int walk)
{
	struct page_cursor *cursor = memory_new(1, sizeof(*cursor));

	cursor->file = file;
	cursor->tree = *tree;
	cursor->name = name;
	cursor->walk = walk;
	return cursor;
}

void
page_cursor_free(struct page_cursor **cursor)
{
	size_t i;

	if (*cursor == NULL)
		return;
	for (i = 0; i < PAGE_MAX_DEPTH; i++)
		free((*cursor)->levels[i].page);
	free((*cursor)->value);
	memory_free(cursor);
}

static bool
is_counting(const struct page_cursor *cursor)
{
	return (cursor->walk & PAGE_WALK_COUNT) != 0;
}

/* Puts the page on the way: 0, or -1 if it is damaged and was skipped. */
static int
enter(struct page_cursor *cursor, uint64_t number)
{
	struct level *level = &cursor->levels[cursor->depth];
	bool is_leaf = cursor->depth + 1 == cursor->tree.depth;
	const char *wrong;

	if (level->page == NULL)
		level->page = memory_new(1, cursor->file->meta.page_size);
	wrong = page_read(cursor->file, number, is_leaf, level->page);
	if (wrong != NULL) {
		level->number = 0;
		damaged(cursor, number, wrong);
		return -1;
	}
	if (is_counting(cursor) &&
	    page_file_mark(cursor->file, number, 1, cursor->name) != 0) {
		level->number = 0;
		cursor->is_damaged = true;
		return -1;
	}
	if (is_leaf)
		cursor->found.leaf_pages++;
	else
		cursor->found.branch_pages++;
	level->number = number;
	level->index = 0;
	cursor->depth++;
	return 0;
}

static void
check_totals(struct page_cursor *cursor)
{
	const struct page_tree *tree = &cursor->tree, *found = &cursor->found;

	if (!is_counting(cursor) || cursor->is_damaged)
		return;
	if (tree->branch_pages != found->branch_pages ||
	    tree->leaf_pages != found->leaf_pages ||
	    tree->overflow_pages != found->overflow_pages ||
	    tree->entries != found->entries)
		finding(cursor->file->findings,
		    "%s: totals do not agree: %llu entries, %llu found",
		    cursor->name, (unsigned long long)tree->entries,
		    (unsigned long long)found->entries);
}

static int
start(struct page_cursor *cursor)
{
	const struct page_tree *tree = &cursor->tree;

	cursor->is_started = true;
	if (tree->root == PAGE_NONE && tree->depth == 0)
		return -1;
	if (tree->depth == 0 || tree->depth > PAGE_MAX_DEPTH) {
		damaged(cursor, tree->root, "starts a tree of wrong depth");
		return -1;
	}
	return enter(cursor, tree->root);
}

/* Reads an overflow page's head, and its value if values are wanted. */
static int
read_overflow(struct page_cursor *cursor, const struct page_node *node,
    struct text *value)
{
	struct page_file *file = cursor->file;
	uint64_t size = node->value_size, page_size = file->meta.page_size;
	uint64_t needed = (PAGE_HEAD_SIZE - 1 + size) / page_size + 1;
	uint64_t offset = node->child * page_size;
	uint8_t head[PAGE_HEAD_SIZE];
	uint64_t pages;

	*value = text_make(NULL, node->value_size);
	if (node->child < 2 || node->child > file->meta.last_page ||
	    size > PAGE_MAX_VALUE || offset > file->size ||
	    size + PAGE_HEAD_SIZE > file->size - offset ||
	    page_file_read(file, offset, head, sizeof(head)) != 0) {
		damaged(cursor, node->child, "(a value) is beyond the file");
		return -1;
	}
	pages = page_u32(head + 12);
	if (page_u64(head) != node->child ||
	    page_u16(head + 10) != PAGE_OVERFLOW || pages < needed) {
		damaged(cursor, node->child, "is not the value it should be");
		return -1;
	}
	cursor->found.overflow_pages += pages;
	if (is_counting(cursor) &&
	    page_file_mark(file, node->child, pages, cursor->name) != 0) {
		cursor->is_damaged = true;
		return -1;
	}
	if ((cursor->walk & PAGE_WALK_VALUES) == 0)
		return 0;
	if (size > cursor->value_room) {
		cursor->value = memory_resize(cursor->value, size, 1);
		cursor->value_room = size;
	}
	if (page_file_read(
		file, offset + PAGE_HEAD_SIZE, cursor->value, size) != 0) {
		damaged(cursor, node->child, "(a value) cannot be read");
		return -1;
	}
	*value = text_make(cursor->value, size);
	return 0;
}

static int
take_entry(struct page_cursor *cursor, const struct page_node *node,
    struct text *key, struct text *value)
{
	cursor->found.entries++;
	cursor->is_tree = (node->flags & NODE_TREE) != 0;
	*key = node->key;
	if ((node->flags & NODE_BIG) != 0)
		return read_overflow(cursor, node, value);
	*value = text_make(node->value, node->value_size);
	return 0;
}

/* One step: 1 and an entry, or 0 to go on. */
static int
step(struct page_cursor *cursor, struct text *key, struct text *value)
{
	struct level *level = &cursor->levels[cursor->depth - 1];
	bool is_leaf = cursor->depth == cursor->tree.depth;
	struct page_node node;
	unsigned int index = level->index;

	if (index == page_node_count(level->page)) {
		cursor->depth--;
		return 0;
	}
	level->index++;
	if (page_node_get(
		level->page, cursor->file->meta.page_size, index, &node) != 0)
		return 0; /* page_read has looked at all of them */
	if ((is_leaf || index > 0) &&
	    check_order(cursor, node.key, !is_leaf) != 0) {
		damaged(cursor, level->number, "has keys out of order");
		if (!is_leaf)
			return 0;
	}
	if (is_leaf)
		return take_entry(cursor, &node, key, value) == 0;
	(void)enter(cursor, node.child);
	return 0;
}

int
page_cursor_next(
    struct page_cursor *cursor, struct text *key, struct text *value)
{
	if (!cursor->is_started && start(cursor) != 0) {
		check_totals(cursor);
		return 0;
	}
	if (cursor->depth == 0)
		return 0;
	while (cursor->depth > 0)
		if (step(cursor, key, value) == 1)
			return 1;
	check_totals(cursor);
	return 0;
}

bool
page_cursor_is_tree(const struct page_cursor *cursor)
{
	return cursor->is_tree;
}

/* The last node of the page whose key is not above `key`, or -1. */
static long
search(const struct page_cursor *cursor, const struct level *level,
    bool is_leaf, struct text key, struct page_node *node)
{
	uint32_t page_size = cursor->file->meta.page_size;
	long low = is_leaf ? 0 : 1, middle;
	long high = (long)page_node_count(level->page) - 1;

	while (low <= high) {
		middle = (low + high) / 2;
		if (page_node_get(level->page, page_size, (unsigned int)middle,
			node) != 0)
			return -1;
		if (compare_keys(cursor, node->key, key) <= 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	if (high < 0 || page_node_get(level->page, page_size,
			    (unsigned int)high, node) != 0)
		return -1;
	return high;
}

int
page_cursor_find(
    struct page_cursor *cursor, struct text key, struct text *value)
{
	uint64_t number = cursor->tree.root;
	struct page_node node;
	size_t depth;
	bool is_leaf;

	if (cursor->tree.depth == 0 || cursor->tree.depth > PAGE_MAX_DEPTH)
		return 0;
	for (depth = 0; depth < cursor->tree.depth; depth++) {
		struct level *level = &cursor->levels[depth];

		is_leaf = depth + 1 == cursor->tree.depth;
		cursor->depth = depth;
		/* Neighbours are looked for one after the other. */
		if ((level->page == NULL || level->number != number) &&
		    enter(cursor, number) != 0)
			return 0;
		if (search(cursor, level, is_leaf, key, &node) < 0)
			return 0;
		number = node.child;
	}
	if (!text_equal(node.key, key))
		return 0;
	return take_entry(cursor, &node, &key, value) == 0;
}

/* One record: its transaction, and the pages that it freed, largest first. */
static void
check_free_record(struct page_file *file, struct text key, struct text value)
{
	const uint8_t *p = (const uint8_t *)value.data;
	uint64_t count, i, page, before = UINT64_MAX;

	if (key.size != 8 || value.size < 8 || value.size % 8 != 0 ||
	    page_u64((const uint8_t *)key.data) > file->meta.transaction) {
		finding(file->findings, "free list: malformed record");
		return;
	}
	count = page_u64(p);
	if (count > value.size / 8 - 1) {
		finding(file->findings, "free list: a record is too short");
		return;
	}
	for (i = 1; i <= count; i++) {
		page = page_u64(p + 8 * i);
		if (page >= before) {
			finding(file->findings, "free list: not in order");
			return;
		}
		before = page;
		if (page_file_mark(file, page, 1, "free list") != 0)
			return;
	}
}

void
page_file_check_free(struct page_file *file)
{
	struct page_cursor *cursor;
	struct text key, value;

	cursor = page_cursor_new(file, &file->meta.free, "free list",
	    PAGE_WALK_COUNT | PAGE_WALK_VALUES);
	while (page_cursor_next(cursor, &key, &value) == 1)
		check_free_record(file, key, value);
	page_cursor_free(&cursor);
}

void
page_file_check_root(
    struct page_file *file, const struct page_tree *tree, const char *name)
{
	struct page_cursor *cursor;

	cursor = page_cursor_new(file, tree, name, 0);
	(void)start(cursor);
	page_cursor_free(&cursor);
}

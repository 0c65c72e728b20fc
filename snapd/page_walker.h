/*
 * A reader of LMDB 0.9's file that trusts no byte of it.  LMDB itself maps the
 * file and follows whatever a page says; this one reads page by page with
 * bounds on everything, and says what is wrong.  Data comes from a read-only
 * descriptor of data.mdb and goes to verify.c as keys and values.  It never
 * maps, writes, or recurses, and does not include lmdb.h.
 *
 * The file (64 bit, little-endian, page numbers from 0):
 *   page     own number u64, pad u16, flags u16, then lower u16 and upper u16,
 *            or (overflow) pages u32; then node offsets u16 up to lower; nodes
 *            from upper to the end
 *   node     8 bytes: low u16, high u16, flags u16, key size u16; key; then a
 *            value of (low, high) bytes, or the page number of an overflow
 *            page; in a branch (low, high, flags) is the child's page number
 *   0 and 1  meta pages: magic u32, version u32, address u64, map size u64, the
 *            free list's tree, the main tree, last page u64, transaction u64;
 *            transaction T is written to page T & 1
 *   tree     page size or 0 u32, flags u16, depth u16, branch, leaf, overflow
 *            pages u64, entries u64, root u64
 * The store has no databases with duplicates: their page forms are damage.
 */
#ifndef SNAPD_PAGE_WALKER_H
#define SNAPD_PAGE_WALKER_H

#include "common/error.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PAGE_META_SIZE = 152,     /* bytes of a meta page that count */
	PAGE_MAX_DEPTH = 16,      /* levels of a tree */
	PAGE_MAX_KEY = 511,       /* bytes */
	PAGE_MAX_VALUE = 16 << 20 /* bytes of a value */
};

#define PAGE_NONE UINT64_MAX /* root of an empty tree */

/* Where findings go: one line each. */
struct findings {
	void (*put)(void *context, const char *text);
	void *context;
	uint64_t count;
};

void finding(struct findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct page_tree {
	uint16_t flags;
	uint16_t depth;
	uint64_t branch_pages;
	uint64_t leaf_pages;
	uint64_t overflow_pages;
	uint64_t entries;
	uint64_t root;
};

struct page_meta {
	uint32_t page_size;
	struct page_tree free;
	struct page_tree main;
	uint64_t last_page;
	uint64_t transaction;
};

struct page_file;
struct page_cursor;

/*
 * `meta` is the meta page (PAGE_META_SIZE bytes) of the transaction to walk, as
 * a process that holds that transaction read it; NULL: nobody writes, both meta
 * pages are checked and the newest is taken.  NULL and a finding if there is
 * nothing that could be walked. The descriptor stays the caller's.
 */
struct page_file *page_file_open(
    int fd, const uint8_t *meta, struct findings *findings);
void page_file_free(struct page_file **file);

const struct page_meta *page_file_meta(const struct page_file *file);
/* The meta page before the newest, if both were read and are well-formed. */
const struct page_meta *page_file_previous(const struct page_file *file);
uint64_t page_file_bytes_read(const struct page_file *file);

/* One without a page. */
struct page_tree page_tree_empty(void);
/* The main database's value of a named database. -1 if malformed. */
int page_tree_decode(struct text value, struct page_tree *tree);

/* All pages of the free list are within the file and not used by a tree that
 * was walked before. */
void page_file_check_free(struct page_file *file);
/* After every tree was walked: pages that belong to nothing. */
uint64_t page_file_lost_pages(const struct page_file *file);

enum page_walk {
	PAGE_WALK_COUNT = 1,  /* first visit: each page once, totals agree */
	PAGE_WALK_VALUES = 2, /* read values that stand in overflow pages */
	PAGE_WALK_QUIET = 4   /* a second visit: report nothing */
};

/* Entries of a tree in order. A damaged page is reported and skipped with what
 * is below it. Next: 1 and the entry (valid until the next call), or 0; with
 * PAGE_WALK_VALUES unset a value of an overflow page has no data. */
struct page_cursor *page_cursor_new(struct page_file *file,
    const struct page_tree *tree, const char *name, unsigned int walk);
int page_cursor_next(
    struct page_cursor *cursor, struct text *key, struct text *value);
/* The current entry is one of a named database (main tree only). */
bool page_cursor_is_tree(const struct page_cursor *cursor);
/* 1 and the value under exactly this key, else 0. The cursor is used for
 * nothing else than finding. */
int page_cursor_find(
    struct page_cursor *cursor, struct text key, struct text *value);
void page_cursor_free(struct page_cursor **cursor);

/* Only the root page of a tree: the cheap look. */
void page_file_check_root(
    struct page_file *file, const struct page_tree *tree, const char *name);

#endif

/*
 * One page of LMDB's file at a time, for page_walker.c: read with bounds,
 * checked as a whole, its nodes handed out one by one.
 */
#ifndef SNAPD_PAGE_FILE_H
#define SNAPD_PAGE_FILE_H

#include "snapd/page_walker.h"

enum {
	PAGE_HEAD_SIZE = 16,
	PAGE_NODE_SIZE = 8,
	PAGE_BRANCH = 1,
	PAGE_LEAF = 2,
	PAGE_OVERFLOW = 4,
	PAGE_META = 8,
	NODE_BIG = 1, /* the value stands in overflow pages */
	NODE_TREE = 2 /* the value is a named database */
};

struct page_file {
	int fd;
	struct findings *findings;
	uint64_t size; /* of the file, bytes */
	uint64_t bytes_read;
	struct page_meta meta;
	struct page_meta previous;
	bool has_previous;
	uint8_t *seen; /* a bit a page up to meta.last_page */
	uint64_t seen_pages;
};

struct page_node {
	struct text key;
	uint64_t child; /* branch: page; leaf with NODE_BIG: overflow page */
	uint32_t value_size;
	const uint8_t *value; /* NULL with NODE_BIG */
	uint16_t flags;
};

/* The lowest byte first, as LMDB writes them here; at any address. */
uint16_t page_u16(const uint8_t *p);
uint32_t page_u32(const uint8_t *p);
uint64_t page_u64(const uint8_t *p);

/* 0, or -1 if they are not wholly within the file. */
int page_file_read(
    struct page_file *file, uint64_t offset, void *to, size_t size);

/* Marks `count` pages as used: -1 and a finding if one is beyond the last page,
 * a meta page, or was marked before. */
int page_file_mark(
    struct page_file *file, uint64_t page, uint64_t count, const char *name);

/* Reads a branch or leaf page and checks all of its form. NULL, or what is
 * wrong. */
const char *page_read(
    struct page_file *file, uint64_t number, bool is_leaf, uint8_t *page);

unsigned int page_node_count(const uint8_t *page);
/* 0, or -1 if the node is not within the page. */
int page_node_get(const uint8_t *page, uint32_t page_size, unsigned int index,
    struct page_node *node);

#endif

/*
 * Meta pages, page forms, and which page was seen: see page_walker.h.  Every
 * number that is read is compared with what the file can hold before it is
 * used.
 */
#include "snapd/page_file.h"

#include "common/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	META_MAGIC_LOW = 0xC0DE,
	META_MAGIC_HIGH = 0xBEEF,
	META_VERSION = 1,
	TREE_SIZE = 48,
	TREE_INTEGER_KEYS = 8,
	PAGE_SIZE_MIN = 512,
	PAGE_SIZE_MAX = 32768
};

void
finding(struct findings *findings, const char *format, ...)
{
	char text[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	findings->count++;
	findings->put(findings->context, text);
}

uint16_t
page_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t
page_u32(const uint8_t *p)
{
	return page_u16(p) | (uint32_t)page_u16(p + 2) << 16;
}

uint64_t
page_u64(const uint8_t *p)
{
	return page_u32(p) | (uint64_t)page_u32(p + 4) << 32;
}

int
page_file_read(struct page_file *file, uint64_t offset, void *to, size_t size)
{
	uint8_t *p = to;
	ssize_t got;

	if (offset > file->size || size > file->size - offset)
		return -1;
	while (size > 0) {
		got = pread(file->fd, p, size, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		p += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
		file->bytes_read += (uint64_t)got;
	}
	return 0;
}

static void
decode_tree(const uint8_t *p, struct page_tree *tree)
{
	tree->flags = page_u16(p + 4);
	tree->depth = page_u16(p + 6);
	tree->branch_pages = page_u64(p + 8);
	tree->leaf_pages = page_u64(p + 16);
	tree->overflow_pages = page_u64(p + 24);
	tree->entries = page_u64(p + 32);
	tree->root = page_u64(p + 40);
}

struct page_tree
page_tree_empty(void)
{
	return (struct page_tree){ .root = PAGE_NONE };
}

int
page_tree_decode(struct text value, struct page_tree *tree)
{
	const uint8_t *p = (const uint8_t *)value.data;

	if (value.size != TREE_SIZE || page_u32(p) != 0)
		return -1;
	decode_tree(p, tree);
	return 0;
}

/* NULL, or what is wrong with the meta page in `slot` (0 or 1). */
static const char *
decode_meta(const uint8_t *p, unsigned int slot, struct page_meta *meta)
{
	if (page_u64(p) != slot || page_u16(p + 10) != PAGE_META)
		return "is no meta page";
	if (page_u16(p + 16) != META_MAGIC_LOW ||
	    page_u16(p + 18) != META_MAGIC_HIGH)
		return "has a wrong magic number";
	if (page_u32(p + 20) != META_VERSION)
		return "has an unknown version";
	meta->page_size = page_u32(p + 40);
	decode_tree(p + 40, &meta->free);
	decode_tree(p + 40 + TREE_SIZE, &meta->main);
	meta->last_page = page_u64(p + 136);
	meta->transaction = page_u64(p + 144);
	if (meta->page_size < PAGE_SIZE_MIN ||
	    meta->page_size > PAGE_SIZE_MAX ||
	    (meta->page_size & (meta->page_size - 1)) != 0)
		return "has an impossible page size";
	if (page_u32(p + 40 + TREE_SIZE) != 0 || meta->main.flags != 0 ||
	    meta->free.flags != TREE_INTEGER_KEYS)
		return "has impossible flags";
	if (meta->last_page < 1)
		return "has an impossible last page";
	/* The first two are written at once, as transaction 0. */
	if (meta->transaction > 0 && (meta->transaction & 1) != slot)
		return "holds a transaction of the other meta page";
	return NULL;
}

static int
read_meta(struct page_file *file, unsigned int slot, uint32_t page_size,
    struct page_meta *meta)
{
	uint8_t page[PAGE_META_SIZE];
	const char *wrong = "is beyond the end of the file";

	if (page_file_read(
		file, (uint64_t)slot * page_size, page, sizeof(page)) == 0)
		wrong = decode_meta(page, slot, meta);
	if (wrong == NULL && slot == 1 && meta->page_size != page_size)
		wrong = "has another page size than the first";
	if (wrong == NULL)
		return 0;
	finding(file->findings, "meta page %u %s", slot, wrong);
	return -1;
}

/* Two transactions that follow each other, or both untouched. */
static void
check_metas(struct page_file *file)
{
	uint64_t newest = file->meta.transaction;

	if (newest - file->previous.transaction != 1 &&
	    !(newest == 0 && file->previous.transaction == 0))
		finding(file->findings,
		    "meta pages: transactions %llu and %llu do not follow "
		    "each other",
		    (unsigned long long)file->previous.transaction,
		    (unsigned long long)newest);
}

static int
choose_meta(struct page_file *file)
{
	struct page_meta metas[2];
	bool is_good[2];
	unsigned int newest;

	is_good[0] = read_meta(file, 0, 0, &metas[0]) == 0;
	is_good[1] = is_good[0] &&
		     read_meta(file, 1, metas[0].page_size, &metas[1]) == 0;
	if (!is_good[0])
		return -1;
	newest = is_good[1] && metas[1].transaction > metas[0].transaction;
	file->meta = metas[newest];
	file->has_previous = is_good[1];
	if (is_good[1]) {
		file->previous = metas[1 - newest];
		check_metas(file);
	}
	return 0;
}

static int
take_meta(struct page_file *file, const uint8_t *meta)
{
	const char *wrong;

	wrong =
	    decode_meta(meta, (unsigned int)(page_u64(meta) & 1), &file->meta);
	if (wrong == NULL)
		return 0;
	finding(file->findings, "the meta page in use %s", wrong);
	return -1;
}

struct page_file *
page_file_open(int fd, const uint8_t *meta, struct findings *findings)
{
	struct page_file *file = memory_new(1, sizeof(*file));
	struct stat status;

	file->fd = fd;
	file->findings = findings;
	if (fstat(fd, &status) != 0 || status.st_size < 0) {
		finding(findings, "the file cannot be read");
		page_file_free(&file);
		return NULL;
	}
	file->size = (uint64_t)status.st_size;
	if ((meta != NULL ? take_meta(file, meta) : choose_meta(file)) != 0) {
		page_file_free(&file);
		return NULL;
	}
	/* Pages at the end that were freed before they were ever written may
	 * be missing; more of them than the file is large is no store. */
	if (file->meta.last_page / 2 >
	    file->size / file->meta.page_size + 4096) {
		finding(findings,
		    "the file has %llu bytes, its last page is %llu",
		    (unsigned long long)file->size,
		    (unsigned long long)file->meta.last_page);
		page_file_free(&file);
		return NULL;
	}
	file->seen = memory_new(file->meta.last_page / 8 + 1, 1);
	file->seen[0] = 3;
	file->seen_pages = 2;
	return file;
}

void
page_file_free(struct page_file **file)
{
	if (*file == NULL)
		return;
	free((*file)->seen);
	memory_free(file);
}

const struct page_meta *
page_file_meta(const struct page_file *file)
{
	return &file->meta;
}

const struct page_meta *
page_file_previous(const struct page_file *file)
{
	return file->has_previous ? &file->previous : NULL;
}

uint64_t
page_file_bytes_read(const struct page_file *file)
{
	return file->bytes_read;
}

int
page_file_mark(
    struct page_file *file, uint64_t page, uint64_t count, const char *name)
{
	uint64_t end;

	if (page > file->meta.last_page ||
	    count > file->meta.last_page - page + 1) {
		finding(file->findings, "%s: page %llu is beyond the last page",
		    name, (unsigned long long)page);
		return -1;
	}
	for (end = page + count; page < end; page++) {
		if ((file->seen[page / 8] & 1 << page % 8) != 0) {
			finding(file->findings, "%s: page %llu is used twice",
			    name, (unsigned long long)page);
			return -1;
		}
		file->seen[page / 8] |= (uint8_t)(1 << page % 8);
		file->seen_pages++;
	}
	return 0;
}

uint64_t
page_file_lost_pages(const struct page_file *file)
{
	return file->meta.last_page + 1 - file->seen_pages;
}

unsigned int
page_node_count(const uint8_t *page)
{
	return (page_u16(page + 12) - PAGE_HEAD_SIZE) / 2U;
}

int
page_node_get(const uint8_t *page, uint32_t page_size, unsigned int index,
    struct page_node *node)
{
	uint32_t at = page_u16(page + PAGE_HEAD_SIZE + 2 * (size_t)index);
	const uint8_t *p = page + at;
	uint32_t key_size, value_size = 0;

	if (at < page_u16(page + 14) || at % 2 != 0 ||
	    at + PAGE_NODE_SIZE > page_size)
		return -1;
	key_size = page_u16(p + 6);
	node->flags = page_u16(p + 4);
	node->value_size = page_u32(p);
	node->value = NULL;
	if ((page_u16(page + 10) & PAGE_BRANCH) != 0) {
		node->child = page_u32(p) | (uint64_t)node->flags << 32;
	} else if ((node->flags & NODE_BIG) != 0) {
		value_size = 8;
	} else {
		value_size = node->value_size;
	}
	if (key_size > PAGE_MAX_KEY ||
	    value_size > page_size - at - PAGE_NODE_SIZE ||
	    key_size > page_size - at - PAGE_NODE_SIZE - value_size)
		return -1;
	node->key = text_make(p + PAGE_NODE_SIZE, key_size);
	p += PAGE_NODE_SIZE + key_size;
	if (value_size == 8 && (node->flags & NODE_BIG) != 0)
		node->child = page_u64(p);
	else
		node->value = p;
	return 0;
}

static bool
is_big(const struct page_node *node, bool is_leaf)
{
	return is_leaf && (node->flags & NODE_BIG) != 0;
}

/* The nodes fill the page from upper to its end, each byte once. */
static const char *
check_nodes(const uint8_t *page, uint32_t page_size, bool is_leaf)
{
	uint8_t used[PAGE_SIZE_MAX / 16] = { 0 };
	unsigned int i, count = page_node_count(page);
	uint32_t at, unit, end, total = 0;
	struct page_node node;

	for (i = 0; i < count; i++) {
		if (page_node_get(page, page_size, i, &node) != 0)
			return "has a node outside of it";
		if (is_leaf && (node.flags & ~(NODE_BIG | NODE_TREE)) != 0)
			return "has a node of unknown form";
		at = page_u16(page + PAGE_HEAD_SIZE + 2 * (size_t)i);
		end = PAGE_NODE_SIZE + (uint32_t)node.key.size;
		if (is_leaf)
			end += is_big(&node, true) ? 8 : node.value_size;
		end = at + ((end + 1) & ~1U);
		if (end > page_size)
			return "has a node outside of it";
		total += end - at;
		for (unit = at / 2; unit < end / 2; unit++) {
			if ((used[unit / 8] & 1 << unit % 8) != 0)
				return "has nodes that overlap";
			used[unit / 8] |= (uint8_t)(1 << unit % 8);
		}
	}
	if (total != page_size - page_u16(page + 14))
		return "has bytes that belong to no node";
	return NULL;
}

const char *
page_read(struct page_file *file, uint64_t number, bool is_leaf, uint8_t *page)
{
	uint32_t page_size = file->meta.page_size;
	uint16_t lower, upper;

	if (number < 2 || number > file->meta.last_page)
		return "is beyond the last page";
	if (page_file_read(file, number * page_size, page, page_size) != 0)
		return "is beyond the end of the file";
	if (page_u64(page) != number)
		return "carries another number";
	if (page_u16(page + 10) != (is_leaf ? PAGE_LEAF : PAGE_BRANCH))
		return "is of the wrong kind";
	lower = page_u16(page + 12);
	upper = page_u16(page + 14);
	if (lower <= PAGE_HEAD_SIZE || lower % 2 != 0 || lower > upper ||
	    upper > page_size)
		return "has impossible bounds";
	return check_nodes(page, page_size, is_leaf);
}

/*
 * Sequence sets (RFC 3501 "sequence-set"): message numbers or UIDs.
 */
#ifndef IMAPD_IMAP_SET_H
#define IMAPD_IMAP_SET_H

#include "common/buf.h"
#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IMAP_SET_STAR = 0 /* "*" until imap_set_resolve */
};

struct imap_range {
	uint32_t first;
	uint32_t last;
};

struct imap_set {
	size_t count;
	struct imap_range *ranges; /* in the pool that it was parsed into */
	bool is_saved; /* "$": what the last SEARCH saved (RFC 5182) */
};

/* The set at the start of `text`; `*size` says how long it was. 0, -1 if it is
 * none, -2 if it has more than `max_ranges`. */
int imap_set_parse(struct text text, size_t max_ranges, struct pool *pool,
    struct imap_set *set, size_t *size);

/* "*" becomes `maximum`; ranges are sorted and merged. */
void imap_set_resolve(struct imap_set *set, uint32_t maximum);

/* In a resolved set. */
bool imap_set_has(const struct imap_set *set, uint32_t number);
/* The first of its ranges that ends at `number` or above; its count if none. */
size_t imap_set_find(const struct imap_set *set, uint32_t number);
/* The largest number in it, 0 if it is empty. */
uint32_t imap_set_last(const struct imap_set *set);

/* "1:3,5" from ascending numbers; 0, or -1 if `to` is full. */
int imap_set_put(struct buf *to, const uint32_t *numbers, size_t count);
int imap_set_put_ranges(
    struct buf *to, const struct imap_range *ranges, size_t count);

#endif

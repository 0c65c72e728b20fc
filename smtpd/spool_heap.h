/*
 * A binary heap of things that have a time, the earliest first.  A node stands
 * in the thing it is of, and knows its place: adding, moving and removing take
 * the logarithm of how many there are.  Pure.
 */
#ifndef SMTPD_SPOOL_HEAP_H
#define SMTPD_SPOOL_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_heap_node {
	int64_t time;
	size_t place; /* from 1; 0: it is in no heap */
	void *owner;
};

struct spool_heap {
	struct spool_heap_node **nodes;
	size_t count;
	size_t capacity;
	uint64_t moves; /* of nodes, so far: what it cost */
};

void spool_heap_clear(struct spool_heap *heap);
/* Puts the node in, or moves it to another time. */
void spool_heap_set(
    struct spool_heap *heap, struct spool_heap_node *node, int64_t time);
/* Nothing happens if it is not in. */
void spool_heap_remove(struct spool_heap *heap, struct spool_heap_node *node);
/* NULL if there is none. */
struct spool_heap_node *spool_heap_first(const struct spool_heap *heap);

#endif

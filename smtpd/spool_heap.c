/* See spool_heap.h. */
#include "smtpd/spool_heap.h"

#include "common/memory.h"

void
spool_heap_clear(struct spool_heap *heap)
{
	memory_free(&heap->nodes);
	heap->count = heap->capacity = 0;
}

static void
place(struct spool_heap *heap, struct spool_heap_node *node, size_t at)
{
	heap->nodes[at - 1] = node;
	node->place = at;
	heap->moves++;
}

static void
sift_up(struct spool_heap *heap, struct spool_heap_node *node)
{
	size_t at = node->place;

	for (; at > 1 && heap->nodes[at / 2 - 1]->time > node->time; at /= 2)
		place(heap, heap->nodes[at / 2 - 1], at);
	place(heap, node, at);
}

static void
sift_down(struct spool_heap *heap, struct spool_heap_node *node)
{
	size_t at = node->place, child;

	while ((child = 2 * at) <= heap->count) {
		if (child < heap->count &&
		    heap->nodes[child]->time < heap->nodes[child - 1]->time)
			child++;
		if (heap->nodes[child - 1]->time >= node->time)
			break;
		place(heap, heap->nodes[child - 1], at);
		at = child;
	}
	place(heap, node, at);
}

void
spool_heap_set(
    struct spool_heap *heap, struct spool_heap_node *node, int64_t time)
{
	if (node->place == 0) {
		if (heap->count == heap->capacity) {
			heap->capacity = 2 * heap->capacity + 64;
			heap->nodes = memory_resize(heap->nodes, heap->capacity,
			    sizeof(heap->nodes[0]));
		}
		place(heap, node, ++heap->count);
	}
	node->time = time;
	sift_up(heap, node);
	sift_down(heap, node);
}

void
spool_heap_remove(struct spool_heap *heap, struct spool_heap_node *node)
{
	struct spool_heap_node *last;
	size_t at = node->place;

	if (at == 0)
		return;
	last = heap->nodes[--heap->count];
	node->place = 0;
	if (last == node)
		return;
	place(heap, last, at);
	sift_up(heap, last);
	sift_down(heap, last);
}

struct spool_heap_node *
spool_heap_first(const struct spool_heap *heap)
{
	return heap->count > 0 ? heap->nodes[0] : NULL;
}

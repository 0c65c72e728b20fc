/* See spool_ring.h. */
#include "smtpd/spool_ring.h"

#include <stddef.h>

void
spool_ring_add(struct spool_ring *ring, struct spool_link *link)
{
	if (ring->head == NULL) {
		link->next = link->before = ring->head = link;
		return;
	}
	link->next = ring->head;
	link->before = ring->head->before;
	link->before->next = link;
	ring->head->before = link;
}

void
spool_ring_remove(struct spool_ring *ring, struct spool_link *link)
{
	if (link->next == NULL)
		return;
	if (ring->head == link)
		ring->head = link->next == link ? NULL : link->next;
	link->next->before = link->before;
	link->before->next = link->next;
	link->next = link->before = NULL;
}

void
spool_ring_turn(struct spool_ring *ring)
{
	if (ring->head != NULL)
		ring->head = ring->head->next;
}

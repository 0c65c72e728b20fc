/*
 * Rings of things that take turns: a link stands in the thing it is of. Adding,
 * removing and turning take the same time however many there are.
 */
#ifndef SMTPD_SPOOL_RING_H
#define SMTPD_SPOOL_RING_H

struct spool_link {
	struct spool_link *next; /* NULL: it is in none */
	struct spool_link *before;
	void *owner;
};

struct spool_ring {
	struct spool_link *head; /* has its turn next; NULL: it is empty */
};

/* Behind all others. */
void spool_ring_add(struct spool_ring *ring, struct spool_link *link);
/* Nothing happens if it is not in. */
void spool_ring_remove(struct spool_ring *ring, struct spool_link *link);
/* The next one's turn. */
void spool_ring_turn(struct spool_ring *ring);

#endif

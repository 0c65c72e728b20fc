/*
 * What a batch is made of, for batch.c and batch_parts.c.
 */
#ifndef SNAPD_BATCH_STATE_H
#define SNAPD_BATCH_STATE_H

#include "snapd/batch.h"

struct part {
	struct part *next;
	uint8_t *body;
	size_t body_size;
	size_t size;
	uint8_t packet[];
};

struct batch {
	uint64_t counter;
	struct change_note note;
	struct part *first;
	struct part **last;
	uint64_t bytes;
	enum status spoiled;
	struct bulk *bulk; /* the caller's; NULL: none */
};

static inline unsigned int
part_type(const struct part *part)
{
	return part->packet[0] | (unsigned int)part->packet[1] << 8;
}

#endif

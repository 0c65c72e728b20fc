/* See rate_sketch.h. */
#include "common/rate_sketch.h"

#include "common/memory.h"
#include "common/table.h"

#include <string.h>

enum {
	ROWS = 4,
	COLUMN_BITS = 14, /* four of them fit into one hash */
	COLUMNS = 1 << COLUMN_BITS
};

struct rate_sketch {
	uint8_t key[16];
	/* ROWS of COLUMNS: worked off by then. NULL: nobody did anything. */
	int64_t *until_us;
};

struct rate_sketch *
rate_sketch_new(const uint8_t key[16])
{
	struct rate_sketch *sketch = memory_new(1, sizeof(*sketch));

	memcpy(sketch->key, key, sizeof(sketch->key));
	return sketch;
}

void
rate_sketch_free(struct rate_sketch **sketch)
{
	if (*sketch == NULL)
		return;
	memory_free(&(*sketch)->until_us);
	memory_free(sketch);
}

static uint64_t
hash(const struct rate_sketch *sketch, const void *who, size_t size)
{
	return table_siphash(sketch->key, who, size);
}

static size_t
cell(uint64_t hash, unsigned int row)
{
	return row * COLUMNS + (size_t)(hash >> row * COLUMN_BITS) % COLUMNS;
}

static int64_t
interval_us(struct rate rate)
{
	return (int64_t)rate.window_s * 1000000 / rate.most;
}

/* The least of his cells, and not in the past. */
static int64_t
worked_off(const struct rate_sketch *sketch, uint64_t hash, int64_t now_us)
{
	int64_t least_us = INT64_MAX;

	for (unsigned int row = 0; row < ROWS; row++) {
		int64_t until_us = sketch->until_us[cell(hash, row)];

		if (until_us < least_us)
			least_us = until_us;
	}
	return least_us > now_us ? least_us : now_us;
}

uint32_t
rate_sketch_count(const struct rate_sketch *sketch, const void *who,
    size_t size, struct rate rate, int64_t now_us)
{
	int64_t left_us, count;

	if (rate.most == 0 || sketch->until_us == NULL)
		return 0;
	left_us = worked_off(sketch, hash(sketch, who, size), now_us) - now_us;
	count = (left_us + interval_us(rate) - 1) / interval_us(rate);
	return count < rate.most ? (uint32_t)count : rate.most;
}

void
rate_sketch_add(struct rate_sketch *sketch, const void *who, size_t size,
    struct rate rate, int64_t now_us)
{
	uint64_t place;
	int64_t until_us, most_us;

	if (rate.most == 0)
		return;
	if (sketch->until_us == NULL)
		sketch->until_us =
		    memory_new(ROWS * COLUMNS, sizeof(sketch->until_us[0]));
	place = hash(sketch, who, size);
	until_us = worked_off(sketch, place, now_us) + interval_us(rate);
	most_us = now_us + rate.most * interval_us(rate);
	if (until_us > most_us)
		until_us = most_us;
	/* What others left there above it stays: it is not his. */
	for (unsigned int row = 0; row < ROWS; row++) {
		int64_t *his = &sketch->until_us[cell(place, row)];

		if (*his < until_us)
			*his = until_us;
	}
}

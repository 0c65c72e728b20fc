/* See spool_allowance.h. */
#include "smtpd/spool_allowance.h"

#include "common/codec.h"

#include <string.h>

enum {
	VERSION = 1,
	HOUR_S = 3600
};

/* Hours that came since are empty. A clock that was put back changes nothing:
 * what was sent counts on as of then. */
static void
advance(struct spool_allowance *allowance, int64_t hour)
{
	if (hour - allowance->hour >= ALLOWANCE_HOURS)
		memset(allowance->counts, 0, sizeof(allowance->counts));
	else
		for (int64_t h = allowance->hour + 1; h <= hour; h++)
			allowance->counts[h % ALLOWANCE_HOURS] = 0;
	if (hour > allowance->hour)
		allowance->hour = hour;
}

uint64_t
spool_allowance_used(const struct spool_allowance *allowance, int64_t now)
{
	struct spool_allowance today = *allowance;
	uint64_t used = 0;

	advance(&today, now / HOUR_S);
	for (int i = 0; i < ALLOWANCE_HOURS; i++)
		used += today.counts[i];
	return used;
}

void
spool_allowance_add(
    struct spool_allowance *allowance, int64_t now, uint32_t count)
{
	advance(allowance, now / HOUR_S);
	allowance->counts[allowance->hour % ALLOWANCE_HOURS] += count;
}

/* It was added in the hour of `then`, or in a later one where the clock went
 * back; what is older than a day counts no more. */
void
spool_allowance_give_back(
    struct spool_allowance *allowance, int64_t then, uint32_t count)
{
	int64_t hour = then / HOUR_S;
	uint32_t *counted = &allowance->counts[hour % ALLOWANCE_HOURS];

	if (hour > allowance->hour || hour <= allowance->hour - ALLOWANCE_HOURS)
		return;
	*counted -= count < *counted ? count : *counted;
}

size_t
spool_allowance_put(
    uint8_t to[ALLOWANCE_VALUE_SIZE], const struct spool_allowance *allowance)
{
	struct writer w;

	writer_init(&w, to, ALLOWANCE_VALUE_SIZE);
	writer_put_u8(&w, VERSION);
	writer_put_u64(&w, (uint64_t)allowance->hour);
	for (int i = 0; i < ALLOWANCE_HOURS; i++)
		writer_put_u32(&w, allowance->counts[i]);
	return w.size;
}

int
spool_allowance_get(struct text value, struct spool_allowance *allowance)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	if (reader_get_u8(&r) != VERSION)
		r.failed = true;
	allowance->hour = (int64_t)reader_get_u64(&r);
	for (int i = 0; i < ALLOWANCE_HOURS; i++)
		allowance->counts[i] = reader_get_u32(&r);
	if (allowance->hour < 0)
		r.failed = true;
	return reader_done(&r);
}

/*
 * Destinations, and the lines of senders at them: see spool_schedule.h.
 */
#include "common/memory.h"
#include "smtpd/spool_schedule_state.h"

#include <stdlib.h>
#include <string.h>

/* -- Destinations -- */

bool
schedule_is_paused(const struct destination *destination)
{
	return destination->pause.place != 0;
}

void
schedule_place_destination(
    struct schedule *schedule, struct destination *destination)
{
	bool is_ready = destination->lines.head != NULL &&
			destination->running < destination->window.size &&
			!schedule_is_paused(destination);
	struct spool_ring *ready =
	    is_ready ? &schedule->ready[destination->running] : NULL;

	if (destination->ready == ready)
		return;
	if (destination->ready != NULL)
		spool_ring_remove(destination->ready, &destination->link);
	if (ready != NULL)
		spool_ring_add(ready, &destination->link);
	destination->ready = ready;
}

/*
 * Those with the fewest connections go first.  Another one is had only by who
 * has less than a part of what is free: twenty that are slow leave room for the
 * next one, whom nobody knows, and the more there are the less each may have.
 */
struct destination *
schedule_next_destination(const struct schedule *schedule)
{
	size_t free_places = SCHEDULE_MAX_RUNNING - schedule->running;

	for (size_t has = 0; has < SPOOL_WINDOW_MAX; has++)
		if (schedule->ready[has].head != NULL)
			return has * SCHEDULE_SHARE < free_places
				   ? schedule->ready[has].head->owner
				   : NULL;
	return NULL;
}

struct destination *
schedule_get_destination(struct schedule *schedule, struct text domain)
{
	struct destination *destination =
	    table_find(schedule->destinations, domain.data, domain.size);

	if (destination != NULL)
		return destination;
	destination = memory_new(1, sizeof(*destination) + domain.size);
	destination->pause.owner = destination;
	destination->link.owner = destination;
	spool_window_init(&destination->window);
	destination->number = schedule->next_number++;
	destination->name_size = domain.size;
	memcpy(destination->name, domain.data, domain.size);
	table_put(
	    schedule->destinations, domain.data, domain.size, destination);
	return destination;
}

void
schedule_release_destination(
    struct schedule *schedule, struct destination *destination)
{
	if (destination->parcels > 0 || schedule_is_paused(destination))
		return;
	table_remove(
	    schedule->destinations, destination->name, destination->name_size);
	free(destination);
}

/* -- Lines -- */

static unsigned int
rank(const struct parcel *parcel)
{
	if (parcel->priority == 0)
		return 1;
	return parcel->priority > 0 ? 0 : 2;
}

static struct line *
get_line(struct schedule *schedule, struct destination *destination,
    uint32_t account)
{
	uint64_t key = (uint64_t)destination->number << 32 | account;
	struct line *line = table_find_u64(schedule->lines, key);

	if (line != NULL)
		return line;
	line = memory_new(1, sizeof(*line));
	line->key = key;
	line->link.owner = line;
	table_put_u64(schedule->lines, key, line);
	spool_ring_add(&destination->lines, &line->link);
	return line;
}

void
schedule_enter_line(struct schedule *schedule, struct parcel *parcel)
{
	struct destination *destination = parcel->destination;

	parcel->line = get_line(schedule, destination, parcel->account);
	spool_ring_add(&parcel->line->parcels[rank(parcel)], &parcel->link);
	schedule_place_destination(schedule, destination);
}

static bool
line_is_empty(const struct line *line)
{
	for (int i = 0; i < SCHEDULE_PRIORITIES; i++)
		if (line->parcels[i].head != NULL)
			return false;
	return true;
}

void
schedule_leave_line(struct schedule *schedule, struct parcel *parcel)
{
	struct line *line = parcel->line;

	if (line == NULL)
		return;
	spool_ring_remove(&line->parcels[rank(parcel)], &parcel->link);
	parcel->line = NULL;
	if (line_is_empty(line)) {
		spool_ring_remove(&parcel->destination->lines, &line->link);
		table_remove_u64(schedule->lines, line->key);
		free(line);
	}
	schedule_place_destination(schedule, parcel->destination);
}

struct parcel *
schedule_first_of(const struct line *line)
{
	int i = 0;

	while (line->parcels[i].head == NULL)
		i++;
	return line->parcels[i].head->owner;
}

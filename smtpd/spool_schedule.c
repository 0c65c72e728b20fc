/*
 * Parcels: see spool_schedule.h.
 */
#include "smtpd/spool_schedule.h"

#include "common/memory.h"
#include "smtpd/spool_schedule_state.h"

#include <stdlib.h>
#include <string.h>

enum {
	REFUSED_AGAIN_MS = 1000,
	DUTY_AGAIN_MS = 60000 /* an expiry that was not carried out */
};

/* -- Finding -- */

/* A message has at most as many parcels as recipients, which are fewer. */
static uint64_t
key_of(uint64_t message, uint16_t number)
{
	return message << 16 | number;
}

static struct parcel *
find(const struct schedule *schedule, uint64_t message, uint16_t number)
{
	return table_find_u64(schedule->parcels, key_of(message, number));
}

bool
schedule_is_running(
    const struct schedule *schedule, uint64_t message, uint16_t number)
{
	const struct parcel *parcel = find(schedule, message, number);

	return parcel != NULL && parcel->is_running;
}

size_t
schedule_count(const struct schedule *schedule)
{
	return table_count(schedule->parcels);
}

size_t
schedule_running(const struct schedule *schedule)
{
	return schedule->running;
}

uint64_t
schedule_steps(const struct schedule *schedule)
{
	return schedule->steps + schedule->waiting.moves +
	       schedule->duties.moves + schedule->paused.moves;
}

/* -- Times -- */

int64_t
schedule_next_try(const struct schedule *schedule, uint64_t message,
    uint16_t number, unsigned int tries, int64_t now)
{
	const struct schedule_settings *settings = &schedule->settings;
	uint64_t noise =
	    spool_noise(settings->seed + key_of(message, number) * 64 + tries);

	return now + spool_delay_ms(settings->retry_s, settings->retry_most_s,
			 tries > 0 ? tries - 1 : 0, noise);
}

static void
pause_destination(
    struct schedule *schedule, struct destination *destination, int64_t now)
{
	const struct schedule_settings *settings = &schedule->settings;
	uint64_t noise = spool_noise(
	    settings->seed + (uint64_t)now + (uint64_t)destination->name_size);

	spool_heap_set(&schedule->paused, &destination->pause,
	    now + spool_delay_ms(settings->retry_s, settings->probe_most_s,
		      destination->window.pauses - 1, noise));
}

static void
note_trouble(
    struct schedule *schedule, struct destination *destination, int64_t now)
{
	/* What was under way when it was left alone says nothing new. */
	if (!schedule_is_paused(destination) &&
	    spool_window_trouble(&destination->window))
		pause_destination(schedule, destination, now);
}

/* -- Parcels -- */

/* Where it waits: in its line, or until its time. */
static void
place_parcel(
    struct schedule *schedule, struct parcel *parcel, int64_t next, int64_t now)
{
	if (parcel->is_held)
		return;
	if (next <= now)
		schedule_enter_line(schedule, parcel);
	else
		spool_heap_set(&schedule->waiting, &parcel->due, next);
}

static int64_t
expires_at(const struct schedule *schedule, const struct parcel *parcel)
{
	int64_t time =
	    parcel->time + 1000 * (int64_t)schedule->settings.expire_s;

	return parcel->is_returned && parcel->deliver_by < time
		   ? parcel->deliver_by
		   : time;
}

static int64_t
late_at(const struct schedule *schedule, const struct parcel *parcel)
{
	int64_t time =
	    parcel->time + 1000 * (int64_t)schedule->settings.notice_s;

	return !parcel->is_returned && parcel->deliver_by < time
		   ? parcel->deliver_by
		   : time;
}

static void
place_duty(struct schedule *schedule, struct parcel *parcel)
{
	int64_t time = expires_at(schedule, parcel);

	if (!parcel->is_noticed && late_at(schedule, parcel) < time)
		time = late_at(schedule, parcel);
	if (parcel->is_held)
		spool_heap_remove(&schedule->duties, &parcel->duty);
	else
		spool_heap_set(&schedule->duties, &parcel->duty, time);
}

void
schedule_add(
    struct schedule *schedule, const struct schedule_parcel *given, int64_t now)
{
	struct parcel *parcel;

	if (find(schedule, given->message, given->number) != NULL)
		return;
	parcel = memory_new(1, sizeof(*parcel));
	parcel->due.owner = parcel->duty.owner = parcel->link.owner = parcel;
	parcel->message = given->message;
	parcel->number = given->number;
	parcel->tries = given->tries;
	parcel->priority = given->priority;
	parcel->is_held = given->is_held;
	parcel->is_noticed = given->is_noticed;
	parcel->account = given->account;
	parcel->time = given->time;
	parcel->deliver_by =
	    given->deliver_by != 0 ? given->deliver_by : INT64_MAX;
	parcel->is_returned = given->is_returned;
	parcel->destination = schedule_get_destination(schedule, given->domain);
	parcel->destination->parcels++;
	table_put_u64(
	    schedule->parcels, key_of(parcel->message, parcel->number), parcel);
	place_parcel(schedule, parcel, given->next, now);
	place_duty(schedule, parcel);
}

static void
parcel_free(struct schedule *schedule, struct parcel *parcel)
{
	struct destination *destination = parcel->destination;

	schedule_leave_line(schedule, parcel);
	spool_heap_remove(&schedule->waiting, &parcel->due);
	spool_heap_remove(&schedule->duties, &parcel->duty);
	table_remove_u64(
	    schedule->parcels, key_of(parcel->message, parcel->number));
	destination->parcels--;
	free(parcel);
	schedule_place_destination(schedule, destination);
	schedule_release_destination(schedule, destination);
}

void
schedule_remove(struct schedule *schedule, uint64_t message, uint16_t number)
{
	struct parcel *parcel = find(schedule, message, number);

	if (parcel != NULL && !parcel->is_running)
		parcel_free(schedule, parcel);
}

/* -- Turns -- */

/* Parcels and destinations whose time has come. */
static void
advance(struct schedule *schedule, int64_t now)
{
	struct spool_heap_node *node;
	struct destination *destination;
	struct parcel *parcel;

	while ((node = spool_heap_first(&schedule->waiting)) != NULL &&
	       node->time <= now) {
		parcel = node->owner;
		spool_heap_remove(&schedule->waiting, node);
		schedule_enter_line(schedule, parcel);
	}
	while ((node = spool_heap_first(&schedule->paused)) != NULL &&
	       node->time <= now) {
		destination = node->owner;
		spool_heap_remove(&schedule->paused, node);
		schedule_place_destination(schedule, destination);
		schedule_release_destination(schedule, destination);
	}
}

bool
schedule_take(
    struct schedule *schedule, int64_t now, uint64_t *message, uint16_t *number)
{
	struct destination *destination;
	struct parcel *parcel;

	advance(schedule, now);
	destination = schedule_next_destination(schedule);
	if (destination == NULL || now < schedule->refused_until)
		return false;
	schedule->steps++;
	parcel = schedule_first_of(destination->lines.head->owner);
	spool_ring_turn(&destination->lines);
	parcel->is_running = true;
	destination->running++;
	schedule->running++;
	schedule_leave_line(schedule, parcel);
	*message = parcel->message;
	*number = parcel->number;
	return true;
}

/* How long until a parcel that was not tried is. */
static int64_t
returned_until(struct schedule *schedule, struct parcel *parcel,
    enum schedule_result result, int64_t now)
{
	if (result == SCHEDULE_REFUSED) {
		schedule->refused_until = now + REFUSED_AGAIN_MS;
		return now;
	}
	if (++parcel->returns < SCHEDULE_MAX_RETURNS)
		return now;
	/* Perhaps it is what kills him. */
	parcel->returns = 0;
	return schedule_next_try(schedule, parcel->message, parcel->number,
	    (unsigned int)parcel->tries + 1, now);
}

void
schedule_done(struct schedule *schedule, uint64_t message, uint16_t number,
    enum schedule_result result, int64_t now)
{
	struct parcel *parcel = find(schedule, message, number);
	int64_t next = now;

	if (parcel == NULL || !parcel->is_running)
		return;
	parcel->is_running = false;
	parcel->destination->running--;
	schedule->running--;
	if (result == SCHEDULE_TROUBLE)
		note_trouble(schedule, parcel->destination, now);
	else if (result == SCHEDULE_OVER || result == SCHEDULE_AGAIN)
		spool_window_success(&parcel->destination->window);
	if (result == SCHEDULE_OVER) {
		parcel_free(schedule, parcel);
		return;
	}
	if (result == SCHEDULE_AGAIN || result == SCHEDULE_TROUBLE)
		next = schedule_next_try(
		    schedule, message, number, ++parcel->tries, now);
	else
		next = returned_until(schedule, parcel, result, now);
	place_parcel(schedule, parcel, next, now);
	place_duty(schedule, parcel); /* what came due meanwhile */
	schedule_place_destination(schedule, parcel->destination);
}

/* -- Duties -- */

static bool
is_old(
    const struct schedule *schedule, const struct parcel *parcel, int64_t now)
{
	return now >= expires_at(schedule, parcel);
}

enum schedule_duty
schedule_duty(
    struct schedule *schedule, int64_t now, uint64_t *message, uint16_t *number)
{
	struct spool_heap_node *node;
	struct parcel *parcel;

	while ((node = spool_heap_first(&schedule->duties)) != NULL &&
	       node->time <= now) {
		parcel = node->owner;
		schedule->steps++;
		if (parcel->is_running || is_old(schedule, parcel, now))
			spool_heap_set(
			    &schedule->duties, node, now + DUTY_AGAIN_MS);
		if (parcel->is_running)
			continue;
		*message = parcel->message;
		*number = parcel->number;
		if (is_old(schedule, parcel, now))
			return SCHEDULE_EXPIRE;
		parcel->is_noticed = true;
		place_duty(schedule, parcel);
		return SCHEDULE_NOTICE;
	}
	return SCHEDULE_NONE;
}

static void
wake_for(const struct spool_heap *heap, int64_t *wake)
{
	const struct spool_heap_node *node = spool_heap_first(heap);

	if (node != NULL && node->time < *wake)
		*wake = node->time;
}

int64_t
schedule_wake(const struct schedule *schedule, bool is_sending)
{
	int64_t wake = INT64_MAX;

	wake_for(&schedule->duties, &wake);
	if (!is_sending)
		return wake;
	wake_for(&schedule->waiting, &wake);
	wake_for(&schedule->paused, &wake);
	if (schedule_next_destination(schedule) != NULL &&
	    schedule->refused_until < wake)
		wake = schedule->refused_until;
	return wake;
}

/* -- What the administrator wants -- */

void
schedule_hold(struct schedule *schedule, uint64_t message, uint16_t number,
    bool is_held, int64_t next, int64_t now)
{
	struct parcel *parcel = find(schedule, message, number);

	if (parcel == NULL || parcel->is_held == is_held)
		return;
	parcel->is_held = is_held;
	place_duty(schedule, parcel);
	if (is_held) {
		schedule_leave_line(schedule, parcel);
		spool_heap_remove(&schedule->waiting, &parcel->due);
	} else if (!parcel->is_running) {
		place_parcel(schedule, parcel, next, now);
	}
}

void
schedule_flush(
    struct schedule *schedule, uint64_t message, uint16_t number, int64_t now)
{
	struct parcel *parcel = find(schedule, message, number);

	if (parcel == NULL)
		return;
	spool_heap_remove(&schedule->paused, &parcel->destination->pause);
	if (parcel->due.place != 0) {
		spool_heap_remove(&schedule->waiting, &parcel->due);
		place_parcel(schedule, parcel, now, now);
	}
	schedule_place_destination(schedule, parcel->destination);
}

bool
schedule_destination(const struct schedule *schedule, struct text domain,
    struct schedule_destination *to)
{
	const struct destination *destination =
	    table_find(schedule->destinations, domain.data, domain.size);

	if (destination == NULL)
		return false;
	to->parcels = destination->parcels;
	to->running = destination->running;
	to->window = destination->window.size;
	to->failures = destination->window.failures;
	to->until =
	    schedule_is_paused(destination) ? destination->pause.time : 0;
	return true;
}

/* -- All together -- */

struct schedule *
schedule_new(const struct schedule_settings *settings)
{
	struct schedule *schedule = memory_new(1, sizeof(*schedule));

	schedule->settings = *settings;
	schedule->parcels = table_new();
	schedule->destinations = table_new();
	schedule->lines = table_new();
	return schedule;
}

void
schedule_configure(
    struct schedule *schedule, const struct schedule_settings *settings)
{
	size_t position = 0;
	void *value;

	schedule->settings = *settings;
	while (table_next(schedule->parcels, &position, NULL, NULL, &value))
		place_duty(schedule, value);
}

void
schedule_free(struct schedule **pointer)
{
	struct schedule *schedule = *pointer;
	struct spool_heap_node *node;
	size_t position = 0;
	void *value;

	if (schedule == NULL)
		return;
	while ((node = spool_heap_first(&schedule->paused)) != NULL)
		spool_heap_remove(&schedule->paused, node);
	while (table_next(schedule->parcels, &position, NULL, NULL, &value))
		parcel_free(schedule, value);
	position = 0;
	while (
	    table_next(schedule->destinations, &position, NULL, NULL, &value))
		free(value);
	table_free(&schedule->parcels);
	table_free(&schedule->destinations);
	table_free(&schedule->lines);
	spool_heap_clear(&schedule->waiting);
	spool_heap_clear(&schedule->duties);
	spool_heap_clear(&schedule->paused);
	memory_free(pointer);
}

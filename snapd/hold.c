/* See hold.h. */
#include "snapd/hold.h"

#include "common/codec.h"
#include "common/memory.h"

#include <stdlib.h>

enum {
	MAX_VALUE = 54 + 8 + CONTROL_MAX_NAME + MARK_MAX_WHY
};

int
hold_put(struct transaction *transaction, const struct hold *hold,
    struct error *error)
{
	struct key key = { .size = 0 };
	uint8_t data[MAX_VALUE];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u8(&w, (uint8_t)hold->pin.kind);
	writer_put_u64(&w, hold->pin.sequence);
	writer_put_u64(&w, hold->pin.from);
	writer_put_u32(&w, hold->pin.account);
	writer_put_u64(&w, hold->pin.mailbox);
	writer_put_u32(&w, hold->pin.uid);
	writer_put_u64(&w, hold->wall_us);
	writer_put_u64(&w, hold->pin.until_us);
	writer_put_text(&w, hold->tag, CONTROL_MAX_NAME);
	writer_put_text(&w, hold->why, MARK_MAX_WHY);
	if (w.failed)
		return error_set(
		    error, ERROR_LIMIT, "a tag or a text is too long");
	key_put_u64(&key, hold->number);
	return store_put(
	    transaction, DB_HOLD, &key, text_make(data, w.size), error);
}

int
hold_decode(
    struct text key, struct text value, struct hold *hold, struct error *error)
{
	struct reader r;
	uint8_t kind;

	hold->number = key_u64_at(key, 0);
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	kind = reader_get_u8(&r);
	hold->pin.kind = (enum retention_pin_kind)kind;
	hold->pin.sequence = reader_get_u64(&r);
	hold->pin.from = reader_get_u64(&r);
	hold->pin.account = reader_get_u32(&r);
	hold->pin.mailbox = reader_get_u64(&r);
	hold->pin.uid = reader_get_u32(&r);
	hold->wall_us = reader_get_u64(&r);
	hold->pin.until_us = reader_get_u64(&r);
	hold->tag = reader_get_text(&r, CONTROL_MAX_NAME);
	hold->why = reader_get_text(&r, MARK_MAX_WHY);
	return reader_done(&r) == 0 && (kind == PIN_HOLD || kind == PIN_ALARM)
		   ? 0
		   : error_set(error, ERROR_DAMAGED, "store: malformed hold");
}

/* -- What keeps something -- */

static void
add(struct pins *pins, const struct retention_pin *pin, uint64_t now_us)
{
	if (pin->until_us <= now_us)
		return;
	if (pins->count == pins->room) {
		pins->room = pins->room * 2 + 64;
		pins->pins =
		    memory_resize(pins->pins, pins->room, sizeof(*pins->pins));
	}
	pins->pins[pins->count++] = *pin;
	if (pin->from > 0 && pin->sequence - pin->from > pins->width)
		pins->width = pin->sequence - pin->from;
}

uint64_t
pins_mark_until(const struct mark *mark, uint64_t now_us, uint64_t longest_s)
{
	/* One of before marks had a guard clock is as young as can be. */
	return (mark->guard_us == 0 ? now_us : mark->guard_us) +
	       longest_s * 1000000;
}

static int
add_mark(struct pins *pins, struct text key, struct text value, uint64_t now_us,
    uint64_t longest_s, struct error *error)
{
	struct retention_pin pin = { .sequence = key_u64_at(key, 0),
		.account = key_u32_at(key, 8),
		.kind = PIN_MARK };
	struct mark mark;

	if (mark_decode(value, &mark) != 0)
		return error_set(error, ERROR_DAMAGED, "store: malformed mark");
	pin.until_us = pins_mark_until(&mark, now_us, longest_s);
	add(pins, &pin, now_us);
	return 0;
}

static int
add_all(struct pins *pins, struct transaction *transaction,
    enum database database, uint64_t now_us, uint64_t longest_s,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	struct hold hold;
	int got, result = 0;

	cursor = cursor_open(transaction, database, &from, error);
	if (cursor == NULL)
		return -1;
	while (result == 0 &&
	       (got = cursor_next(cursor, &key, &value, error)) != 0) {
		if (got < 0) {
			result = -1;
		} else if (database == DB_MARK) {
			result = add_mark(
			    pins, key, value, now_us, longest_s, error);
		} else {
			result = hold_decode(key, value, &hold, error);
			if (result == 0)
				add(pins, &hold.pin, now_us);
		}
	}
	cursor_close(&cursor);
	return result;
}

static int
compare(const void *a, const void *b)
{
	const struct retention_pin *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void
sort(struct pins *pins)
{
	if (pins->count > 1)
		qsort(pins->pins, pins->count, sizeof(*pins->pins), compare);
}

int
pins_load(struct pins *pins, struct transaction *transaction, uint64_t now_us,
    uint64_t longest_s, struct error *error)
{
	pins->count = 0;
	pins->width = 0;
	if (add_all(pins, transaction, DB_MARK, now_us, longest_s, error) !=
		0 ||
	    add_all(pins, transaction, DB_HOLD, now_us, longest_s, error) != 0)
		return -1;
	sort(pins);
	return 0;
}

int
pins_load_holds(struct pins *pins, struct transaction *transaction,
    uint64_t now_us, struct error *error)
{
	pins->count = 0;
	pins->width = 0;
	if (add_all(pins, transaction, DB_HOLD, now_us, 0, error) != 0)
		return -1;
	sort(pins);
	return 0;
}

void
pins_clear(struct pins *pins)
{
	free(pins->pins);
	*pins = (struct pins){ 0 };
}

bool
pins_have(const struct pins *pins, uint64_t sequence)
{
	struct retention_pin wanted = { .sequence = sequence };

	return pins->count > 0 && bsearch(&wanted, pins->pins, pins->count,
				      sizeof(wanted), compare) != NULL;
}

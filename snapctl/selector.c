/* See selector.h. */
#include "snapctl/selector.h"

#include <string.h>
#include <time.h>

enum {
	DATE_SIZE = 10 /* YYYY-MM-DD */
};

/* Digits of a fixed-width field, or -1. */
static int
two_digits(struct text text, size_t at, size_t size)
{
	int value = 0;

	if (at + size > text.size)
		return -1;
	for (size_t i = at; i < at + size; i++) {
		if (!text_is_digit(text.data[i]))
			return -1;
		value = value * 10 + text.data[i] - '0';
	}
	return value;
}

static bool
is_date(struct text text)
{
	return two_digits(text, 0, 4) != -1 && two_digits(text, 5, 2) != -1 &&
	       two_digits(text, 8, 2) != -1 && text.data[4] == '-' &&
	       text.data[7] == '-';
}

/* Bytes of `text` that are a date, with its time if there is one. */
static size_t
date_size(struct text text)
{
	size_t size = DATE_SIZE;

	if (size < text.size && text.data[size] == 'T' &&
	    two_digits(text, size + 1, 2) != -1) {
		size += 3;
		while (size + 2 < text.size && text.data[size] == ':' &&
		       size < DATE_SIZE + 9 &&
		       two_digits(text, size + 1, 2) != -1)
			size += 3;
	}
	return size;
}

static int
parse_date(struct text text, struct point *point, struct error *error)
{
	struct tm tm = { .tm_year = two_digits(text, 0, 4) - 1900,
		.tm_mon = two_digits(text, 5, 2) - 1,
		.tm_mday = two_digits(text, 8, 2),
		.tm_isdst = -1 };
	struct tm given;
	time_t seconds;

	if (text.size >= DATE_SIZE + 3)
		tm.tm_hour = two_digits(text, DATE_SIZE + 1, 2);
	if (text.size >= DATE_SIZE + 6)
		tm.tm_min = two_digits(text, DATE_SIZE + 4, 2);
	if (text.size >= DATE_SIZE + 9)
		tm.tm_sec = two_digits(text, DATE_SIZE + 7, 2);
	given = tm;
	seconds = mktime(&tm);
	if (seconds == -1 || tm.tm_mday != given.tm_mday ||
	    tm.tm_mon != given.tm_mon || given.tm_hour > 23 ||
	    given.tm_min > 59 || given.tm_sec > 59 ||
	    text.size != date_size(text))
		return error_set(error, ERROR_INPUT,
		    "\"%.*s\" is not a date (2026-11-22 or 2026-11-22T14:00)",
		    TEXT_FMT(text));
	point->kind = POINT_TIME;
	point->time = seconds;
	return 0;
}

/* -3d: so long ago. */
static int
parse_age(
    struct text text, int64_t now, struct point *point, struct error *error)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 7 * 86400 }, { 'y', 365 * 86400 } };
	uint64_t count;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text.data[text.size - 1] != units[i].letter ||
		    text_parse_number(text_make(text.data + 1, text.size - 2),
			(uint64_t)(now / units[i].seconds), &count) == -1)
			continue;
		point->kind = POINT_TIME;
		point->time = now - (int64_t)count * units[i].seconds;
		return 0;
	}
	return error_set(error, ERROR_INPUT,
	    "\"%.*s\" is not an age (-15m, -3h, -3d, -2w)", TEXT_FMT(text));
}

static int
parse_event(struct text text, struct point *point, struct error *error)
{
	uint64_t number;

	if (text_parse_number(text, INT64_MAX, &number) != 0)
		return error_set(error, ERROR_INPUT,
		    "\"@%.*s\" is not the number of an event", TEXT_FMT(text));
	point->kind = POINT_EVENT;
	point->time = (int64_t)number;
	return 0;
}

int
point_parse(
    struct text text, int64_t now, struct point *point, struct error *error)
{
	memset(point, 0, sizeof(*point));
	if (text.size == 0)
		return error_set(error, ERROR_INPUT, "a snapshot is missing");
	if (text_is(text, "latest")) {
		point->kind = POINT_LATEST;
		return 0;
	}
	if (text_is(text, "live")) {
		point->kind = POINT_NOW;
		return 0;
	}
	if (text.data[0] == '-' && text.size >= 3)
		return parse_age(text, now, point, error);
	if (is_date(text))
		return parse_date(text, point, error);
	if (text.data[0] == '@')
		return parse_event(text_skip(text, 1), point, error);
	if (text.size > CONTROL_MAX_NAME)
		return error_set(error, ERROR_INPUT,
		    "a snapshot's name has at most %d bytes", CONTROL_MAX_NAME);
	point->kind = POINT_NAMED;
	point->name = text;
	return 0;
}

void
point_fill(
    const struct point *point, uint8_t *kind, int64_t *time, struct text *name)
{
	*kind = (uint8_t)point->kind;
	*time = point->time;
	*name = point->name;
}

int
account_parse(struct text text, const struct account_table *accounts,
    uint32_t *account, struct error *error)
{
	const struct account *found;
	uint64_t number;

	if (text_is(text, "0") || text_is(text, "config")) {
		*account = ACCOUNT_SERVICE;
		return 0;
	}
	if (text_parse_number(text, UINT32_MAX, &number) == 0 && number > 0) {
		*account = (uint32_t)number;
		return 0;
	}
	found = accounts == NULL ? NULL : account_find_address(accounts, text);
	if (found == NULL)
		return error_set(error, ERROR_MISSING, "no account \"%.*s\"",
		    TEXT_FMT(text));
	*account = found->number;
	return 0;
}

static int
parse_message(struct text text, struct selector *selector, struct error *error)
{
	uint64_t uid;

	if (text_starts_nocase(text, "UID=") &&
	    text_parse_number(text_skip(text, 4), UINT32_MAX, &uid) == 0 &&
	    uid > 0) {
		selector->uid = (uint32_t)uid;
		return 0;
	}
	if (text_starts_nocase(text, "id=") && text.size > 3 &&
	    text.size - 3 <= CONTROL_MAX_TEXT) {
		selector->message_id = text_skip(text, 3);
		return 0;
	}
	return error_set(error, ERROR_INPUT,
	    "\"%.*s\" is neither UID=n nor id=<message-id>", TEXT_FMT(text));
}

static int
parse_mailbox(struct text text, struct selector *selector, struct error *error)
{
	ptrdiff_t end = text_find_byte(text, ';');

	if (end != -1 && parse_message(text_skip(text, (size_t)end + 1),
			     selector, error) == -1)
		return -1;
	selector->mailbox =
	    end == -1 ? text : text_make(text.data, (size_t)end);
	if (selector->mailbox.size > RECORD_MAX_NAME_SIZE)
		return error_set(error, ERROR_INPUT,
		    "a mailbox name has at most %d bytes",
		    RECORD_MAX_NAME_SIZE);
	return 0;
}

/* Where the SNAP of a SEL ends; a date may hold colons of its own. */
static size_t
point_size(struct text text)
{
	size_t start = is_date(text) ? date_size(text) : 0;
	ptrdiff_t end = text_find_byte(text_skip(text, start), ':');

	return end == -1 ? text.size : start + (size_t)end;
}

int
selector_parse(struct text text, const struct account_table *accounts,
    int64_t now, struct selector *selector, struct error *error)
{
	size_t size = point_size(text);
	struct text rest = text_skip(text, size);
	struct text account;
	ptrdiff_t slash;

	memset(selector, 0, sizeof(*selector));
	if (point_parse(
		text_make(text.data, size), now, &selector->point, error) == -1)
		return -1;
	if (rest.size == 0)
		return 0;
	account = text_skip(rest, 1);
	slash = text_find_byte(account, '/');
	if (slash != -1) {
		if (parse_mailbox(text_skip(account, (size_t)slash + 1),
			selector, error) == -1)
			return -1;
		account.size = (size_t)slash;
	}
	return account_parse(account, accounts, &selector->account, error);
}

/* See timestamp.h. */
#include "common/timestamp.h"

#include <stdbool.h>
#include <time.h>

/* `digits` of them, at most `most`; then what stands behind. */
static bool
take_number(struct text *rest, size_t digits, uint64_t most, int *to)
{
	uint64_t number;

	if (rest->size < digits ||
	    text_parse_number(text_make(rest->data, digits), most, &number) ==
		-1)
		return false;
	*to = (int)number;
	*rest = text_skip(*rest, digits);
	return true;
}

static bool
take_byte(struct text *rest, char byte)
{
	if (rest->size == 0 || rest->data[0] != byte)
		return false;
	*rest = text_skip(*rest, 1);
	return true;
}

static bool
take_fraction(struct text *rest)
{
	size_t digits = 0;

	if (!take_byte(rest, '.'))
		return true;
	while (digits < rest->size && text_is_digit(rest->data[digits]))
		digits++;
	*rest = text_skip(*rest, digits);
	return digits > 0;
}

/* Seconds east. */
static bool
take_zone(struct text *rest, int *offset)
{
	int hours, minutes, sign;

	*offset = 0;
	if (take_byte(rest, 'Z') || take_byte(rest, 'z'))
		return true;
	sign = take_byte(rest, '+') ? 1 : take_byte(rest, '-') ? -1 : 0;
	if (sign == 0 || !take_number(rest, 2, 23, &hours) ||
	    !take_byte(rest, ':') || !take_number(rest, 2, 59, &minutes))
		return false;
	*offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

int
timestamp_parse(struct text value, int64_t *time)
{
	struct tm tm = { .tm_isdst = 0 }, day;
	int offset;

	if (!take_number(&value, 4, 9999, &tm.tm_year) ||
	    !take_byte(&value, '-') ||
	    !take_number(&value, 2, 12, &tm.tm_mon) ||
	    !take_byte(&value, '-') ||
	    !take_number(&value, 2, 31, &tm.tm_mday) ||
	    !(take_byte(&value, 'T') || take_byte(&value, 't')) ||
	    !take_number(&value, 2, 23, &tm.tm_hour) ||
	    !take_byte(&value, ':') ||
	    !take_number(&value, 2, 59, &tm.tm_min) ||
	    !take_byte(&value, ':') ||
	    !take_number(&value, 2, 60, &tm.tm_sec) || !take_fraction(&value) ||
	    !take_zone(&value, &offset) || value.size > 0 || tm.tm_mon == 0 ||
	    tm.tm_mday == 0 || tm.tm_year < 1970)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	day = tm;
	*time = (int64_t)timegm(&day) - offset;
	/* A 31st that there is not would be a 1st. */
	return day.tm_mon == tm.tm_mon || tm.tm_sec == 60 ? 0 : -1;
}

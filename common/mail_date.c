/*
 * See mail_date.h.  Days are counted with the proleptic Gregorian calendar;
 * no clock and no time zone of the host is looked at.
 */
#include "common/mail_date.h"

#include "common/mail_token.h"

#include <stdio.h>
#include <string.h>

static const char *const months[12] = { "Jan", "Feb", "Mar", "Apr", "May",
	"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const week_days[7] = { "Sun", "Mon", "Tue", "Wed", "Thu",
	"Fri", "Sat" };

static const struct {
	const char *name;
	int hours;
} zones[] = { { "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 },
	{ "MST", -7 }, { "MDT", -6 }, { "PST", -8 }, { "PDT", -7 } };

struct civil {
	int year, month, day, hour, minute, second; /* month 1-12 */
};

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
month_days(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of January of `year` (1 to 10000). */
static int64_t
days_to_year(int year)
{
	int64_t before = year - 1;

	return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

static int
civil_time(const struct civil *c, int64_t *time)
{
	int64_t days;

	if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12 ||
	    c->day < 1 || c->day > month_days(c->year, c->month) ||
	    c->hour > 23 || c->minute > 59 || c->second > 60)
		return -1;
	days = days_to_year(c->year) + c->day - 1;
	for (int month = 1; month < c->month; month++)
		days += month_days(c->year, month);
	*time = ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
	return 0;
}

/* Years 1 to 9999; what lies outside is moved to the nearest second. */
static void
civil_of(int64_t time, struct civil *c, int *week_day)
{
	const int64_t lowest = days_to_year(1) * 86400;
	const int64_t highest = days_to_year(10000) * 86400 - 1;
	int64_t days, seconds;

	time = time < lowest ? lowest : time > highest ? highest : time;
	days = time / 86400 - (time % 86400 < 0);
	seconds = time - days * 86400;
	*week_day = (int)(((days + 4) % 7 + 7) % 7);
	c->year = (int)(1970 + days / 366);
	if (days < 0)
		c->year = (int)(1969 + days / 365);
	if (c->year < 1)
		c->year = 1;
	while (c->year > 1 && days_to_year(c->year) > days)
		c->year--;
	while (days_to_year(c->year + 1) <= days)
		c->year++;
	days -= days_to_year(c->year);
	for (c->month = 1; days >= month_days(c->year, c->month); c->month++)
		days -= month_days(c->year, c->month);
	c->day = (int)days + 1;
	c->hour = (int)(seconds / 3600);
	c->minute = (int)(seconds / 60 % 60);
	c->second = (int)(seconds % 60);
}

/* "February" and "Sept" are what they begin with. */
static int
find_month(struct text name)
{
	if (name.size > 3)
		name.size = 3;
	for (int i = 0; i < 12; i++)
		if (text_is_nocase(name, months[i]))
			return i + 1;
	return 0;
}

/* One to `max_digits` digits. */
static int
get_number(struct mail_tokens *t, int min_digits, int max_digits, int *value)
{
	int digits = 0;

	*value = 0;
	while (t->next < t->end && text_is_digit(*t->next)) {
		if (++digits > max_digits)
			return -1;
		*value = *value * 10 + (*t->next++ - '0');
	}
	return digits < min_digits ? -1 : 0;
}

static struct text
get_letters(struct mail_tokens *t)
{
	const char *start = t->next;

	while (t->next < t->end && text_lower_byte(*t->next) >= 'a' &&
	       text_lower_byte(*t->next) <= 'z')
		t->next++;
	return text_make(start, (size_t)(t->next - start));
}

static void
skip(struct mail_tokens *t)
{
	(void)mail_tokens_skip_space(t);
}

static bool
take_byte(struct mail_tokens *t, char c)
{
	if (!mail_tokens_at(t, c))
		return false;
	t->next++;
	return true;
}

/* +hhmm, or +hh:mm if that may be; 0 or -1. */
static int
get_offset(struct mail_tokens *t, bool may_have_colon, int *zone)
{
	bool is_negative = mail_tokens_at(t, '-');
	int value, minutes;

	if (!is_negative && !mail_tokens_at(t, '+'))
		return -1;
	t->next++;
	if (may_have_colon && t->end - t->next > 2 && t->next[2] == ':') {
		if (get_number(t, 2, 2, &value) < 0 || !take_byte(t, ':') ||
		    get_number(t, 2, 2, &minutes) < 0)
			return -1;
		value = value * 100 + minutes;
	} else if (get_number(t, 4, 4, &value) < 0) {
		return -1;
	}
	if (value % 100 > 59)
		return -1;
	*zone = value / 100 * 60 + value % 100;
	if (is_negative)
		*zone = -*zone;
	return 0;
}

/* Names that nobody agrees on count as UTC (RFC 5322 4.3), and so does what is
 * no zone (RFC 5256 2.2). */
static int
get_zone(struct mail_tokens *t)
{
	struct text name;
	int zone;

	if (get_offset(t, true, &zone) == 0)
		return zone;
	name = get_letters(t);
	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
		if (text_is_nocase(name, zones[i].name))
			return zones[i].hours * 60;
	return 0;
}

static int
get_day(struct mail_tokens *t, struct civil *c)
{
	const char *start;

	skip(t);
	if (get_letters(t).size > 0) {
		skip(t);
		(void)take_byte(t, ',');
	}
	skip(t);
	if (get_number(t, 1, 2, &c->day) < 0)
		return -1;
	skip(t);
	(void)take_byte(t, '-');
	c->month = find_month(get_letters(t));
	skip(t);
	(void)take_byte(t, '-');
	start = t->next;
	if (c->month == 0 || get_number(t, 2, 4, &c->year) < 0)
		return -1;
	if (t->next - start == 2)
		c->year += c->year < 50 ? 2000 : 1900;
	else if (t->next - start == 3)
		c->year += 1900;
	skip(t);
	return 0;
}

static bool
take_colon(struct mail_tokens *t)
{
	skip(t);
	if (!take_byte(t, ':') && !take_byte(t, '.'))
		return false;
	skip(t);
	return true;
}

static int
get_time(struct mail_tokens *t, struct civil *c)
{
	if (get_number(t, 1, 2, &c->hour) < 0 || !take_colon(t) ||
	    get_number(t, 1, 2, &c->minute) < 0 ||
	    (take_colon(t) && get_number(t, 1, 2, &c->second) < 0))
		return -1;
	skip(t);
	return c->hour > 23 || c->minute > 59 || c->second > 60 ? -1 : 0;
}

int
mail_date_parse(struct text value, struct mail_date *date)
{
	struct mail_tokens t;
	struct civil c = { 0 };

	mail_tokens_init(&t, value, NULL);
	if (get_day(&t, &c) < 0)
		return -1;
	date->zone = 0;
	if (get_time(&t, &c) == 0)
		date->zone = get_zone(&t);
	else
		c.hour = c.minute = c.second = 0;
	if (civil_time(&c, &date->time) < 0)
		return -1;
	date->time -= (int64_t)date->zone * 60;
	return 0;
}

/* "d-Mon-yyyy", the day with one or two places. */
static int
get_imap_day(struct mail_tokens *t, struct civil *c)
{
	(void)take_byte(t, ' ');
	if (get_number(t, 1, 2, &c->day) < 0 || !take_byte(t, '-'))
		return -1;
	c->month = find_month(get_letters(t));
	if (c->month == 0 || !take_byte(t, '-'))
		return -1;
	return get_number(t, 4, 4, &c->year);
}

int
mail_date_parse_day(struct text value, int64_t *time)
{
	struct mail_tokens t;
	struct civil c = { 0 };

	mail_tokens_init(&t, value, NULL);
	if (get_imap_day(&t, &c) < 0 || t.next != t.end)
		return -1;
	return civil_time(&c, time);
}

int
mail_date_parse_internal(struct text value, struct mail_date *date)
{
	struct mail_tokens t;
	struct civil c = { 0 };

	mail_tokens_init(&t, value, NULL);
	if (get_imap_day(&t, &c) < 0 || !take_byte(&t, ' ') ||
	    get_number(&t, 2, 2, &c.hour) < 0 || !take_byte(&t, ':') ||
	    get_number(&t, 2, 2, &c.minute) < 0 || !take_byte(&t, ':') ||
	    get_number(&t, 2, 2, &c.second) < 0 || !take_byte(&t, ' ') ||
	    get_offset(&t, false, &date->zone) < 0 || t.next != t.end ||
	    civil_time(&c, &date->time) < 0)
		return -1;
	date->time -= (int64_t)date->zone * 60;
	return 0;
}

static void
format_zone(int zone, char to[8])
{
	int minutes = zone < 0 ? -zone : zone;

	snprintf(to, 8, "%c%02d%02d", zone < 0 ? '-' : '+', minutes / 60 % 100,
	    minutes % 60);
}

void
mail_date_format(const struct mail_date *date, char *to)
{
	struct civil c;
	int week_day;
	char zone[8];

	civil_of(date->time + (int64_t)date->zone * 60, &c, &week_day);
	format_zone(date->zone, zone);
	snprintf(to, MAIL_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u %s",
	    week_days[week_day], (unsigned)c.day % 100, months[c.month - 1],
	    (unsigned)c.year % 10000, (unsigned)c.hour % 100,
	    (unsigned)c.minute % 100, (unsigned)c.second % 100, zone);
}

void
mail_date_format_internal(const struct mail_date *date, char *to)
{
	struct civil c;
	int week_day;
	char zone[8];

	civil_of(date->time + (int64_t)date->zone * 60, &c, &week_day);
	format_zone(date->zone, zone);
	snprintf(to, MAIL_DATE_INTERNAL_SIZE, "%02u-%s-%04u %02u:%02u:%02u %s",
	    (unsigned)c.day % 100, months[c.month - 1],
	    (unsigned)c.year % 10000, (unsigned)c.hour % 100,
	    (unsigned)c.minute % 100, (unsigned)c.second % 100, zone);
}

void
mail_date_format_sorted(int64_t time, char *to)
{
	struct civil c;
	int week_day;

	civil_of(time, &c, &week_day);
	snprintf(to, MAIL_DATE_SORTED_SIZE, "%04u-%02u-%02u %02u:%02u:%02u",
	    (unsigned)c.year % 10000, (unsigned)c.month % 100,
	    (unsigned)c.day % 100, (unsigned)c.hour % 100,
	    (unsigned)c.minute % 100, (unsigned)c.second % 100);
}

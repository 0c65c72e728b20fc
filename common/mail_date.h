/*
 * Dates of mail: the Date field (RFC 5322 section 3.3, obsolete zones of
 * 4.3, tolerant in its space and comments) and IMAP's date-time
 * ("17-Jul-1996 02:44:25 -0700", RFC 3501).  Seconds since 1970 and the zone
 * in minutes east of Greenwich; years 1 to 9999.
 */
#ifndef COMMON_MAIL_DATE_H
#define COMMON_MAIL_DATE_H

#include "common/text.h"

#include <stdint.h>

enum {
	MAIL_DATE_SIZE = 40, /* room for a formatted date and its NUL */
	MAIL_DATE_INTERNAL_SIZE = 27, /* "17-Jul-1996 02:44:25 -0700" + NUL */
	MAIL_DATE_SORTED_SIZE = 20
};

struct mail_date {
	int64_t time; /* seconds since 1970, UTC */
	int zone;     /* minutes east: -0700 is -420 */
};

/* Of a Date field. A zone that is none counts as UTC, a time that is none as
 * 00:00:00 (RFC 5256 2.2); 0, or -1 if there is no date. */
int mail_date_parse(struct text value, struct mail_date *date);

/* "Wed, 17 Jul 1996 02:44:25 -0700" into `to` (MAIL_DATE_SIZE bytes). */
void mail_date_format(const struct mail_date *date, char *to);

/* Exactly RFC 3501's date-time without the quotes; the day may be "17",
 * "07" or " 7".  0 or -1. */
int mail_date_parse_internal(struct text value, struct mail_date *date);

/* MAIL_DATE_INTERNAL_SIZE bytes; the day with two places. */
void mail_date_format_internal(const struct mail_date *date, char *to);

/* "1996-07-17 09:44:25", UTC, which sorts; MAIL_DATE_SORTED_SIZE bytes. */
void mail_date_format_sorted(int64_t time, char *to);

/* RFC 3501's date of SEARCH ("1-Feb-1994"): its first second as if in UTC. */
int mail_date_parse_day(struct text value, int64_t *time);

#endif

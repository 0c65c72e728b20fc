/*
 * Dates and times of RFC 3339, as SMTP and IMAP have them in parameters.  Pure.
 */
#ifndef COMMON_TIMESTAMP_H
#define COMMON_TIMESTAMP_H

#include "common/text.h"

#include <stdint.h>

/* A date and time with its zone, fractions passed over; in seconds since 1970,
 * where none is earlier. 0, or -1. */
int timestamp_parse(struct text value, int64_t *time);

#endif

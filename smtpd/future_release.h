/*
 * FUTURERELEASE (RFC 4865): when a message may go at the earliest, as MAIL has
 * it. Pure: times are seconds since 1970, and the caller's.
 */
#ifndef SMTPD_FUTURE_RELEASE_H
#define SMTPD_FUTURE_RELEASE_H

#include "common/text.h"

#include <stdint.h>

enum {
	FUTURE_RELEASE_MAX_S = 30 * 86400,
	FUTURE_RELEASE_SIZE = 21 /* of a time as text, with its NUL */
};

/* The seconds of HOLDFOR: up to 9 digits, not 0. 0, or -1. */
int future_release_parse_interval(struct text value, uint32_t *seconds);
/* "2026-11-26T07:28:00Z" into `to` (FUTURE_RELEASE_SIZE bytes). */
void future_release_format(int64_t time, char *to);

/* Not before that, of what MAIL said of both, each 0 if it did not; 0: at once.
 * -1: both were said, or it is not within FUTURE_RELEASE_MAX_S from now. */
int future_release_decide(
    uint32_t interval, int64_t until, int64_t now, int64_t *not_before);

#endif

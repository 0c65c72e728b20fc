/*
 * Spans of time as people write them: a number and a unit (s m h d w y; a year
 * has 365 days).  Pure.
 */
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include "common/text.h"

#include <stdint.h>

enum {
	SPAN_SIZE = 24 /* of the text, with its NUL */
};

/* 0, or -1: a bare number says no unit. */
int span_parse(struct text word, uint64_t *seconds);

/* In the largest unit that says it exactly. */
void span_format(uint64_t seconds, char to[SPAN_SIZE]);

#endif

/*
 * What words of firnmail.conf stand for: names, numbers and sizes (times:
 * span.h).  Pure.
 */
#ifndef COMMON_SETTINGS_VALUE_H
#define COMMON_SETTINGS_VALUE_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Letters, digits and hyphens in labels of 1 to 63, without a dot at the
 * end. */
bool settings_is_host_name(struct text name);
/* 0 or -1. With or without a unit, K M G: bytes. */
int settings_parse_size(struct text word, uint64_t *value);
/* Decimal or 0x hex, 32 bits. */
int settings_parse_number(struct text word, uint64_t *value);

#endif

/*
 * Patterns of LIST (RFC 3501 6.3.8): "*" is anything, "%" anything but "/".
 */
#ifndef IMAPD_LIST_PATTERN_H
#define IMAPD_LIST_PATTERN_H

#include "common/text.h"

#include <stdbool.h>

enum {
	LIST_PATTERN_MAX_SIZE = 1000
};

/* Names in UTF-8; INBOX as the first level is compared in any case. A pattern
 * beyond the limit matches nothing. */
bool list_pattern_matches(struct text pattern, struct text name);
/* May a name below `level` match? */
bool list_pattern_reaches(struct text pattern, struct text level);

#endif

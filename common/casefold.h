/*
 * Text in the form in which it is searched and sorted: i;unicode-casemap (RFC
 * 5051), without regard to case, to how accents are put together, and to width.
 * Pure.
 */
#ifndef COMMON_CASEFOLD_H
#define COMMON_CASEFOLD_H

#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>

/* `text` (UTF-8; returned as it is where it is not) in the pool. */
struct text casefold(struct text text, struct pool *pool);

/* Whether `text`, folded, has in it `folded`, which is. */
bool casefold_contains(struct text text, struct text folded, struct pool *pool);

#endif

/*
 * Base64 as protocols use it (RFC 4648 section 4): canonical, padded, without
 * white space.  What MIME bodies contain is more lenient and is not read here.
 */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

/* Decodes all of `encoded` into `data` (max_size bytes). 0 and *size, or -1 if
 * it is malformed, not canonical or too long; `data` may then hold a part. */
int base64_decode(
    struct text encoded, uint8_t *data, size_t max_size, size_t *size);

/* The NUL-terminated code of `data` into `to`, which has room for
 * 4 * ((size + 2) / 3) + 1 bytes. */
void base64_encode(struct text data, char *to);

#endif

/*
 * SHA-256 and the keyed form of it, over libcrypto.  One digest a thread.
 */
#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

#include "common/messages.h"

#include <stddef.h>

struct digest;

/* Before the walls are shut: libcrypto opens files when it is first used, and
 * here it reads no configuration. */
void digest_prepare(void);

struct digest *digest_new(void);
void digest_free(struct digest **digest);

void digest_start(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t size);
struct hash digest_finish(struct digest *digest);

/* All three in one. */
struct hash digest_of(struct digest *digest, const void *data, size_t size);

#endif

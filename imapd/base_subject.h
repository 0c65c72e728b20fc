/*
 * The base subject (RFC 5256 2.1): a subject without the marks of replies and
 * forwards, so that a discussion stands together.  Pure.
 */
#ifndef IMAPD_BASE_SUBJECT_H
#define IMAPD_BASE_SUBJECT_H

#include "common/pool.h"
#include "common/text.h"

/* Of a decoded subject; in the pool. `is_reply`: such a mark was taken off. */
struct text base_subject(
    struct text subject, struct pool *pool, bool *is_reply);

#endif

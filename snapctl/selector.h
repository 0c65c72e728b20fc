/*
 * What an administrator types to name a point in time and a part of the store:
 *
 *   SNAP := ID | NAME | latest | live | -3d | 2026-11-22[T14:00[:05]] | @17
 *   SEL  := SNAP[:ACCOUNT[/MAILBOX[;UID=n|;id=<message-id>]]]
 *
 * Pure: text and the time in, a selector out.
 */
#ifndef SNAPCTL_SELECTOR_H
#define SNAPCTL_SELECTOR_H

#include "common/account.h"
#include "common/control_record.h"
#include "common/error.h"
#include "common/text.h"

#include <stdint.h>

struct point {
	enum control_point_kind kind;
	int64_t time;     /* POINT_TIME; POINT_EVENT: its number */
	struct text name; /* POINT_NAMED */
};

struct selector {
	struct point point;
	uint32_t account;       /* 0: all */
	struct text mailbox;    /* empty: all */
	uint32_t uid;           /* 0: all */
	struct text message_id; /* empty: all */
};

/* Texts point into `text`. `accounts` (may be NULL) turns addresses into
 * numbers; `now` is for ages, in seconds since 1970. */
int selector_parse(struct text text, const struct account_table *accounts,
    int64_t now, struct selector *selector, struct error *error);

/* A SNAP alone; dates are local time. */
int point_parse(
    struct text text, int64_t now, struct point *point, struct error *error);

/* Into the three fields that a request has for a point. */
void point_fill(
    const struct point *point, uint8_t *kind, int64_t *time, struct text *name);

/* An account's address or number; "0" and "config" are ACCOUNT_SERVICE. */
int account_parse(struct text text, const struct account_table *accounts,
    uint32_t *account, struct error *error);

#endif

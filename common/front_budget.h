/*
 * A front's budget (budget.h) as its settings have it.
 */
#ifndef COMMON_FRONT_BUDGET_H
#define COMMON_FRONT_BUDGET_H

#include "common/budget.h"
#include "common/settings.h"

#include <stdbool.h>

enum {
	/* Of a front that takes mail from everybody too, one place of so many
	 * is kept for those who log in: a flood of mail does not lock users
	 * out. */
	FRONT_BUDGET_KEPT_SHARE = 8
};

/* `keeps_places`: not all its listeners are for those who will log in. */
struct budget *front_budget_new(
    const struct settings *settings, bool keeps_places);

/* After a reload; connections that are there stay. */
void front_budget_renew(
    struct budget *budget, const struct settings *settings, bool keeps_places);

#endif

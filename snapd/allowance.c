/* See allowance.h. */
#include "snapd/allowance.h"

#include "common/memory.h"
#include "common/table.h"

#include <stdlib.h>

#define DAY_US (UINT64_C(86400) * 1000000)

struct spent {
	uint64_t day;
	uint64_t changes;
	uint64_t bytes;
};

struct allowance {
	struct allowance_limits limits;
	struct table *spent; /* by account */
};

struct allowance *
allowance_new(void)
{
	struct allowance *allowance = memory_new(1, sizeof(*allowance));

	allowance->spent = table_new();
	return allowance;
}

void
allowance_free(struct allowance **allowance)
{
	size_t position = 0;
	void *spent;

	if (*allowance == NULL)
		return;
	while (table_next((*allowance)->spent, &position, NULL, NULL, &spent))
		free(spent);
	table_free(&(*allowance)->spent);
	memory_free(allowance);
}

void
allowance_configure(
    struct allowance *allowance, const struct allowance_limits *limits)
{
	allowance->limits = *limits;
}

/* Of today. */
static struct spent *
find(struct allowance *allowance, uint32_t account, uint64_t guard_us)
{
	struct spent *spent = table_find_u64(allowance->spent, account);

	if (spent == NULL) {
		spent = memory_new(1, sizeof(*spent));
		table_put_u64(allowance->spent, account, spent);
	}
	if (spent->day != guard_us / DAY_US)
		*spent = (struct spent){ .day = guard_us / DAY_US };
	return spent;
}

bool
allowance_has(struct allowance *allowance, uint32_t account, uint64_t guard_us)
{
	const struct allowance_limits *limits = &allowance->limits;
	const struct spent *spent = find(allowance, account, guard_us);

	return (limits->changes == 0 || spent->changes < limits->changes) &&
	       (limits->bytes == 0 || spent->bytes < limits->bytes);
}

void
allowance_spend(struct allowance *allowance, uint32_t account,
    uint64_t guard_us, uint64_t changes, uint64_t bytes)
{
	struct spent *spent = find(allowance, account, guard_us);

	spent->changes += changes;
	spent->bytes += bytes;
}

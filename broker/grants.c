/* See grants.h. */
#include "broker/grants.h"

#include "common/memory.h"
#include "common/table.h"

#include <stdlib.h>

struct grants {
	struct table *table;
};

struct grant_key {
	uint64_t instance;
	uint64_t connection;
};

struct grants *
grants_new(void)
{
	struct grants *grants = memory_new(1, sizeof(*grants));

	grants->table = table_new();
	return grants;
}

/* Removes those of `instance`, and with `now_us` those whose time is over. */
static void
drop(struct grants *grants, const uint64_t *instance, int64_t now_us)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (table_next(grants->table, &position, &key, &size, &value)) {
		struct grant *grant = value;
		struct grant_key k = { grant->instance, grant->connection };

		if ((instance == NULL || grant->instance != *instance) &&
		    grant->until_us > now_us)
			continue;
		table_remove(grants->table, &k, sizeof(k));
		free(grant);
	}
}

void
grants_free(struct grants **grants)
{
	drop(*grants, NULL, INT64_MAX);
	table_free(&(*grants)->table);
	memory_free(grants);
}

bool
grants_add(struct grants *grants, const struct grant *grant, int64_t now_us)
{
	struct grant_key key = { grant->instance, grant->connection };
	struct grant *copy;

	if (table_count(grants->table) >= GRANTS_MAX)
		drop(grants, NULL, now_us);
	if (table_count(grants->table) >= GRANTS_MAX)
		return false;
	copy = memory_copy(grant, sizeof(*grant));
	copy->until_us = now_us + GRANT_LIFE_US;
	free(table_put(grants->table, &key, sizeof(key), copy));
	return true;
}

bool
grants_take(struct grants *grants, uint64_t instance, uint64_t connection,
    int64_t now_us, struct grant *grant)
{
	struct grant_key key = { instance, connection };
	struct grant *found = table_remove(grants->table, &key, sizeof(key));
	bool holds;

	if (found == NULL)
		return false;
	*grant = *found;
	holds = found->until_us > now_us;
	free(found);
	return holds;
}

void
grants_drop_instance(struct grants *grants, uint64_t instance)
{
	drop(grants, &instance, INT64_MIN);
}

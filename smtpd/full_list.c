/*
 * See full_list.h.
 */
#include "smtpd/full_list.h"

#include "common/memory.h"
#include "common/table.h"

#include <stdlib.h>

struct full {
	int64_t until_ms;
	uint64_t size; /* the least that was too much */
};

struct full_list {
	struct table *by_account;
};

struct full_list *
full_list_new(void)
{
	struct full_list *list = memory_new(1, sizeof(*list));

	list->by_account = table_new();
	return list;
}

void
full_list_free(struct full_list **list)
{
	size_t position = 0;
	void *value;

	while (table_next((*list)->by_account, &position, NULL, NULL, &value))
		free(value);
	table_free(&(*list)->by_account);
	memory_free(list);
}

void
full_list_note(
    struct full_list *list, uint32_t account, uint64_t size, int64_t now_ms)
{
	struct full *full = table_find_u64(list->by_account, account);

	if (full == NULL) {
		full = memory_new(1, sizeof(*full));
		full->size = UINT64_MAX;
		table_put_u64(list->by_account, account, full);
	}
	if (size < full->size)
		full->size = size;
	full->until_ms = now_ms + FULL_LIST_MS;
}

void
full_list_forget(struct full_list *list, uint32_t account)
{
	if (table_count(list->by_account) > 0)
		free(table_remove_u64(list->by_account, account));
}

bool
full_list_has(
    struct full_list *list, uint32_t account, uint64_t size, int64_t now_ms)
{
	const struct full *full = table_find_u64(list->by_account, account);

	if (full == NULL)
		return false;
	if (now_ms >= full->until_ms) {
		full_list_forget(list, account);
		return false;
	}
	return size >= full->size;
}

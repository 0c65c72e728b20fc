/* See allowance.h. */
#include "snapd/allowance.h"

#include "common/codec.h"
#include "common/memory.h"
#include "common/table.h"

#include <stdlib.h>

#define DAY_US (UINT64_C(86400) * 1000000)

enum {
	SAVE_PARTS = 64, /* of a limit: so far ahead is the disk */
	ROW_SIZE = 25
};

struct spent {
	uint32_t account;
	uint64_t day;
	uint64_t changes;
	uint64_t bytes;
	uint64_t saved_changes; /* what the disk says */
	uint64_t saved_bytes;
	struct spent *next; /* that waits to be saved */
	bool is_waiting;
};

struct allowance {
	struct allowance_limits limits;
	struct table *spent; /* by account */
	struct spent *waiting;
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
		spent->account = account;
		table_put_u64(allowance->spent, account, spent);
	}
	if (spent->day != guard_us / DAY_US) {
		spent->day = guard_us / DAY_US;
		spent->changes = spent->bytes = 0;
		spent->saved_changes = spent->saved_bytes = 0;
	}
	return spent;
}

/* -- On disk -- */

static int
load_row(struct allowance *allowance, struct text key, struct text value,
    uint64_t guard_us, struct error *error)
{
	struct spent *spent;
	struct reader r;
	uint64_t day;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	day = reader_get_u64(&r);
	if (key.size != 4 || value.size != ROW_SIZE)
		return error_set(error, ERROR_DAMAGED, "store: allowance");
	if (day != guard_us / DAY_US)
		return 0;
	spent = find(allowance, key_u32_at(key, 0), guard_us);
	spent->changes = spent->saved_changes = reader_get_u64(&r);
	spent->bytes = spent->saved_bytes = reader_get_u64(&r);
	return 0;
}

int
allowance_load(struct allowance *allowance, struct transaction *transaction,
    uint64_t guard_us, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	cursor = cursor_open(transaction, DB_ALLOWANCE, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1)
		if (load_row(allowance, key, value, guard_us, error) != 0) {
			got = -1;
			break;
		}
	cursor_close(&cursor);
	return got;
}

static int
save_row(struct allowance *allowance, struct spent *spent,
    struct transaction *transaction, struct error *error)
{
	const struct allowance_limits *limits = &allowance->limits;
	struct key key = { .size = 0 };
	uint8_t data[ROW_SIZE];
	struct writer w;

	spent->saved_changes = spent->changes + limits->changes / SAVE_PARTS;
	spent->saved_bytes = spent->bytes + limits->bytes / SAVE_PARTS;
	key_put_u32(&key, spent->account);
	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, spent->day);
	writer_put_u64(&w, spent->saved_changes);
	writer_put_u64(&w, spent->saved_bytes);
	return store_put(
	    transaction, DB_ALLOWANCE, &key, text_make(data, w.size), error);
}

int
allowance_save(struct allowance *allowance, struct transaction *transaction,
    struct error *error)
{
	struct spent *spent;

	for (spent = allowance->waiting; spent != NULL; spent = spent->next)
		if (save_row(allowance, spent, transaction, error) != 0)
			return -1;
	return 0;
}

void
allowance_saved(struct allowance *allowance, bool is_durable)
{
	struct spent *spent;

	/* Otherwise they wait on, for the next commit. */
	if (!is_durable)
		return;
	while ((spent = allowance->waiting) != NULL) {
		allowance->waiting = spent->next;
		spent->is_waiting = false;
	}
}

/* Does the disk say less than what was spent, where there is a limit? */
static bool
is_behind(const struct allowance *allowance, const struct spent *spent)
{
	return (allowance->limits.changes > 0 &&
		   spent->changes > spent->saved_changes) ||
	       (allowance->limits.bytes > 0 &&
		   spent->bytes > spent->saved_bytes);
}

/* -- Spending -- */

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
	if (spent->is_waiting || !is_behind(allowance, spent))
		return;
	spent->is_waiting = true;
	spent->next = allowance->waiting;
	allowance->waiting = spent;
}

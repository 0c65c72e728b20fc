/*
 * The table is direct-mapped: a newcomer takes a slot whose owner has fewer
 * mistakes left, so a flood of addresses costs an attacker his own record and
 * nobody else a delay.
 */
#include "authd/login_delay.h"

#include "common/memory.h"
#include "common/table.h"

#include <string.h>

enum {
	SLOTS = 16384,
	MISTAKES_MAX = 30
};
#define HALF_LIFE_US (INT64_C(600) * 1000000)

struct slot {
	uint64_t who;
	unsigned int mistakes;
	int64_t since_us;
};

struct login_delay {
	uint8_t key[16];
	struct slot slots[SLOTS];
};

struct login_delay *
login_delay_new(const uint8_t key[16])
{
	struct login_delay *delay = memory_new(1, sizeof(*delay));

	memcpy(delay->key, key, sizeof(delay->key));
	return delay;
}

void
login_delay_free(struct login_delay **delay)
{
	memory_free(delay);
}

static struct slot *
slot_of(struct login_delay *delay, struct text who, uint64_t *hash)
{
	*hash = table_siphash(delay->key, who.data, who.size);
	return &delay->slots[*hash % SLOTS];
}

static void
decay(struct slot *slot, int64_t now_us)
{
	while (slot->mistakes > 0 && now_us - slot->since_us >= HALF_LIFE_US) {
		slot->mistakes /= 2;
		slot->since_us += HALF_LIFE_US;
	}
}

void
login_delay_failed(struct login_delay *delay, struct text who, int64_t now_us)
{
	uint64_t hash;
	struct slot *slot = slot_of(delay, who, &hash);

	decay(slot, now_us);
	if (slot->who != hash) {
		if (slot->mistakes > 1) {
			slot->mistakes--;
			return;
		}
		*slot = (struct slot){ hash, 0, now_us };
	}
	if (slot->mistakes < MISTAKES_MAX)
		slot->mistakes++;
	slot->since_us = now_us;
}

void
login_delay_succeeded(struct login_delay *delay, struct text who)
{
	uint64_t hash;
	struct slot *slot = slot_of(delay, who, &hash);

	if (slot->who == hash)
		slot->mistakes = 0;
}

unsigned int
login_delay_mistakes(struct login_delay *delay, struct text who, int64_t now_us)
{
	uint64_t hash;
	struct slot *slot = slot_of(delay, who, &hash);

	decay(slot, now_us);
	return slot->who == hash ? slot->mistakes : 0;
}

int64_t
login_delay_ms(struct login_delay *delay, struct text who, int64_t now_us)
{
	unsigned int mistakes = login_delay_mistakes(delay, who, now_us);
	int64_t ms = LOGIN_DELAY_STEP_MS;

	if (mistakes < LOGIN_DELAY_FREE)
		return 0;
	for (; mistakes > LOGIN_DELAY_FREE && ms < LOGIN_DELAY_MAX_MS;
	     mistakes--)
		ms *= 2;
	return ms < LOGIN_DELAY_MAX_MS ? ms : LOGIN_DELAY_MAX_MS;
}

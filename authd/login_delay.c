/*
 * The tables are direct-mapped: a newcomer takes a slot whose owner has no
 * more than one mistake left, and wears it down otherwise, so a flood of
 * addresses costs an attacker his own record and nobody else a delay.
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
#define TRUST_US     (INT64_C(86400) * 1000000)

struct slot {
	uint64_t who;
	unsigned int mistakes;
	unsigned int running;
	int64_t last_us;
	int64_t decayed_us;
};

struct trust {
	uint64_t who;
	int64_t until_us;
};

struct login_delay {
	uint8_t key[16];
	struct slot slots[SLOTS];
	struct trust trusts[SLOTS];
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

uint64_t
login_delay_key(const struct login_delay *delay, struct text who)
{
	return table_siphash(delay->key, who.data, who.size);
}

static void
decay(struct slot *slot, int64_t now_us)
{
	while (
	    slot->mistakes > 0 && now_us - slot->decayed_us >= HALF_LIFE_US) {
		slot->mistakes /= 2;
		slot->decayed_us += HALF_LIFE_US;
	}
}

/* The slot of `who`, or NULL while it is another's. */
static struct slot *
find(struct login_delay *delay, uint64_t who, int64_t now_us)
{
	struct slot *slot = &delay->slots[who % SLOTS];

	decay(slot, now_us);
	return slot->who == who ? slot : NULL;
}

static struct slot *
take(struct login_delay *delay, uint64_t who, int64_t now_us)
{
	struct slot *slot = find(delay, who, now_us);

	if (slot != NULL)
		return slot;
	slot = &delay->slots[who % SLOTS];
	if (slot->running > 0)
		return NULL;
	if (slot->mistakes > 1) {
		slot->mistakes--;
		return NULL;
	}
	*slot = (struct slot){ .who = who };
	return slot;
}

void
login_delay_started(struct login_delay *delay, uint64_t who, int64_t now_us)
{
	struct slot *slot = take(delay, who, now_us);

	if (slot != NULL)
		slot->running++;
}

void
login_delay_finished(
    struct login_delay *delay, uint64_t who, bool is_mistake, int64_t now_us)
{
	struct slot *slot = find(delay, who, now_us);

	if (slot == NULL)
		return;
	if (slot->running > 0)
		slot->running--;
	if (!is_mistake)
		return;
	if (slot->mistakes < MISTAKES_MAX)
		slot->mistakes++;
	slot->last_us = now_us;
	slot->decayed_us = now_us;
}

struct login_standing
login_delay_standing(struct login_delay *delay, uint64_t who, int64_t now_us)
{
	const struct slot *slot = find(delay, who, now_us);

	if (slot == NULL)
		return (struct login_standing){ 0 };
	return (struct login_standing){ slot->mistakes, slot->running,
		slot->last_us };
}

int64_t
login_delay_ms(unsigned int mistakes, int64_t max_ms)
{
	int64_t ms = LOGIN_DELAY_STEP_MS;

	if (mistakes < LOGIN_DELAY_FREE)
		return 0;
	for (; mistakes > LOGIN_DELAY_FREE && ms < max_ms; mistakes--)
		ms *= 2;
	return ms < max_ms ? ms : max_ms;
}

void
login_delay_trust(struct login_delay *delay, uint64_t who, int64_t now_us)
{
	delay->trusts[who % SLOTS] = (struct trust){ who, now_us + TRUST_US };
}

bool
login_delay_is_trusted(
    const struct login_delay *delay, uint64_t who, int64_t now_us)
{
	const struct trust *trust = &delay->trusts[who % SLOTS];

	return trust->who == who && trust->until_us > now_us;
}

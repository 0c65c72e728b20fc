/*
 * Names, keys and sums: see store_form.h.  Pure.
 */
#include "snapd/store_form.h"

#include "common/table.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[DB_COUNT] = {
	[DB_META] = "meta",
	[DB_ACCOUNT] = "account",
	[DB_MAILBOX] = "mailbox",
	[DB_NAME] = "name",
	[DB_MAILBOX_OLD] = "mailbox_old",
	[DB_SUBSCRIBED] = "subscribed",
	[DB_UNFILED] = "unfiled",
	[DB_LIVE] = "live",
	[DB_DEAD] = "dead",
	[DB_LOG] = "log",
	[DB_ACCOUNT_LOG] = "account_log",
	[DB_MARK] = "mark",
	[DB_DELIVERY] = "delivery",
	[DB_BLOB] = "blob",
	[DB_HASH] = "hash",
	[DB_CHUNK] = "chunk",
	[DB_REPLY] = "reply",
	[DB_HEAD] = "head",
	[DB_EXPUNGED] = "expunged",
	[DB_BLOB_USE] = "blob_use",
	[DB_HOLD] = "hold",
	[DB_FORGOTTEN] = "forgotten",
	[DB_SEGMENT_USE] = "segment_use",
	[DB_ALLOWANCE] = "allowance",
};

const char *
database_name(enum database database)
{
	return names[database];
}

void
key_put_raw(struct key *key, const void *data, size_t size)
{
	if (size > STORE_MAX_KEY - key->size)
		abort();
	memcpy(key->bytes + key->size, data, size);
	key->size += size;
}

void
key_put_u8(struct key *key, uint8_t value)
{
	key_put_raw(key, &value, 1);
}

void
key_put_u16(struct key *key, uint16_t value)
{
	uint8_t bytes[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	key_put_raw(key, bytes, sizeof(bytes));
}

void
key_put_u32(struct key *key, uint32_t value)
{
	key_put_u16(key, (uint16_t)(value >> 16));
	key_put_u16(key, (uint16_t)value);
}

void
key_put_u64(struct key *key, uint64_t value)
{
	key_put_u32(key, (uint32_t)(value >> 32));
	key_put_u32(key, (uint32_t)value);
}

uint64_t
key_u64_at(struct text key, size_t offset)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < 8; i++)
		value =
		    value << 8 |
		    (offset + i < key.size ? (uint8_t)key.data[offset + i] : 0);
	return value;
}

uint32_t
key_u32_at(struct text key, size_t offset)
{
	return (uint32_t)(key_u64_at(key, offset) >> 32);
}

uint64_t
store_sum(enum database database, struct text key, struct text value)
{
	uint8_t sip_key[16] = { 'f', 'i', 'r', 'n', 'm', 'a', 'i', 'l' };
	uint64_t of_key;

	sip_key[8] = (uint8_t)database;
	of_key = table_siphash(sip_key, key.data, key.size);
	memcpy(sip_key + 8, &of_key, 8);
	sip_key[0] = (uint8_t)database;
	return table_siphash(sip_key, value.data, value.size);
}

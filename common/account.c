/*
 * The account table: filled by account_parser.c in master, cut into slices for
 * the roles, read back by them from sealed memfds.  Looked up by address (any
 * case) and by number.
 */
#include "common/account.h"

#include "common/buf.h"
#include "common/codec.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/pool.h"
#include "common/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	SLICE_MAGIC = 0x31414e46, /* "FNA1" */
	SLICE_MAX_BYTES = 512 * 1024 * 1024,
	ADDRESS_MAX = 320,
	HASH_MAX = 512,
	ROW_OVERHEAD = 64
};

struct account_table {
	struct pool *pool; /* all texts */
	struct account **accounts;
	size_t count;
	size_t capacity;
	struct account_alias *aliases;
	size_t alias_count;
	size_t alias_capacity;
	struct table *by_address;
	struct table *by_alias; /* lower-case name -> place + 1 of the first */
	struct table *by_number;
};

struct account_table *
account_table_new(void)
{
	struct account_table *table = memory_new(1, sizeof(*table));

	table->pool = pool_new();
	table->by_address = table_new();
	table->by_alias = table_new();
	table->by_number = table_new();
	return table;
}

void
account_table_free(struct account_table **table)
{
	if (*table == NULL)
		return;
	for (size_t i = 0; i < (*table)->count; i++) {
		const char *hash = (*table)->accounts[i]->hash;

		explicit_bzero((char *)(uintptr_t)hash, strlen(hash));
	}
	memory_free(&(*table)->accounts);
	memory_free(&(*table)->aliases);
	table_free(&(*table)->by_address);
	table_free(&(*table)->by_alias);
	table_free(&(*table)->by_number);
	pool_free(&(*table)->pool);
	memory_free(table);
}

int
account_table_add(struct account_table *table, const struct account *account)
{
	size_t address_size = strlen(account->address);
	struct account *copy;

	if (table_find(table->by_address, account->address, address_size) !=
		NULL ||
	    table_find_u64(table->by_number, account->number) != NULL)
		return -1;
	if (table->count == table->capacity) {
		table->capacity = table->capacity * 2 + 16;
		table->accounts = memory_resize(
		    table->accounts, table->capacity, sizeof(*table->accounts));
	}
	copy = pool_copy(table->pool, account, sizeof(*account));
	copy->address = pool_text(table->pool, account->address, address_size);
	copy->hash =
	    pool_text(table->pool, account->hash, strlen(account->hash));
	table->accounts[table->count++] = copy;
	table_put(table->by_address, copy->address, address_size, copy);
	table_put_u64(table->by_number, copy->number, copy);
	return 0;
}

/* Addresses are looked up without regard to ASCII case. False: too long. */
static bool
make_key(struct text name, char key[ADDRESS_MAX])
{
	if (name.size > ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < name.size; i++)
		key[i] = text_lower_byte(name.data[i]);
	return true;
}

/* Rows of one name are chained: `next` is a place + 1, and the first row knows
 * the `last`. */
static void
index_alias(struct account_table *table, struct text name, size_t place)
{
	char key[ADDRESS_MAX];
	struct account_alias *first;
	uintptr_t found;

	if (!make_key(name, key))
		return; /* no slice can hold it either */
	found = (uintptr_t)table_find(table->by_alias, key, name.size);
	if (found == 0) {
		table_put(table->by_alias, key, name.size,
		    (void *)(uintptr_t)(place + 1));
		table->aliases[place].last = place;
		return;
	}
	first = &table->aliases[found - 1];
	table->aliases[first->last].next = place + 1;
	first->last = place;
}

void
account_table_add_alias(
    struct account_table *table, struct text name, struct text target)
{
	struct account_alias *alias;

	if (table->alias_count == table->alias_capacity) {
		table->alias_capacity = table->alias_capacity * 2 + 16;
		table->aliases = memory_resize(table->aliases,
		    table->alias_capacity, sizeof(*table->aliases));
	}
	alias = &table->aliases[table->alias_count++];
	alias->name = pool_text(table->pool, name.data, name.size);
	alias->target = pool_text(table->pool, target.data, target.size);
	alias->next = 0;
	index_alias(table, name, table->alias_count - 1);
}

const struct account_alias *
account_find_alias(const struct account_table *table, struct text name)
{
	char key[ADDRESS_MAX];
	uintptr_t found;

	if (!make_key(name, key))
		return NULL;
	found = (uintptr_t)table_find(table->by_alias, key, name.size);
	return found == 0 ? NULL : &table->aliases[found - 1];
}

const struct account_alias *
account_next_alias(
    const struct account_table *table, const struct account_alias *alias)
{
	return alias->next == 0 ? NULL : &table->aliases[alias->next - 1];
}

size_t
account_table_count(const struct account_table *table)
{
	return table->count;
}

const struct account *
account_table_at(const struct account_table *table, size_t n)
{
	return n < table->count ? table->accounts[n] : NULL;
}

const struct account *
account_find_address(const struct account_table *table, struct text address)
{
	char key[ADDRESS_MAX];

	return make_key(address, key)
		   ? table_find(table->by_address, key, address.size)
		   : NULL;
}

const struct account *
account_find_number(const struct account_table *table, uint32_t number)
{
	return table_find_u64(table->by_number, number);
}

size_t
account_table_aliases(
    const struct account_table *table, const struct account_alias **aliases)
{
	*aliases = table->aliases;
	return table->alias_count;
}

/* -- Slices -- */

static bool
knows_address(enum role role)
{
	return role == ROLE_AUTHD || role == ROLE_QUEUE;
}

static void
put_account(
    struct writer *writer, const struct account *account, enum role role)
{
	writer_put_u32(writer, account->number);
	writer_put_u32(writer, account->uid);
	writer_put_u32(writer, account->gid);
	writer_put_u32(writer, account->flags);
	writer_put_u32(writer, account->send_per_day);
	writer_put_u64(writer, account->quota_bytes);
	writer_put_u64(writer, account->quota_messages);
	writer_put_text(writer,
	    text_of(knows_address(role) ? account->address : ""), ADDRESS_MAX);
	writer_put_text(
	    writer, text_of(role == ROLE_AUTHD ? account->hash : ""), HASH_MAX);
}

static size_t
slice_bound(const struct account_table *table)
{
	size_t size = ROW_OVERHEAD;

	for (size_t i = 0; i < table->count; i++)
		size += ROW_OVERHEAD + strlen(table->accounts[i]->address) +
			strlen(table->accounts[i]->hash);
	for (size_t i = 0; i < table->alias_count; i++)
		size += ROW_OVERHEAD + strlen(table->aliases[i].name) +
			strlen(table->aliases[i].target);
	return size;
}

static void
put_accounts(
    struct writer *writer, const struct account_table *table, enum role role)
{
	writer_put_u32(writer, (uint32_t)table->count);
	for (size_t i = 0; i < table->count; i++)
		put_account(writer, table->accounts[i], role);
}

static void
put_aliases(
    struct writer *writer, const struct account_table *table, enum role role)
{
	size_t count = role == ROLE_QUEUE ? table->alias_count : 0;

	writer_put_u32(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		writer_put_text(
		    writer, text_of(table->aliases[i].name), ADDRESS_MAX);
		writer_put_text(
		    writer, text_of(table->aliases[i].target), ADDRESS_MAX);
	}
}

int
account_table_slice(
    const struct account_table *table, enum role role, struct error *error)
{
	size_t bound = slice_bound(table);
	struct writer writer;
	uint8_t *data;
	int fd = -1;

	if (bound > SLICE_MAX_BYTES)
		return error_set(error, ERROR_LIMIT, "too many accounts");
	data = memory_new(1, bound);
	writer_init(&writer, data, bound);
	writer_put_u32(&writer, SLICE_MAGIC);
	put_accounts(&writer, table, role);
	put_aliases(&writer, table, role);
	if (writer.failed)
		error_set(error, ERROR_LIMIT, "an account is too large");
	else
		fd = file_sealed_memory("accounts", data, writer.size, error);
	explicit_bzero(data, bound);
	memory_free(&data);
	return fd;
}

/* Addresses are absent from some slices: then a row is known by its number. */
static void
get_account(struct reader *reader, struct account_table *table)
{
	char address[ADDRESS_MAX + 1];
	char hash[HASH_MAX + 1];
	struct account account = { 0 };

	account.number = reader_get_u32(reader);
	account.uid = reader_get_u32(reader);
	account.gid = reader_get_u32(reader);
	account.flags = reader_get_u32(reader);
	account.send_per_day = reader_get_u32(reader);
	account.quota_bytes = reader_get_u64(reader);
	account.quota_messages = reader_get_u64(reader);
	if (text_copy(reader_get_text(reader, ADDRESS_MAX), address,
		sizeof(address)) == -1 ||
	    text_copy(reader_get_text(reader, HASH_MAX), hash, sizeof(hash)) ==
		-1)
		reader->failed = true;
	account.address = address;
	account.hash = hash;
	if (reader->failed)
		return;
	if (address[0] == '\0') /* a name that no address can have */
		(void)snprintf(address, sizeof(address), "#%u", account.number);
	if (account.number == 0 || account_table_add(table, &account) == -1)
		reader->failed = true;
	explicit_bzero(hash, sizeof(hash));
}

static void
get_table(struct reader *reader, struct account_table *table)
{
	uint32_t count;

	if (reader_get_u32(reader) != SLICE_MAGIC)
		reader->failed = true;
	count = reader_get_u32(reader);
	for (uint32_t i = 0; i < count && !reader->failed; i++)
		get_account(reader, table);
	count = reader_get_u32(reader);
	for (uint32_t i = 0; i < count && !reader->failed; i++) {
		struct text name = reader_get_text(reader, ADDRESS_MAX);
		struct text target = reader_get_text(reader, ADDRESS_MAX);

		if (!reader->failed)
			account_table_add_alias(table, name, target);
	}
}

struct account_table *
account_table_read(int fd, struct error *error)
{
	struct account_table *table = NULL;
	struct reader reader;
	struct buf buf;

	if (file_check_sealed(fd, error) == -1)
		return NULL;
	buf_init(&buf, SLICE_MAX_BYTES);
	if (file_read_all(fd, &buf, error) == 0) {
		table = account_table_new();
		reader_init(&reader, buf.data, buf.size);
		get_table(&reader, table);
		if (reader_done(&reader) == -1) {
			error_set(error, ERROR_INPUT,
			    "malformed slice of the accounts");
			account_table_free(&table);
		}
	}
	if (buf.size > 0)
		explicit_bzero(buf.data, buf.size);
	buf_clear(&buf);
	return table;
}

/*
 * Two accounts and two aliases behind common/account.h.
 */
#include "common/account.h"

static const struct account accounts[] = {
	{ .number = 1, .address = "alice@demo.test", .hash = "" },
	{ .number = 2,
	    .address = "bob@demo.test",
	    .hash = "",
	    .send_per_day = 2 }
};
static const struct account_alias aliases[] = {
	{ .name = "team@demo.test", .target = "alice@demo.test" },
	{ .name = "team@demo.test", .target = "bob@demo.test" },
	{ .name = "sales", .target = "bob@demo.test" },
	{ .name = "away@demo.test", .target = "x@other.test" }
};

size_t
account_table_count(const struct account_table *table)
{
	return 2;
}

const struct account *
account_table_at(const struct account_table *table, size_t n)
{
	return &accounts[n];
}

const struct account *
account_find_address(const struct account_table *table, struct text address)
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (text_is_nocase(address, accounts[i].address))
			return &accounts[i];
	return NULL;
}

const struct account *
account_find_number(const struct account_table *table, uint32_t number)
{
	return number >= 1 && number <= 2 ? &accounts[number - 1] : NULL;
}

const struct account_alias *
account_find_alias(const struct account_table *table, struct text name)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (text_is_nocase(name, aliases[i].name))
			return &aliases[i];
	return NULL;
}

const struct account_alias *
account_next_alias(
    const struct account_table *table, const struct account_alias *alias)
{
	return alias == &aliases[0] ? &aliases[1] : NULL;
}

/*
 * Two accounts and two aliases behind common/account.h.
 */
#include "common/account.h"

static const struct account accounts[] = {
	{ .number = 1, .address = "alice@demo.test", .hash = "" },
	{ .number = 2, .address = "bob@demo.test", .hash = "" }
};
static const struct account_alias aliases[] = { { "team@demo.test",
						    "alice@demo.test" },
	{ "team@demo.test", "bob@demo.test" }, { "sales", "bob@demo.test" } };

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

size_t
account_table_aliases(
    const struct account_table *table, const struct account_alias **found)
{
	*found = aliases;
	return sizeof(aliases) / sizeof(aliases[0]);
}

/* See dummy_hash.h; the forms are those of crypt(5). */
#include "authd/dummy_hash.h"

#include "common/memory.h"
#include "common/table.h"

#include <string.h>

/* For an empty table: the scheme that `firnmail account add` uses. */
static const char no_account[] = "$y$j9T$firnmailfirnmailfirn";

struct kind {
	size_t count;
	const char *hash;
};

/* Bytes up to and with the n-th dollar sign; all if there are fewer. */
static size_t
up_to_dollar(struct text hash, int n)
{
	for (size_t i = 0; i < hash.size; i++)
		if (hash.data[i] == '$' && --n == 0)
			return i + 1;
	return hash.size;
}

static bool
begins(struct text hash, const char *with)
{
	size_t size = strlen(with);

	return hash.size >= size && memcmp(hash.data, with, size) == 0;
}

size_t
dummy_hash_kind(struct text hash)
{
	if (begins(hash, "$y$") || begins(hash, "$gy$") ||
	    begins(hash, "$2a$") || begins(hash, "$2b$") ||
	    begins(hash, "$2x$") || begins(hash, "$2y$") ||
	    begins(hash, "$sha1$") || begins(hash, "$5$rounds=") ||
	    begins(hash, "$6$rounds="))
		return up_to_dollar(hash, 3);
	if (begins(hash, "$7$")) /* N, r and p: 1, 5 and 5 letters */
		return hash.size < 14 ? hash.size : 14;
	if (begins(hash, "$"))
		return up_to_dollar(hash, 2);
	if (begins(hash, "_")) /* extended DES: its rounds in 4 letters */
		return hash.size < 5 ? hash.size : 5;
	return 0;
}

static void
count_kind(struct table *kinds, const char *hash)
{
	size_t size = dummy_hash_kind(text_of(hash));
	struct kind *kind = table_find(kinds, hash, size);

	if (kind == NULL) {
		kind = memory_new(1, sizeof(*kind));
		kind->hash = hash;
		(void)table_put(kinds, hash, size, kind);
	}
	kind->count++;
}

const char *
dummy_hash_choose(const struct account_table *accounts)
{
	struct table *kinds = table_new();
	struct kind best = { 0, no_account };
	size_t position = 0;
	void *value;

	for (size_t i = 0; i < account_table_count(accounts); i++) {
		const struct account *account = account_table_at(accounts, i);

		if (account->hash[0] != '\0')
			count_kind(kinds, account->hash);
	}
	while (table_next(kinds, &position, NULL, NULL, &value)) {
		struct kind *kind = value;

		if (kind->count > best.count)
			best = *kind;
		memory_free(&kind);
	}
	table_free(&kinds);
	return best.hash;
}

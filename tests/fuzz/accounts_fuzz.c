/*
 * The users file, a line with 0xff, the aliases file: a report or a table, and
 * every alias of a table leads to an account of it.  A users file that is taken
 * is taken with one more account and with another password, too, and those are
 * in the table then (firnmail account add and passwd).
 */
#include "common/account_parser.h"
#include "firnmail/users_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	FUZZ_MAX_BYTES = 1024 * 1024
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct account_table *
parse(struct text users, struct text aliases)
{
	static struct settings *settings;
	const struct account_source users_source = { "users", users };
	const struct account_source aliases_source = { "aliases", aliases };
	struct report *report = report_new();
	struct account_table *table;

	if (settings == NULL) {
		settings = settings_new();
		memcpy(settings->domains[0], "x.test", 7);
		settings->domain_count = 1;
	}
	table = account_table_parse(&users_source,
	    aliases.data != NULL ? &aliases_source : NULL, settings, report);
	if ((table == NULL) != (report_errors(report) > 0))
		abort();
	report_free(&report);
	return table;
}

static void
check_aliases(const struct account_table *table)
{
	const struct account_alias *aliases;
	size_t count = account_table_aliases(table, &aliases);

	for (size_t i = 0; i < count; i++)
		if (strstr(aliases[i].target, "@x.test") != NULL &&
		    account_find_address(table, text_of(aliases[i].target)) ==
			NULL)
			abort();
}

/* The table of `text` has `hash` for `address`. */
static void
check_changed(
    const struct buf *text, const char *address, const char *hash, size_t count)
{
	struct account_table *table =
	    parse(text_make(text->data, text->size), text_make(NULL, 0));
	const struct account *account;

	if (table == NULL || account_table_count(table) != count)
		abort();
	account = account_find_address(table, text_of(address));
	if (account == NULL || strcmp(account->hash, hash) != 0)
		abort();
	account_table_free(&table);
}

static void
check_rewriting(struct text users, const struct account_table *table)
{
	size_t count = account_table_count(table);
	struct buf text;

	buf_init(&text, FUZZ_MAX_BYTES);
	if (account_find_address(table, TEXT("new@x.test")) == NULL &&
	    account_find_number(table, 77777) == NULL) {
		if (users_file_add(users, TEXT("new@x.test"),
			TEXT("{CRYPT}$6$a$b"), 77777, &text) == -1)
			abort();
		check_changed(&text, "new@x.test", "$6$a$b", count + 1);
	}
	buf_reset(&text);
	if (count > 0) {
		const char *address = account_table_at(table, 0)->address;

		if (users_file_set_hash(users, text_of(address),
			TEXT("{CRYPT}$6$c$d"), &text) == -1)
			abort();
		check_changed(&text, address, "$6$c$d", count);
	}
	buf_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text users = text_make(data, size);
	struct text aliases = { NULL, 0 };
	ptrdiff_t cut = text_find_byte(users, (char)0xff);
	struct account_table *table;

	if (size > FUZZ_MAX_BYTES / 4)
		return 0;
	if (cut >= 0) {
		aliases = text_skip(users, (size_t)cut + 1);
		users.size = (size_t)cut;
	}
	table = parse(users, aliases);
	if (table == NULL)
		return 0;
	check_aliases(table);
	check_rewriting(users, table);
	account_table_free(&table);
	return 0;
}

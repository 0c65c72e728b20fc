/*
 * Reads the aliases file.  Aliases are followed to accounts and to addresses
 * elsewhere here, so that the table has one row for each that a name leads to,
 * and a loop is an error of the administrator and not of a mail at night.
 */
#include "common/account_parser_state.h"

#include "common/domain_name.h"
#include "common/memory.h"
#include "common/settings_value.h"
#include "common/table.h"

#include <stdio.h>
#include <string.h>

static struct alias_entry *
find_alias(struct account_parser *parser, const char *name)
{
	return table_find(parser->by_name, name, strlen(name));
}

/* "@domain": whatever nobody else has in it. */
static int
parse_domain(
    struct account_parser *parser, struct text name, char key[ADDRESS_MAX])
{
	char ascii[DOMAIN_NAME_SIZE];
	const char *domain = NULL;

	if (domain_name_to_ascii(text_skip(name, 1), ascii) == 0)
		domain = settings_find_domain(parser->settings, text_of(ascii));
	if (domain == NULL) {
		account_complain(parser, 0,
		    "\"%.*s\" is in none of the domains of firnmail.conf",
		    (int)(name.size > 100 ? 100 : name.size), name.data);
		return -1;
	}
	snprintf(key, ADDRESS_MAX, "@%s", domain);
	return 0;
}

static void
parse_alias(struct account_parser *parser, struct text line)
{
	ptrdiff_t colon = text_find_byte(line, ':');
	struct text name = text_trim(
	    text_make(line.data, colon < 0 ? line.size : (size_t)colon));
	char key[ADDRESS_MAX];
	struct alias_entry *entry;

	if (colon < 0) {
		account_complain(parser, 0, "an alias is NAME: TARGET, TARGET");
		return;
	}
	if (text_starts_nocase(name, "@")) {
		if (parse_domain(parser, name, key) == -1)
			return;
	} else if (text_find_byte(name, '@') >= 0) {
		if (account_parse_address(parser, name, 0, false, key) == -1)
			return;
	} else if (account_copy_local(name, key) == -1) {
		account_complain(parser, 0, "the alias has no valid name");
		return;
	}
	if (find_alias(parser, key) != NULL) {
		account_complain(parser, 0, "alias %s is there twice: line %u",
		    key, find_alias(parser, key)->line);
		return;
	}
	/* parse_aliases made room for an entry a line */
	entry = &parser->entries[parser->entry_count++];
	entry->line = parser->line;
	entry->key = pool_text(parser->pool, key, strlen(key));
	entry->name = name;
	entry->targets = text_skip(line, (size_t)colon + 1);
	table_put(parser->by_name, key, strlen(key), entry);
}

static void
tell(const struct account_parser *parser, const struct alias_entry *root,
    unsigned int depth, enum alias_step step, const char *name)
{
	const struct alias_watch *watch = parser->watch;

	if (watch != NULL && text_is_nocase(watch->name, root->key))
		watch->step(watch->context, depth, step, text_of(name));
}

/* A mistake leaves a row that leads nowhere, in a table that is only looked at:
 * the name is an alias all the same. */
static void
tell_mistake(const struct account_parser *parser,
    const struct alias_entry *root, unsigned int depth, enum alias_step step,
    const char *name)
{
	tell(parser, root, depth, step, name);
	account_table_add_alias(
	    parser->table, text_of(root->key), text_of(name));
}

static void follow_targets(struct account_parser *parser,
    const struct alias_entry *root, struct alias_entry *entry,
    struct table *seen, unsigned int depth);

static bool
count_target(struct account_parser *parser)
{
	if (++parser->target_count <= ACCOUNT_MAX_ALIAS_TARGETS &&
	    ++parser->row_count <= ACCOUNT_MAX_ALIASES)
		return true;
	account_complain(parser, 0, "the alias leads to too many accounts");
	return false;
}

static void
reach_account(struct account_parser *parser, const struct alias_entry *root,
    const struct account *account, struct table *seen, unsigned int depth)
{
	enum alias_step step = strcmp(account->address, root->key) == 0
				   ? ALIAS_STEP_KEPT
				   : ALIAS_STEP_ACCOUNT;

	if (table_find_u64(seen, account->number) != NULL) {
		tell(parser, root, depth, ALIAS_STEP_AGAIN, account->address);
		return;
	}
	if (!count_target(parser)) {
		tell(
		    parser, root, depth, ALIAS_STEP_TOO_MANY, account->address);
		return;
	}
	table_put_u64(seen, account->number, parser);
	tell(parser, root, depth, step, account->address);
	account_table_add_alias(
	    parser->table, text_of(root->key), text_of(account->address));
}

/* Somewhere else: the mail is passed on. */
static void
reach_elsewhere(struct account_parser *parser, const struct alias_entry *root,
    const char *address, struct table *seen, unsigned int depth)
{
	if (table_put(seen, address, strlen(address), parser) != NULL) {
		tell(parser, root, depth, ALIAS_STEP_AGAIN, address);
		return;
	}
	if (!count_target(parser)) {
		tell(parser, root, depth, ALIAS_STEP_TOO_MANY, address);
		return;
	}
	tell(parser, root, depth, ALIAS_STEP_ELSEWHERE, address);
	account_table_add_alias(
	    parser->table, text_of(root->key), text_of(address));
}

static bool
is_elsewhere(const struct account_parser *parser, struct text target)
{
	ptrdiff_t at = text_find_byte(target, '@');
	char domain[DOMAIN_NAME_SIZE];

	return at >= 0 &&
	       domain_name_to_ascii(
		   text_skip(target, (size_t)at + 1), domain) == 0 &&
	       settings_is_host_name(text_of(domain)) &&
	       !settings_is_domain(parser->settings, text_of(domain));
}

/* The alias that `key` names: of the whole address, or else, unless an account
 * has it, of its local part. */
static struct alias_entry *
find_next(struct account_parser *parser, const char *key,
    const struct account *account)
{
	char local[LOCAL_PART_MAX + 1];
	struct alias_entry *next = find_alias(parser, key);
	const char *at = strchr(key, '@');

	if (next != NULL || account != NULL || at == NULL ||
	    text_copy(
		text_make(key, (size_t)(at - key)), local, sizeof(local)) == -1)
		return next;
	return find_alias(parser, local);
}

static void
miss_target(struct account_parser *parser, const struct alias_entry *root,
    const char *key, size_t column, unsigned int depth)
{
	tell_mistake(parser, root, depth, ALIAS_STEP_UNKNOWN, key);
	account_complain(parser, column,
	    "target %s is no account and no alias of this host", key);
}

/* An address elsewhere; one of ours: an alias of it, an account, or an alias
 * for its local part; a bare name: an alias, or an account in the first domain.
 * An account that is met on the way to itself is itself: who passes his mail on
 * keeps it by that. */
static void
follow_target(struct account_parser *parser, const struct alias_entry *root,
    struct text target, size_t column, struct table *seen, unsigned int depth)
{
	char key[ADDRESS_MAX];
	char address[ADDRESS_MAX + 256];
	bool has_domain = text_find_byte(target, '@') >= 0;
	bool is_remote = is_elsewhere(parser, target);
	const struct account *account;
	struct alias_entry *next;

	if (target.size > 0 && strchr("|/:\"\\", target.data[0]) != NULL) {
		account_complain(parser, column,
		    "programs, files and includes are no "
		    "targets of an alias");
		return;
	}
	if (has_domain ? account_parse_address(
			     parser, target, column, is_remote, key) == -1
		       : account_copy_local(target, key) == -1) {
		if (!has_domain)
			account_complain(
			    parser, column, "a target is not a name");
		return;
	}
	if (is_remote) {
		reach_elsewhere(parser, root, key, seen, depth + 1);
		return;
	}
	(void)snprintf(address, sizeof(address), "%s%s%s", key,
	    has_domain ? "" : "@",
	    has_domain ? "" : parser->settings->domains[0]);
	account = account_find_address(parser->table, text_of(address));
	next = find_next(parser, key, account);
	if (next != NULL && (account == NULL || !next->is_on_path))
		follow_targets(parser, root, next, seen, depth + 1);
	else if (account != NULL)
		reach_account(parser, root, account, seen, depth + 1);
	else
		miss_target(parser, root, key, column, depth + 1);
}

static void
follow_targets(struct account_parser *parser, const struct alias_entry *root,
    struct alias_entry *entry, struct table *seen, unsigned int depth)
{
	struct text rest = entry->targets;
	struct text target;
	size_t count = 0;

	if (entry->is_on_path || depth > ACCOUNT_MAX_ALIAS_DEPTH) {
		tell_mistake(parser, root, depth,
		    entry->is_on_path ? ALIAS_STEP_LOOP : ALIAS_STEP_TOO_DEEP,
		    entry->key);
		account_complain(parser, 0, "alias %.*s %s",
		    TEXT_FMT(root->name),
		    entry->is_on_path ? "leads back to itself"
				      : "leads through too many others");
		return;
	}
	/* A name met by two ways is followed once: no explosion. */
	if (table_put(seen, &entry, sizeof(entry), entry) != NULL) {
		tell(parser, root, depth, ALIAS_STEP_AGAIN, entry->key);
		return;
	}
	tell(parser, root, depth, ALIAS_STEP_ALIAS, entry->key);
	entry->is_on_path = true;
	while (text_next(&rest, ',', &target)) {
		target = text_trim(target);
		if (target.size == 0)
			continue;
		count++;
		follow_target(parser, root, target,
		    (size_t)(target.data - entry->name.data), seen, depth);
	}
	if (count == 0)
		account_complain(parser, 0, "alias %.*s has no target",
		    TEXT_FMT(entry->name));
	entry->is_on_path = false;
}

static size_t
count_lines(struct text text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.size; i++)
		count += text.data[i] == '\n';
	return count;
}

static void
follow_all(struct account_parser *parser)
{
	for (size_t i = 0; i < parser->entry_count; i++) {
		struct alias_entry *entry = &parser->entries[i];
		struct table *seen = table_new();

		parser->line = entry->line;
		parser->target_count = 0;
		follow_targets(parser, entry, entry, seen, 0);
		table_free(&seen);
	}
}

void
account_parse_aliases(
    struct account_parser *parser, const struct account_source *aliases)
{
	struct text rest = aliases->text;
	struct text line;

	parser->name = aliases->name;
	parser->line = 0;
	parser->by_name = table_new();
	parser->pool = pool_new();
	parser->entries =
	    memory_new(count_lines(aliases->text), sizeof(*parser->entries));
	while (text_next(&rest, '\n', &line)) {
		parser->line++;
		if (account_is_line_to_read(parser, line))
			parse_alias(parser, line);
	}
	follow_all(parser);
	table_free(&parser->by_name);
	pool_free(&parser->pool);
	memory_free(&parser->entries);
}

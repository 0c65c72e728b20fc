/*
 * Reads the users file and the aliases file.  Every line is checked whole, and
 * all that is wrong is reported at once; a line of the users file is never
 * shown, because it holds a hash.  Aliases are followed to accounts here, so
 * that the table has one row for each account that a name leads to, and a loop
 * is an error of the administrator and not of a mail at night.
 */
#include "common/account_parser.h"

#include "common/memory.h"
#include "common/settings_parser.h"
#include "common/settings_value.h"
#include "common/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	LOCAL_PART_MAX = 64,
	DOMAIN_MAX = 255,
	ADDRESS_MAX = 320,
	HASH_MAX = 500
};

struct alias_entry {
	struct text name;    /* in lower, as written */
	struct text targets; /* the rest of the line */
	unsigned int line;
	bool is_on_path; /* being followed now: meeting it again is a loop */
};

struct account_parser {
	const char *name;
	const struct settings *settings;
	struct report *report;
	struct account_table *table;
	unsigned int line;
	/* aliases */
	struct alias_entry *entries;
	size_t entry_count;
	struct table *by_name;
	size_t row_count;
	size_t target_count; /* of the name that is being followed */
};

static void complain(struct account_parser *parser, size_t column,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
complain(struct account_parser *parser, size_t column, const char *format, ...)
{
	struct report_place place = { parser->name, parser->line,
		(unsigned int)column + 1, { NULL, 0 } };
	char text[500];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	report_error(parser->report, &place, "%s", text);
}

/* -- Addresses -- */

static bool
is_atom_byte(char c)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') ||
	       text_is_digit(c) || strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL;
}

/* Lower case into `to`; 0, or -1 if it is no dot-atom. */
static int
copy_local(struct text local, char *to)
{
	if (local.size == 0 || local.size > LOCAL_PART_MAX ||
	    local.data[0] == '.' || local.data[local.size - 1] == '.')
		return -1;
	for (size_t i = 0; i < local.size; i++) {
		to[i] = text_lower_byte(local.data[i]);
		if (to[i] == '\0' || !is_atom_byte(to[i]) ||
		    (i > 0 && to[i] == '.' && to[i - 1] == '.'))
			return -1;
	}
	to[local.size] = '\0';
	return text_is_utf8(local) ? 0 : -1;
}

/* local@domain, in lower case, in one of our domains or elsewhere; reported. */
static int
parse_address(struct account_parser *parser, struct text address, size_t column,
    bool is_remote, char to[ADDRESS_MAX])
{
	ptrdiff_t at = text_find_byte(address, '@');
	struct text domain;

	if (at < 0 ||
	    copy_local(text_make(address.data, (size_t)at), to) == -1 ||
	    address.size >= ADDRESS_MAX) {
		complain(parser, column, "\"%.*s\" is not an address",
		    (int)(address.size > 100 ? 100 : address.size),
		    address.data);
		return -1;
	}
	domain = text_skip(address, (size_t)at + 1);
	if (!is_remote && !settings_is_domain(parser->settings, domain)) {
		complain(parser, column,
		    "\"%.*s\" is in none of the domains of firnmail.conf",
		    (int)(address.size > 100 ? 100 : address.size),
		    address.data);
		return -1;
	}
	for (size_t i = (size_t)at; i < address.size; i++)
		to[i] = text_lower_byte(address.data[i]);
	to[address.size] = '\0';
	return 0;
}

/* -- The users file -- */

static const struct {
	const char *scheme; /* as Dovecot names it */
	const char *start;  /* how such a hash begins; NULL: any of them */
} schemes[] = {
	{ "CRYPT", NULL },
	{ "BLF-CRYPT", "$2" },
	{ "SHA512-CRYPT", "$6$" },
	{ "SHA256-CRYPT", "$5$" },
	{ "MD5-CRYPT", "$1$" },
	{ "YESCRYPT", "$y$" },
	{ "GOST-YESCRYPT", "$gy$" },
	{ "SCRYPT", "$7$" },
};
static const char *const scheme_names[] = { "CRYPT", "BLF-CRYPT",
	"SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "YESCRYPT",
	"GOST-YESCRYPT", "SCRYPT", NULL };

static bool
is_known_start(struct text hash)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (schemes[i].start != NULL &&
		    text_starts_nocase(hash, schemes[i].start))
			return true;
	return false;
}

/* Takes {SCHEME} off `hash`; 0, or -1 (reported). */
static int
take_scheme(struct account_parser *parser, struct text *hash, size_t column,
    const char **start)
{
	ptrdiff_t end = text_find_byte(*hash, '}');
	struct text scheme;
	const char *meant;

	*start = NULL;
	if (hash->size == 0 || hash->data[0] != '{' || end < 0)
		return 0;
	scheme = text_make(hash->data + 1, (size_t)end - 1);
	*hash = text_skip(*hash, (size_t)end + 1);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!text_is_nocase(scheme, schemes[i].scheme))
			continue;
		*start = schemes[i].start;
		return 0;
	}
	meant = report_suggest(scheme, scheme_names);
	if (scheme.size > 30)
		scheme.size = 30;
	complain(parser, column,
	    "password scheme {%.*s} is not one of crypt(5): %s%s%s",
	    TEXT_FMT(scheme),
	    meant ? "did you mean {"
		  : "set a new password "
		    "with firnmail account passwd",
	    meant ? meant : "", meant ? "}?" : "");
	return -1;
}

static int
parse_hash(struct account_parser *parser, struct text hash, size_t column,
    char to[HASH_MAX + 1])
{
	const char *start;

	if (take_scheme(parser, &hash, column, &start) == -1)
		return -1;
	if (hash.size == 0) {
		to[0] = '\0'; /* no login */
		return 0;
	}
	if (!is_known_start(hash) ||
	    (start != NULL && !text_starts_nocase(hash, start))) {
		complain(parser, column,
		    start != NULL ? "the hash is not one of its {SCHEME}"
				  : "the password is not a hash of crypt(5)");
		return -1;
	}
	if (text_copy(hash, to, HASH_MAX + 1) == -1) {
		complain(parser, column, "the hash is too long");
		return -1;
	}
	for (size_t i = 0; to[i] != '\0'; i++)
		if (to[i] <= ' ' || to[i] > '~' || strchr("!*\\:;", to[i])) {
			complain(parser, column, "the hash is malformed");
			return -1;
		}
	return 0;
}

/* A class is what its limit line says of it. */
static void
parse_class(struct account_parser *parser, struct text class, size_t column,
    struct account *account)
{
	const struct send_limit_setting *limit =
	    settings_find_send_limit(parser->settings, class);

	if (limit == NULL)
		complain(parser, column,
		    "there is no line limit send ... class %.*s",
		    TEXT_FMT(class));
	else
		account->send_per_day = limit->per_day;
}

static void
parse_extra(struct account_parser *parser, struct text extra, size_t column,
    struct account *account)
{
	uint32_t max = ~parser->settings->uid_account_mask;
	struct text field;
	uint64_t number;

	while (text_next(&extra, ' ', &field)) {
		if (text_is_nocase(field, "nologin") ||
		    text_is_nocase(field, "nologin=y"))
			account->flags |= ACCOUNT_DISABLED;
		if (text_starts_nocase(field, "firnmail_class="))
			parse_class(
			    parser, text_skip(field, 15), column, account);
		if (!text_starts_nocase(field, "firnmail_id="))
			continue; /* Dovecot's own */
		field = text_skip(field, 12);
		if (text_parse_number(field, max, &number) == -1 || number == 0)
			complain(parser, column,
			    "firnmail_id must be a number from 1 to %u", max);
		else
			account->number = (uint32_t)number;
	}
}

/* Cuts a line into at most `max` fields; the last takes the rest. */
static size_t
cut_fields(struct text line, struct text *fields, size_t max)
{
	size_t count = 0;

	while (count + 1 < max && text_find_byte(line, ':') >= 0)
		(void)text_next(&line, ':', &fields[count++]);
	fields[count++] = line;
	return count;
}

static void
add_account(struct account_parser *parser, struct account *account)
{
	const struct account *other;

	if (account->number == 0) {
		complain(parser, 0,
		    "%s has no firnmail_id: run `firnmail account add %s`",
		    account->address, account->address);
		return;
	}
	account->uid = parser->settings->uid_account_base + account->number;
	account->gid = account->uid;
	other = account_find_number(parser->table, account->number);
	if (other != NULL)
		complain(parser, 0, "%s and %s have the same firnmail_id %u",
		    other->address, account->address, account->number);
	else if (account_table_count(parser->table) == ACCOUNT_MAX_ACCOUNTS)
		complain(
		    parser, 0, "more than %d accounts", ACCOUNT_MAX_ACCOUNTS);
	else if (account_table_add(parser->table, account) == -1)
		complain(parser, 0, "%s is there twice", account->address);
}

static void
parse_user(struct account_parser *parser, struct text line)
{
	char address[ADDRESS_MAX];
	char hash[HASH_MAX + 1];
	struct account account = { .address = address, .hash = hash };
	const struct send_limit_setting *limit =
	    settings_find_send_limit(parser->settings, TEXT(""));
	struct text fields[8];
	size_t count = cut_fields(line, fields, 8);
	size_t before = report_errors(parser->report);

	if (count < 2) {
		complain(parser, 0,
		    "a user is ADDRESS:{SCHEME}HASH:uid:gid:"
		    "gecos:home:shell:firnmail_id=N");
		return;
	}
	if (limit != NULL)
		account.send_per_day = limit->per_day;
	(void)parse_address(parser, fields[0], 0, false, address);
	if (parse_hash(parser, fields[1], fields[0].size + 1, hash) == 0 &&
	    hash[0] == '\0')
		account.flags |= ACCOUNT_DISABLED;
	if (count == 8)
		parse_extra(parser, fields[7],
		    (size_t)(fields[7].data - line.data), &account);
	else if (count > 2) /* the short form ends with the extra fields */
		parse_extra(parser, fields[count - 1],
		    (size_t)(fields[count - 1].data - line.data), &account);
	if (report_errors(parser->report) == before)
		add_account(parser, &account);
	explicit_bzero(hash, sizeof(hash));
}

/* True if the line is of a fit length and has something to read. */
static bool
is_line_to_read(struct account_parser *parser, struct text line)
{
	if (line.size > ACCOUNT_MAX_LINE_BYTES) {
		complain(parser, 0, "the line is longer than %d bytes",
		    ACCOUNT_MAX_LINE_BYTES);
		return false;
	}
	if (text_find_byte(line, '\0') >= 0) {
		complain(parser, 0, "the line holds a NUL");
		return false;
	}
	return text_trim(line).size > 0 && line.data[0] != '#';
}

static void
parse_users(struct account_parser *parser, const struct account_source *users)
{
	struct text rest = users->text;
	struct text line;

	parser->name = users->name;
	while (text_next(&rest, '\n', &line)) {
		parser->line++;
		if (line.size > 0 && line.data[line.size - 1] == '\r')
			line.size--;
		if (is_line_to_read(parser, line))
			parse_user(parser, line);
	}
}

/* -- The aliases file -- */

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
	if (!settings_is_domain(parser->settings, text_skip(name, 1))) {
		complain(parser, 0,
		    "\"%.*s\" is in none of the domains of firnmail.conf",
		    (int)(name.size > 100 ? 100 : name.size), name.data);
		return -1;
	}
	for (size_t i = 0; i < name.size; i++)
		key[i] = text_lower_byte(name.data[i]);
	key[name.size] = '\0';
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
		complain(parser, 0, "an alias is NAME: TARGET, TARGET");
		return;
	}
	if (text_starts_nocase(name, "@")) {
		if (parse_domain(parser, name, key) == -1)
			return;
	} else if (text_find_byte(name, '@') >= 0) {
		if (parse_address(parser, name, 0, false, key) == -1)
			return;
	} else if (copy_local(name, key) == -1) {
		complain(parser, 0, "the alias has no valid name");
		return;
	}
	if (find_alias(parser, key) != NULL) {
		complain(parser, 0, "alias %s is there twice: line %u", key,
		    find_alias(parser, key)->line);
		return;
	}
	/* parse_aliases made room for an entry a line */
	entry = &parser->entries[parser->entry_count++];
	entry->line = parser->line;
	entry->name = name;
	entry->targets = text_skip(line, (size_t)colon + 1);
	table_put(parser->by_name, key, strlen(key), entry);
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
	complain(parser, 0, "the alias leads to too many accounts");
	return false;
}

static void
reach_account(struct account_parser *parser, const struct alias_entry *root,
    const struct account *account, struct table *seen)
{
	if (table_find_u64(seen, account->number) != NULL)
		return; /* by another way already */
	if (!count_target(parser))
		return;
	table_put_u64(seen, account->number, parser);
	account_table_add_alias(
	    parser->table, root->name, text_of(account->address));
}

/* Somewhere else: the mail is passed on. */
static void
reach_elsewhere(struct account_parser *parser, const struct alias_entry *root,
    const char *address, struct table *seen)
{
	if (table_put(seen, address, strlen(address), parser) == NULL &&
	    count_target(parser))
		account_table_add_alias(
		    parser->table, root->name, text_of(address));
}

static bool
is_elsewhere(const struct account_parser *parser, struct text target)
{
	ptrdiff_t at = text_find_byte(target, '@');
	char domain[DOMAIN_MAX + 1];

	return at >= 0 &&
	       text_copy(text_skip(target, (size_t)at + 1), domain,
		   sizeof(domain)) == 0 &&
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
		complain(parser, column,
		    "programs, files and includes are no "
		    "targets of an alias");
		return;
	}
	if (has_domain
		? parse_address(parser, target, column, is_remote, key) == -1
		: copy_local(target, key) == -1) {
		if (!has_domain)
			complain(parser, column, "a target is not a name");
		return;
	}
	if (is_remote) {
		reach_elsewhere(parser, root, key, seen);
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
		reach_account(parser, root, account, seen);
	else
		complain(parser, column,
		    "target %s is no account and no alias of this host", key);
}

static void
follow_targets(struct account_parser *parser, const struct alias_entry *root,
    struct alias_entry *entry, struct table *seen, unsigned int depth)
{
	struct text rest = entry->targets;
	struct text target;
	size_t count = 0;

	if (entry->is_on_path || depth > ACCOUNT_MAX_ALIAS_DEPTH) {
		complain(parser, 0, "alias %.*s %s", TEXT_FMT(root->name),
		    entry->is_on_path ? "leads back to itself"
				      : "leads through too many others");
		return;
	}
	/* A name met by two ways is followed once: no explosion. */
	if (table_put(seen, &entry, sizeof(entry), entry) != NULL)
		return;
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
		complain(parser, 0, "alias %.*s has no target",
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

static void
parse_aliases(
    struct account_parser *parser, const struct account_source *aliases)
{
	struct text rest = aliases->text;
	struct text line;

	parser->name = aliases->name;
	parser->line = 0;
	parser->by_name = table_new();
	parser->entries =
	    memory_new(count_lines(aliases->text), sizeof(*parser->entries));
	while (text_next(&rest, '\n', &line)) {
		parser->line++;
		if (is_line_to_read(parser, line))
			parse_alias(parser, line);
	}
	follow_all(parser);
	table_free(&parser->by_name);
	memory_free(&parser->entries);
}

struct account_table *
account_table_parse(const struct account_source *users,
    const struct account_source *aliases, const struct settings *settings,
    struct report *report)
{
	struct account_parser parser = { .settings = settings,
		.report = report };
	size_t before = report_errors(report);

	parser.table = account_table_new();
	parse_users(&parser, users);
	if (aliases != NULL)
		parse_aliases(&parser, aliases);
	if (report_errors(report) != before)
		account_table_free(&parser.table);
	return parser.table;
}

/* -- Files -- */

static int
load(const char *path, struct buf *to, bool may_be_missing,
    struct report *report)
{
	struct report_place place = { path, 0, 0, { NULL, 0 } };
	struct error error;

	if (settings_read_file(path, to, &error) == 0)
		return 0;
	if (may_be_missing && error.code == ERROR_MISSING) {
		report_warning(report, &place, "is not there yet: no accounts");
		return 0;
	}
	report_error(report, &place, "%s", error.text);
	return -1;
}

struct account_table *
account_table_load(const struct settings *settings, struct report *report)
{
	struct account_source users = { settings->users_path, { NULL, 0 } };
	struct account_source aliases = { settings->aliases_path, { NULL, 0 } };
	bool has_aliases = settings->aliases_path[0] != '\0';
	struct account_table *table = NULL;
	struct buf users_buf;
	struct buf aliases_buf;

	buf_init(&users_buf, ACCOUNT_MAX_FILE_BYTES);
	buf_init(&aliases_buf, ACCOUNT_MAX_FILE_BYTES);
	if (load(settings->users_path, &users_buf, true, report) == 0 &&
	    (!has_aliases || load(settings->aliases_path, &aliases_buf, false,
				 report) == 0)) {
		users.text = text_make(users_buf.data, users_buf.size);
		aliases.text = text_make(aliases_buf.data, aliases_buf.size);
		table = account_table_parse(
		    &users, has_aliases ? &aliases : NULL, settings, report);
	}
	if (users_buf.size > 0)
		explicit_bzero(users_buf.data, users_buf.size);
	buf_clear(&users_buf);
	buf_clear(&aliases_buf);
	return table;
}

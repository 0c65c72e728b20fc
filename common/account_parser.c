/*
 * Reads the users file, and the aliases file by alias_parser.c.  Every line is
 * checked whole, and all that is wrong is reported at once; a line of the users
 * file is never shown, because it holds a hash.
 */
#include "common/account_parser.h"

#include "common/account_parser_state.h"
#include "common/domain_name.h"
#include "common/settings_parser.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	HASH_MAX = 500
};

void
account_complain(
    struct account_parser *parser, size_t column, const char *format, ...)
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

int
account_copy_local(struct text local, char *to)
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

static int
complain_of(struct account_parser *parser, struct text address, size_t column,
    const char *what)
{
	account_complain(parser, column, "\"%.*s\" is %s",
	    (int)(address.size > 100 ? 100 : address.size), address.data, what);
	return -1;
}

int
account_parse_address(struct account_parser *parser, struct text address,
    size_t column, bool is_remote, char to[ADDRESS_MAX])
{
	ptrdiff_t at = text_find_byte(address, '@');
	char ascii[DOMAIN_NAME_SIZE];
	const char *domain = ascii;

	if (at < 0 ||
	    account_copy_local(text_make(address.data, (size_t)at), to) == -1 ||
	    domain_name_to_ascii(text_skip(address, (size_t)at + 1), ascii) ==
		-1)
		return complain_of(parser, address, column, "not an address");
	if (!is_remote) {
		domain = settings_find_domain(parser->settings, text_of(ascii));
		if (domain == NULL)
			return complain_of(parser, address, column,
			    "in none of the domains of firnmail.conf");
	}
	if ((size_t)at + 1 + strlen(domain) >= ADDRESS_MAX)
		return complain_of(parser, address, column, "not an address");
	snprintf(to + at, ADDRESS_MAX - (size_t)at, "@%s", domain);
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
	account_complain(parser, column,
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
		account_complain(parser, column,
		    start != NULL ? "the hash is not one of its {SCHEME}"
				  : "the password is not a hash of crypt(5)");
		return -1;
	}
	if (text_copy(hash, to, HASH_MAX + 1) == -1) {
		account_complain(parser, column, "the hash is too long");
		return -1;
	}
	for (size_t i = 0; to[i] != '\0'; i++)
		if (to[i] <= ' ' || to[i] > '~' || strchr("!*\\:;", to[i])) {
			account_complain(
			    parser, column, "the hash is malformed");
			return -1;
		}
	return 0;
}

/* A class is what its limit lines say of it: false if there is none. */
static bool
take_limits(const struct account_parser *parser, struct text class,
    struct account *account)
{
	const struct send_limit_setting *limit =
	    settings_find_send_limit(parser->settings, class);
	const struct quota_setting *quota =
	    settings_find_quota(parser->settings, class);

	if (limit != NULL)
		account->send_per_day = limit->per_day;
	if (quota != NULL) {
		account->quota_bytes = quota->bytes;
		account->quota_messages = quota->messages;
	}
	return limit != NULL || quota != NULL;
}

static void
parse_class(struct account_parser *parser, struct text class, size_t column,
    struct account *account)
{
	if (!take_limits(parser, class, account))
		account_complain(parser, column,
		    "there is no line limit ... class %.*s", TEXT_FMT(class));
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
			account_complain(parser, column,
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
		account_complain(parser, 0,
		    "%s has no firnmail_id: run `firnmail account add %s`",
		    account->address, account->address);
		return;
	}
	account->uid = parser->settings->uid_account_base + account->number;
	account->gid = account->uid;
	other = account_find_number(parser->table, account->number);
	if (other != NULL)
		account_complain(parser, 0,
		    "%s and %s have the same firnmail_id %u", other->address,
		    account->address, account->number);
	else if (account_table_count(parser->table) == ACCOUNT_MAX_ACCOUNTS)
		account_complain(
		    parser, 0, "more than %d accounts", ACCOUNT_MAX_ACCOUNTS);
	else if (account_table_add(parser->table, account) == -1)
		account_complain(
		    parser, 0, "%s is there twice", account->address);
}

static void
parse_user(struct account_parser *parser, struct text line)
{
	char address[ADDRESS_MAX];
	char given[ADDRESS_MAX];
	char hash[HASH_MAX + 1];
	struct account account = { .address = address, .hash = hash };
	struct text fields[8];
	size_t count = cut_fields(line, fields, 8);
	size_t before = report_errors(parser->report);

	if (count < 2) {
		account_complain(parser, 0,
		    "a user is ADDRESS:{SCHEME}HASH:uid:gid:"
		    "gecos:home:shell:firnmail_id=N");
		return;
	}
	(void)take_limits(parser, TEXT(""), &account);
	if (account_parse_address(parser, fields[0], 0, false, address) == 0 &&
	    domain_name_of_address(fields[0], given, sizeof(given)) == 0 &&
	    !text_is_nocase(text_of(given), address))
		account_complain(
		    parser, 0, "its domain is another name: write %s", address);
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

bool
account_is_line_to_read(struct account_parser *parser, struct text line)
{
	if (line.size > ACCOUNT_MAX_LINE_BYTES) {
		account_complain(parser, 0, "the line is longer than %d bytes",
		    ACCOUNT_MAX_LINE_BYTES);
		return false;
	}
	if (text_find_byte(line, '\0') >= 0) {
		account_complain(parser, 0, "the line holds a NUL");
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
		if (account_is_line_to_read(parser, line))
			parse_user(parser, line);
	}
}

struct account_table *
account_table_watch(const struct account_source *users,
    const struct account_source *aliases, const struct settings *settings,
    const struct alias_watch *watch, struct report *report)
{
	struct account_parser parser = {
		.settings = settings, .watch = watch, .report = report
	};

	parser.table = account_table_new();
	parse_users(&parser, users);
	if (aliases != NULL)
		account_parse_aliases(&parser, aliases);
	return parser.table;
}

struct account_table *
account_table_parse(const struct account_source *users,
    const struct account_source *aliases, const struct settings *settings,
    struct report *report)
{
	size_t before = report_errors(report);
	struct account_table *table =
	    account_table_watch(users, aliases, settings, NULL, report);

	if (report_errors(report) != before)
		account_table_free(&table);
	return table;
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

/* A host that was set up before there was SRS has no secret. */
static void
warn_of_senders(const struct settings *settings,
    const struct account_table *table, struct report *report)
{
	struct report_place place = { settings->aliases_path, 0, 0,
		{ NULL, 0 } };
	const struct account_alias *aliases;
	size_t count = account_table_aliases(table, &aliases), i = 0;

	if (settings->is_srs_off || settings->srs_secret_count > 0)
		return;
	while (i < count &&
	       account_find_address(table, text_of(aliases[i].target)) != NULL)
		i++;
	if (i < count)
		report_warning(report, &place,
		    "mail is passed on, and there is no secret for srs: it "
		    "keeps its sender; `firnmail setup` makes one");
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
	if (table != NULL)
		warn_of_senders(settings, table, report);
	if (users_buf.size > 0)
		explicit_bzero(users_buf.data, users_buf.size);
	buf_clear(&users_buf);
	buf_clear(&aliases_buf);
	return table;
}

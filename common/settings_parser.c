/*
 * firnmail.conf's grammar, as two tables: the directives, and the words that
 * each of them takes.  A statement is read word by word; what a word needs
 * behind it is its kind, and `apply` puts the value into the settings.  A
 * mistake is reported and reading goes on, so that one run shows them all.
 * Pure: the files that belong to the settings are read by settings_load.c.
 */
#include "common/settings_parser.h"

#include "common/memory.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum value_kind {
	VALUE_NONE,   /* the word alone */
	VALUE_TEXT,   /* any word: apply checks it */
	VALUE_PATH,   /* absolute, or relative to the config's directory */
	VALUE_NUMBER, /* decimal or 0x hex */
	VALUE_SPAN,   /* 15m 24h 7d 2y: seconds */
	VALUE_SIZE,   /* 50M: bytes */
	VALUE_ABSENT  /* a feature that this version lacks */
};

struct word {
	struct text text;
	unsigned int column;
};

struct value {
	struct word word;
	uint64_t number;
	char path[512];
};

struct parser;

struct option {
	const char *name; /* NULL: any word that is no other option */
	enum value_kind kind;
	uint64_t max; /* of a number, span or size; 0: no limit */
	void (*apply)(struct parser *parser, const struct value *value);
	const char *instead; /* absent: what to do */
};

struct directive {
	const char *name;
	const char *usage;
	const struct option *options;
	bool is_repeatable;
	/* NULL where nothing has to be done. */
	bool (*begin)(struct parser *parser);
	void (*finish)(struct parser *parser);
};

struct parser {
	const char *name;
	const char *directory;
	struct settings *settings;
	struct settings_origin *origin;
	struct report *report;
	unsigned int line;
	struct text source;
	struct word words[SETTINGS_MAX_WORDS];
	size_t word_count;
	size_t next;               /* word that is read next */
	unsigned int options_seen; /* of this statement, a bit each */
	unsigned int had_errors;   /* when the statement began */
};

static void complain(struct parser *parser, struct word at, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

static struct report_place
place_of(const struct parser *parser, struct word at)
{
	return (struct report_place){ parser->name, parser->line, at.column,
		parser->source };
}

static void
complain(struct parser *parser, struct word at, const char *format, ...)
{
	struct report_place place = place_of(parser, at);
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	report_error(parser->report, &place, "%s", text);
}

/* -- Values -- */

static bool
is_host_name(struct text name)
{
	struct text rest = name;
	struct text label;
	size_t labels = 0;

	if (name.size == 0 || name.size > 253)
		return false;
	while (text_next(&rest, '.', &label)) {
		labels++;
		if (label.size == 0 || label.size > 63 ||
		    label.data[0] == '-' || label.data[label.size - 1] == '-')
			return false;
		for (size_t i = 0; i < label.size; i++) {
			char c = text_lower_byte(label.data[i]);

			if (!(c >= 'a' && c <= 'z') && !text_is_digit(c) &&
			    c != '-')
				return false;
		}
	}
	return labels > 0 && name.data[name.size - 1] != '.';
}

static void
copy_lower(struct text from, char *to)
{
	for (size_t i = 0; i < from.size; i++)
		to[i] = text_lower_byte(from.data[i]);
	to[from.size] = '\0';
}

static int
parse_unit(struct text word, const char *units, const uint64_t *factors,
    uint64_t *value)
{
	const char *unit;
	uint64_t factor = 1;

	if (word.size == 0)
		return -1;
	unit = strchr(units, word.data[word.size - 1]);
	if (unit != NULL && *unit != '\0') {
		factor = factors[unit - units];
		word.size--;
	}
	if (text_parse_number(word, UINT64_MAX / factor, value) == -1)
		return -1;
	*value *= factor;
	return 0;
}

static int
parse_span(struct text word, uint64_t *value)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400, 604800,
		31536000 };

	if (word.size == 0 || text_is_digit(word.data[word.size - 1]))
		return -1; /* a bare number says no unit */
	return parse_unit(word, "smhdwy", factors, value);
}

static int
parse_size(struct text word, uint64_t *value)
{
	static const uint64_t factors[] = { 1024, 1048576, 1073741824 };

	return parse_unit(word, "KMG", factors, value);
}

static int
parse_number(struct text word, uint64_t *value)
{
	uint64_t n = 0;

	if (!text_starts_nocase(word, "0x"))
		return text_parse_number(word, UINT32_MAX, value);
	if (word.size < 3 || word.size > 10)
		return -1;
	for (size_t i = 2; i < word.size; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit =
		    memchr(digits, text_lower_byte(word.data[i]), 16);

		if (digit == NULL)
			return -1;
		n = n * 16 + (uint64_t)(digit - digits);
	}
	*value = n;
	return 0;
}

static int
parse_path(struct parser *parser, struct value *value)
{
	struct text path = value->word.text;
	bool is_absolute = path.size > 0 && path.data[0] == '/';
	int n = snprintf(value->path, sizeof(value->path), "%s%s%.*s",
	    is_absolute ? "" : parser->directory, is_absolute ? "" : "/",
	    TEXT_FMT(path));

	if (path.size == 0 || n < 0 || (size_t)n >= sizeof(value->path) ||
	    strstr(value->path, "/../") != NULL)
		return -1;
	while (n > 1 && value->path[n - 1] == '/')
		value->path[--n] = '\0';
	return 0;
}

static const char *const kind_names[] = { [VALUE_NONE] = "nothing",
	[VALUE_TEXT] = "a word",
	[VALUE_PATH] = "a path without \"..\" of at most 500 bytes",
	[VALUE_NUMBER] = "a number",
	[VALUE_SPAN] = "a time such as 15m, 24h, 7d, 2w or 1y",
	[VALUE_SIZE] = "a size such as 512K, 50M or 2G",
	[VALUE_ABSENT] = "nothing" };

static int
parse_value(
    struct parser *parser, const struct option *option, struct value *value)
{
	struct text text = value->word.text;
	int status = 0;

	if (option->kind == VALUE_PATH)
		status = parse_path(parser, value);
	else if (option->kind == VALUE_NUMBER)
		status = parse_number(text, &value->number);
	else if (option->kind == VALUE_SPAN)
		status = parse_span(text, &value->number);
	else if (option->kind == VALUE_SIZE)
		status = parse_size(text, &value->number);
	if (status == -1) {
		complain(parser, value->word, "\"%.*s\" is not %s",
		    TEXT_FMT(text), kind_names[option->kind]);
		return -1;
	}
	if (option->max != 0 && value->number > option->max) {
		complain(parser, value->word,
		    "\"%.*s\" is too much: at most %llu", TEXT_FMT(text),
		    (unsigned long long)option->max);
		return -1;
	}
	return 0;
}

/* -- What the words do -- */

static void
apply_host(struct parser *parser, const struct value *value)
{
	if (!is_host_name(value->word.text)) {
		complain(parser, value->word, "\"%.*s\" is not a host name",
		    TEXT_FMT(value->word.text));
		return;
	}
	copy_lower(value->word.text, parser->settings->host);
}

static void
apply_domain(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	char domain[256];

	if (!is_host_name(value->word.text)) {
		complain(parser, value->word, "\"%.*s\" is not a domain",
		    TEXT_FMT(value->word.text));
		return;
	}
	copy_lower(value->word.text, domain);
	for (size_t i = 0; i < settings->domain_count; i++) {
		if (strcmp(settings->domains[i], domain) != 0)
			continue;
		complain(parser, value->word, "domain \"%s\" is given twice",
		    domain);
		return;
	}
	if (settings->domain_count == SETTINGS_MAX_DOMAINS) {
		complain(parser, value->word, "more than %d domains",
		    SETTINGS_MAX_DOMAINS);
		return;
	}
	parser->origin->domain[settings->domain_count] = parser->line;
	memcpy(settings->domains[settings->domain_count++], domain,
	    sizeof(domain));
}

static struct listen_setting *
listener_of(struct parser *parser)
{
	return &parser->settings->listeners[parser->settings->listener_count];
}

static bool
begin_listen(struct parser *parser)
{
	if (parser->settings->listener_count == SETTINGS_MAX_LISTENERS) {
		complain(parser, parser->words[0], "more than %d listeners",
		    SETTINGS_MAX_LISTENERS);
		return false;
	}
	memset(listener_of(parser), 0, sizeof(struct listen_setting));
	return true;
}

static const char *const service_words[] = { "smtp", "submit", "imap", NULL };

static void
apply_service(struct parser *parser, const struct value *value)
{
	for (size_t i = 0; service_words[i] != NULL; i++) {
		if (!text_is(value->word.text, service_words[i]))
			continue;
		listener_of(parser)->service = (enum service)i;
		return;
	}
}

static void
apply_address(struct parser *parser, const struct value *value)
{
	struct listen_setting *listener = listener_of(parser);
	struct in6_addr address;

	if (text_copy(value->word.text, listener->address,
		sizeof(listener->address)) == -1 ||
	    (strcmp(listener->address, "*") != 0 &&
		inet_pton(AF_INET, listener->address, &address) != 1 &&
		inet_pton(AF_INET6, listener->address, &address) != 1))
		complain(parser, value->word,
		    "\"%.*s\" is not a numeric address or *",
		    TEXT_FMT(value->word.text));
}

static void
apply_port(struct parser *parser, const struct value *value)
{
	listener_of(parser)->port = (uint16_t)value->number;
	if (value->number == 0)
		complain(parser, value->word, "port 0 is none");
}

static void
set_listen_tls(
    struct parser *parser, const struct value *value, enum listen_tls tls)
{
	if (listener_of(parser)->tls != LISTEN_TLS_NONE)
		complain(parser, value->word,
		    "only one of tls, starttls-required and tls-required");
	listener_of(parser)->tls = tls;
}

static void
apply_tls(struct parser *parser, const struct value *value)
{
	set_listen_tls(parser, value, LISTEN_TLS_OFFERED);
}

static void
apply_starttls_required(struct parser *parser, const struct value *value)
{
	set_listen_tls(parser, value, LISTEN_TLS_REQUIRED);
}

static void
apply_tls_required(struct parser *parser, const struct value *value)
{
	set_listen_tls(parser, value, LISTEN_TLS_IMPLICIT);
}

static void
apply_auth(struct parser *parser, const struct value *value)
{
	if (listener_of(parser)->service == SERVICE_SMTP)
		complain(parser, value->word,
		    "smtp takes no logins: use a submit listener for them");
}

static void
apply_plain_login(struct parser *parser, const struct value *value)
{
	listener_of(parser)->is_plain_login = true;
	if (listener_of(parser)->service == SERVICE_SMTP)
		complain(parser, value->word, "smtp takes no logins");
}

/* Bits of options_seen are positions in the table of the directive. */
enum {
	LISTEN_SEEN_SERVICE = 7,
	LISTEN_SEEN_ADDRESS = 8,
	LISTEN_SEEN_PORT = 16
};

static void
finish_listen(struct parser *parser)
{
	struct listen_setting *listener = listener_of(parser);
	unsigned int seen = parser->options_seen;

	if ((seen & LISTEN_SEEN_SERVICE) == 0)
		complain(parser, parser->words[0],
		    "listen needs one of smtp, submit and imap");
	else if (__builtin_popcount(seen & LISTEN_SEEN_SERVICE) > 1)
		complain(
		    parser, parser->words[0], "a listener has one service");
	if ((seen & LISTEN_SEEN_PORT) == 0)
		complain(parser, parser->words[0], "listen needs a port");
	if ((seen & LISTEN_SEEN_ADDRESS) == 0)
		memcpy(listener->address, "*", sizeof("*"));
	if (report_errors(parser->report) != parser->had_errors)
		return;
	parser->origin->listener[parser->settings->listener_count++] =
	    parser->line;
}

static bool
begin_key(struct parser *parser)
{
	if (parser->settings->key_count == SETTINGS_MAX_KEYS) {
		complain(parser, parser->words[0], "more than %d certificates",
		    SETTINGS_MAX_KEYS);
		return false;
	}
	return true;
}

static struct key_setting *
key_of(struct parser *parser)
{
	return &parser->settings->keys[parser->settings->key_count];
}

/* Every path in struct settings is as large as the one in struct value. */
static void
copy_path(char to[512], const struct value *value)
{
	memcpy(to, value->path, sizeof(value->path));
}

static void
apply_certificate(struct parser *parser, const struct value *value)
{
	copy_path(key_of(parser)->certificate_path, value);
}

static void
apply_key(struct parser *parser, const struct value *value)
{
	copy_path(key_of(parser)->key_path, value);
}

static int
join(struct parser *parser, char *to, size_t to_size, const char *name)
{
	int n = snprintf(to, to_size, "%s/%s", parser->directory, name);

	if (n > 0 && (size_t)n < to_size)
		return 0;
	complain(parser, parser->words[0], "the path of %s is too long", name);
	return -1;
}

static void
apply_auto(struct parser *parser, const struct value *value)
{
	struct key_setting *key = key_of(parser);

	(void)join(parser, key->certificate_path, sizeof(key->certificate_path),
	    "certificate.pem");
	(void)join(parser, key->key_path, sizeof(key->key_path), "key.pem");
}

static void
finish_key(struct parser *parser)
{
	const struct key_setting *key = key_of(parser);
	unsigned int seen = parser->options_seen;

	if ((seen & 1) != 0 && (seen & 6) != 0)
		complain(parser, parser->words[0],
		    "tls is either auto or a certificate with its key");
	else if (key->certificate_path[0] == '\0' || key->key_path[0] == '\0')
		complain(parser, parser->words[0],
		    "tls needs auto, or a certificate and its key");
	if (report_errors(parser->report) != parser->had_errors)
		memset(key_of(parser), 0, sizeof(struct key_setting));
	else
		parser->origin->key[parser->settings->key_count++] =
		    parser->line;
}

#define APPLY_PATH(name, member)                              \
	static void apply_##name(                             \
	    struct parser *parser, const struct value *value) \
	{                                                     \
		copy_path(parser->settings->member, value);   \
	}
#define APPLY_NUMBER(name, type, member)                                \
	static void apply_##name(                                       \
	    struct parser *parser, const struct value *value)           \
	{                                                               \
		parser->settings->member = (type)value->number;         \
		if (value->number == 0)                                 \
			complain(parser, value->word, "must not be 0"); \
	}
APPLY_PATH(users, users_path)
APPLY_PATH(aliases, aliases_path)
APPLY_PATH(maildir, mail_path)
APPLY_PATH(snap, snap_path)
APPLY_NUMBER(every, uint32_t, snapshot_every_s)
APPLY_NUMBER(services, uint32_t, uid_service_base)
APPLY_NUMBER(accounts, uint32_t, uid_account_base)
APPLY_NUMBER(message_size, uint64_t, max_message_bytes)
APPLY_NUMBER(recipients, uint32_t, max_recipients)
APPLY_NUMBER(connections, uint32_t, max_connections)
APPLY_NUMBER(per_address, uint32_t, max_connections_per_address)
APPLY_NUMBER(workers, uint32_t, max_workers)
#undef APPLY_PATH
#undef APPLY_NUMBER

static void
apply_bits(struct parser *parser, const struct value *value)
{
	if (value->number < 4)
		complain(parser, value->word, "at least 4 bits");
	else
		parser->settings->uid_account_mask = UINT32_MAX
						     << value->number;
}

static void
apply_minimum(struct parser *parser, const struct value *value)
{
	parser->settings->keep_minimum_s = value->number;
	if (value->number == 0)
		complain(parser, value->word, "must not be 0");
}

static const struct word *
take(struct parser *parser)
{
	if (parser->next == parser->word_count)
		return NULL;
	return &parser->words[parser->next++];
}

static struct word
end_of_line(const struct parser *parser)
{
	const struct word *last = &parser->words[parser->word_count - 1];

	return (struct word){ { NULL, 0 },
		last->column + (unsigned int)last->text.size };
}

/* `every for span[,]`: `every` was read already. */
static void
apply_tier(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	size_t n = settings->keep_count;
	const struct word *keyword = take(parser);
	const struct word *span_word = take(parser);
	struct text span;
	uint64_t every_s;
	uint64_t span_s;

	if (keyword == NULL || span_word == NULL ||
	    !text_is(keyword->text, "for")) {
		complain(parser, keyword ? *keyword : end_of_line(parser),
		    "a tier of keep is \"1h for 7d\"");
		return;
	}
	span = span_word->text;
	if (span.size > 0 && span.data[span.size - 1] == ',')
		span.size--;
	if (parse_span(value->word.text, &every_s) == -1 || every_s == 0) {
		complain(parser, value->word, "\"%.*s\" is not %s",
		    TEXT_FMT(value->word.text), kind_names[VALUE_SPAN]);
		return;
	}
	if (parse_span(span, &span_s) == -1 || span_s < every_s) {
		complain(parser, *span_word,
		    "\"%.*s\" is not a time of at least %.*s", TEXT_FMT(span),
		    TEXT_FMT(value->word.text));
		return;
	}
	if (n > 0 && (every_s <= settings->keep[n - 1].every_s ||
			 span_s <= settings->keep[n - 1].span_s)) {
		complain(parser, value->word,
		    "tiers of keep must grow from left to right");
		return;
	}
	if (n == sizeof(settings->keep) / sizeof(settings->keep[0])) {
		complain(parser, value->word, "more than 8 tiers");
		return;
	}
	settings->keep[n].every_s = every_s;
	settings->keep[n].span_s = span_s;
	settings->keep_count++;
}

static void
apply_domains_word(struct parser *parser, const struct value *value)
{
	if (!text_is(value->word.text, "<domains>"))
		complain(parser, value->word,
		    "only <domains> is possible: mail for every domain of "
		    "the domain lines is delivered");
}

static void
apply_nothing(struct parser *parser, const struct value *value)
{
}

static void
finish_match(struct parser *parser)
{
	if (report_errors(parser->report) == parser->had_errors &&
	    (parser->options_seen & 0x38) != 0x38)
		complain(parser, end_of_line(parser),
		    "match needs: for domain <domains> deliver");
}

/* -- The tables -- */

#define NO_RELAY                                                              \
	"mail goes to accounts of this host only; remove the line, mail for " \
	"other hosts is refused with 550 5.7.1"

static const struct option host_options[] = {
	{ NULL, VALUE_TEXT, 0, apply_host, NULL }, { 0 }
};
static const struct option domain_options[] = {
	{ NULL, VALUE_TEXT, 0, apply_domain, NULL }, { 0 }
};
static const struct option listen_options[] = { { "smtp", VALUE_NONE, 0,
						    apply_service, NULL },
	{ "submit", VALUE_NONE, 0, apply_service, NULL },
	{ "imap", VALUE_NONE, 0, apply_service, NULL },
	{ "on", VALUE_TEXT, 0, apply_address, NULL },
	{ "port", VALUE_NUMBER, 65535, apply_port, NULL },
	{ "tls", VALUE_NONE, 0, apply_tls, NULL },
	{ "starttls-required", VALUE_NONE, 0, apply_starttls_required, NULL },
	{ "tls-required", VALUE_NONE, 0, apply_tls_required, NULL },
	{ "auth", VALUE_NONE, 0, apply_auth, NULL },
	{ "plain-login", VALUE_NONE, 0, apply_plain_login, NULL }, { 0 } };
static const struct option tls_options[] = { { "auto", VALUE_NONE, 0,
						 apply_auto, NULL },
	{ "certificate", VALUE_PATH, 0, apply_certificate, NULL },
	{ "key", VALUE_PATH, 0, apply_key, NULL },
	{ "acme", VALUE_ABSENT, 0, NULL,
	    "use tls auto, or tls certificate FILE key FILE" },
	{ 0 } };
static const struct option users_options[] = {
	{ "file", VALUE_PATH, 0, apply_users, NULL }, { 0 }
};
static const struct option aliases_options[] = {
	{ "file", VALUE_PATH, 0, apply_aliases, NULL }, { 0 }
};
static const struct option store_options[] = { { "maildir", VALUE_PATH, 0,
						   apply_maildir, NULL },
	{ "quota", VALUE_ABSENT, 0, NULL,
	    "remove quota and its size; nothing is limited" },
	{ "external-deletes", VALUE_ABSENT, 0, NULL,
	    "remove it; files that vanish are healed from the store" },
	{ 0 } };
static const struct option snapshot_options[] = {
	{ "every", VALUE_SPAN, 31536000, apply_every, NULL },
	{ "dir", VALUE_PATH, 0, apply_snap, NULL },
	{ "on-bulk-delete", VALUE_ABSENT, 0, NULL,
	    "remove it; every instant can be restored anyway" },
	{ 0 }
};
static const struct option keep_options[] = {
	{ "minimum", VALUE_SPAN, 3153600000, apply_minimum, NULL },
	{ NULL, VALUE_TEXT, 0, apply_tier, NULL }, { 0 }
};
static const struct option limit_options[] = {
	{ "send", VALUE_ABSENT, 0, NULL, "remove the line" }, { 0 }
};
static const struct option vault_options[] = {
	{ NULL, VALUE_ABSENT, 0, NULL, "remove the line" }, { 0 }
};
static const struct option match_options[] = { { "from", VALUE_NONE, 0,
						   apply_nothing, NULL },
	{ "any", VALUE_NONE, 0, apply_nothing, NULL },
	{ "auth", VALUE_NONE, 0, apply_nothing, NULL },
	{ "for", VALUE_NONE, 0, apply_nothing, NULL },
	{ "domain", VALUE_TEXT, 0, apply_domains_word, NULL },
	{ "deliver", VALUE_NONE, 0, apply_nothing, NULL },
	{ "relay", VALUE_ABSENT, 0, NULL, NO_RELAY },
	{ "dkim-sign", VALUE_ABSENT, 0, NULL, "remove it" },
	{ "reject", VALUE_ABSENT, 0, NULL,
	    "remove the line; what is not delivered is refused" },
	{ 0 } };
static const struct option uid_options[] = {
	{ "services", VALUE_NUMBER, 0x7fffffff, apply_services, NULL },
	{ "accounts", VALUE_NUMBER, 0x7fffffff, apply_accounts, NULL },
	{ "bits", VALUE_NUMBER, 28, apply_bits, NULL }, { 0 }
};
static const struct option message_size_options[] = {
	{ NULL, VALUE_SIZE, 1073741824, apply_message_size, NULL }, { 0 }
};
static const struct option recipients_options[] = {
	{ NULL, VALUE_NUMBER, 10000, apply_recipients, NULL }, { 0 }
};
static const struct option connections_options[] = {
	{ "per-address", VALUE_NUMBER, 100000, apply_per_address, NULL },
	{ NULL, VALUE_NUMBER, 100000, apply_connections, NULL }, { 0 }
};
static const struct option workers_options[] = {
	{ NULL, VALUE_NUMBER, 100000, apply_workers, NULL }, { 0 }
};

enum directive_number {
	DIRECTIVE_HOST,
	DIRECTIVE_DOMAIN,
	DIRECTIVE_LISTEN,
	DIRECTIVE_TLS,
	DIRECTIVE_USERS,
	DIRECTIVE_ALIASES,
	DIRECTIVE_STORE,
	DIRECTIVE_SNAPSHOT,
	DIRECTIVE_KEEP,
	DIRECTIVE_MATCH,
	DIRECTIVE_UID_RANGE,
	DIRECTIVE_MESSAGE_SIZE,
	DIRECTIVE_RECIPIENTS,
	DIRECTIVE_CONNECTIONS,
	DIRECTIVE_WORKERS,
	DIRECTIVE_LIMIT,
	DIRECTIVE_VAULT,
	DIRECTIVE_COUNT
};

static const struct directive directives[DIRECTIVE_COUNT] = {
	{ "host", "host NAME", host_options, false, NULL, NULL },
	{ "domain", "domain NAME ...", domain_options, true, NULL, NULL },
	{ "listen",
	    "listen smtp|submit|imap [on ADDRESS] port N [tls|"
	    "starttls-required|tls-required] [auth] [plain-login]",
	    listen_options, true, begin_listen, finish_listen },
	{ "tls", "tls auto, or tls certificate FILE key FILE", tls_options,
	    true, begin_key, finish_key },
	{ "users", "users file FILE", users_options, false, NULL, NULL },
	{ "aliases", "aliases file FILE", aliases_options, false, NULL, NULL },
	{ "store", "store maildir DIRECTORY", store_options, false, NULL,
	    NULL },
	{ "snapshot", "snapshot [every TIME] dir DIRECTORY", snapshot_options,
	    false, NULL, NULL },
	{ "keep", "keep TIME for TIME, ... [minimum TIME]", keep_options, false,
	    NULL, NULL },
	{ "match", "match from any|auth for domain <domains> deliver",
	    match_options, true, NULL, finish_match },
	{ "uid-range", "uid-range services UID accounts UID bits N",
	    uid_options, false, NULL, NULL },
	{ "max-message-size", "max-message-size SIZE", message_size_options,
	    false, NULL, NULL },
	{ "max-recipients", "max-recipients N", recipients_options, false, NULL,
	    NULL },
	{ "max-connections", "max-connections N [per-address N]",
	    connections_options, false, NULL, NULL },
	{ "max-workers", "max-workers N", workers_options, false, NULL, NULL },
	{ "limit", "limit", limit_options, true, NULL, NULL },
	{ "vault", "vault", vault_options, true, NULL, NULL },
};
_Static_assert((int)DIRECTIVE_COUNT <= (int)SETTINGS_MAX_DIRECTIVES,
    "struct settings_origin is too small");

/* -- Reading -- */

/* The next word of the line at *position; 1, 0 at the end, -1 reported. */
static int
next_word(struct parser *parser, size_t *position, struct word *word)
{
	struct text line = parser->source;
	size_t at = *position;
	size_t start;
	bool is_quoted;

	while (at < line.size && strchr(" \t\r", line.data[at]) != NULL)
		at++;
	if (at == line.size || line.data[at] == '#')
		return 0;
	is_quoted = line.data[at] == '"';
	start = at + is_quoted;
	word->column = (unsigned int)at + 1;
	for (at = start; at < line.size; at++)
		if (is_quoted ? line.data[at] == '"'
			      : strchr(" \t\r", line.data[at]) != NULL)
			break;
	if (is_quoted && at == line.size) {
		complain(parser, *word, "the closing quote is missing");
		return -1;
	}
	word->text = text_make(line.data + start, at - start);
	*position = at + is_quoted;
	return 1;
}

static int
split_line(struct parser *parser)
{
	struct word start = { { NULL, 0 }, 1 };
	size_t position = 0;
	struct word word;
	int status;

	parser->word_count = 0;
	if (parser->source.size > SETTINGS_MAX_LINE_BYTES ||
	    !text_is_utf8(parser->source) ||
	    text_find_byte(parser->source, '\0') >= 0) {
		complain(parser, start,
		    "a line must be UTF-8 text of at most %d bytes",
		    SETTINGS_MAX_LINE_BYTES);
		return -1;
	}
	while ((status = next_word(parser, &position, &word)) == 1) {
		if (parser->word_count == SETTINGS_MAX_WORDS) {
			complain(parser, word, "more than %d words in a line",
			    SETTINGS_MAX_WORDS);
			return -1;
		}
		parser->words[parser->word_count++] = word;
	}
	return status;
}

static void
complain_unknown(struct parser *parser, struct word word,
    const char *const *words, const char *usage)
{
	const char *meant = report_suggest(word.text, words);

	if (meant != NULL)
		complain(parser, word,
		    "unknown word \"%.*s\" (did you mean \"%s\"?)",
		    TEXT_FMT(word.text), meant);
	else
		complain(parser, word, "unknown word \"%.*s\": usage is %s",
		    TEXT_FMT(word.text), usage);
}

static const struct option *
find_option(
    const struct directive *directive, struct text word, unsigned int *number)
{
	const struct option *option = directive->options;

	for (*number = 0; option->name != NULL; option++, ++*number)
		if (text_is(word, option->name))
			return option;
	return option->kind != VALUE_NONE ? option : NULL;
}

static void
unknown_option(
    struct parser *parser, const struct directive *directive, struct word word)
{
	const char *words[24];
	size_t count = 0;

	for (const struct option *option = directive->options;
	     option->name != NULL; option++)
		words[count++] = option->name;
	words[count] = NULL;
	complain_unknown(parser, word, words, directive->usage);
}

/* Reads the words behind an option and applies it. */
static void
read_option(
    struct parser *parser, const struct option *option, struct word word)
{
	struct value value = { .word = word };
	const struct word *next;

	if (option->kind == VALUE_ABSENT) {
		complain(parser, word, "this version has no \"%.*s\" yet: %s",
		    TEXT_FMT(word.text), option->instead);
		parser->next = parser->word_count;
		return;
	}
	if (option->name != NULL && option->kind != VALUE_NONE) {
		next = take(parser);
		if (next == NULL) {
			complain(parser, end_of_line(parser),
			    "%s needs %s behind it", option->name,
			    kind_names[option->kind]);
			return;
		}
		value.word = *next;
	}
	if (parse_value(parser, option, &value) == 0)
		option->apply(parser, &value);
}

static bool
takes_many(const struct option *option)
{
	return option->apply == apply_domain || option->apply == apply_tier;
}

static void
read_words(struct parser *parser, const struct directive *directive)
{
	const struct word *word;

	while ((word = take(parser)) != NULL) {
		unsigned int number;
		const struct option *option =
		    find_option(directive, word->text, &number);

		if (option == NULL) {
			unknown_option(parser, directive, *word);
			continue;
		}
		if ((parser->options_seen & (1U << number)) != 0 &&
		    !takes_many(option)) {
			complain(parser, *word, "\"%.*s\" is one too many",
			    TEXT_FMT(word->text));
			continue;
		}
		parser->options_seen |= 1U << number;
		read_option(parser, option, *word);
	}
}

static void
read_directive(struct parser *parser, enum directive_number number)
{
	const struct directive *directive = &directives[number];
	unsigned int *origin = &parser->origin->directive[number];

	if (*origin != 0 && !directive->is_repeatable) {
		complain(parser, parser->words[0],
		    "%s was given in line %u already", directive->name,
		    *origin);
		return;
	}
	*origin = parser->line;
	parser->options_seen = 0;
	if (directive->begin != NULL && !directive->begin(parser))
		return;
	if (parser->word_count == 1) {
		complain(parser, end_of_line(parser), "usage is %s",
		    directive->usage);
		return;
	}
	read_words(parser, directive);
	if (directive->finish != NULL)
		directive->finish(parser);
}

static void
read_line(struct parser *parser)
{
	const char *words[DIRECTIVE_COUNT + 1];
	size_t n;

	parser->had_errors = (unsigned int)report_errors(parser->report);
	if (split_line(parser) == -1 || parser->word_count == 0)
		return;
	parser->next = 1;
	for (n = 0; n < DIRECTIVE_COUNT; n++) {
		if (text_is(parser->words[0].text, directives[n].name)) {
			read_directive(parser, (enum directive_number)n);
			return;
		}
		words[n] = directives[n].name;
	}
	words[n] = NULL;
	complain_unknown(parser, parser->words[0], words,
	    "host, domain, listen, tls, users, aliases, store, snapshot, "
	    "keep, match ...: see firnmail.conf(5)");
}

/* -- The whole -- */

/* A finding about the file, or about the line that gave the directive. */
static struct report_place
place_whole(const struct parser *parser, unsigned int line)
{
	return (struct report_place){ parser->name, line, 1, { NULL, 0 } };
}

static void
need(struct parser *parser, enum directive_number number)
{
	struct report_place place = place_whole(parser, 0);

	if (parser->origin->directive[number] == 0)
		report_error(parser->report, &place, "a line is missing: %s",
		    directives[number].usage);
}

static void
warn(struct parser *parser, unsigned int line, const char *text)
{
	struct report_place place = place_whole(parser, line);

	report_warning(parser->report, &place, "%s", text);
}

static void
check_listeners(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	struct report_place place;

	for (size_t i = 0; i < settings->listener_count; i++) {
		const struct listen_setting *a = &settings->listeners[i];
		unsigned int line = parser->origin->listener[i];

		place = place_whole(parser, line);
		if (a->tls != LISTEN_TLS_NONE && settings->key_count == 0)
			report_error(parser->report, &place,
			    "TLS needs a certificate: add a line \"tls auto\"");
		if (a->service != SERVICE_SMTP && a->tls == LISTEN_TLS_NONE)
			warn(parser, line,
			    "passwords and mail go over this port without "
			    "TLS: add tls-required");
		else if (a->is_plain_login)
			warn(parser, line,
			    "plain-login: passwords without TLS from "
			    "loopback");
		for (size_t j = 0; j < i; j++) {
			const struct listen_setting *b =
			    &settings->listeners[j];

			if (a->port == b->port &&
			    strcmp(a->address, b->address) == 0)
				report_error(parser->report, &place,
				    "%s port %u is taken by line %u",
				    a->address, a->port,
				    parser->origin->listener[j]);
		}
	}
}

static bool
is_inside(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	return size > 0 && strncmp(path, directory, size) == 0 &&
	       (path[size] == '/' || path[size] == '\0');
}

static void
check_paths(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	unsigned int line = parser->origin->directive[DIRECTIVE_SNAPSHOT];

	if (settings->snap_path[0] == '\0' || settings->mail_path[0] == '\0')
		return;
	if (is_inside(settings->snap_path, settings->mail_path))
		warn(parser, line,
		    "the snapshot store lies inside the mail directory: what "
		    "wipes the mail wipes it too");
	else if (is_inside(settings->mail_path, settings->snap_path))
		warn(parser, line,
		    "the mail directory lies inside the snapshot store");
}

static void
check_keep(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	unsigned int line = parser->origin->directive[DIRECTIVE_KEEP];
	size_t n = settings->keep_count;

	if (n > 0 && settings->keep[n - 1].span_s < settings->keep_minimum_s)
		warn(parser, line,
		    "the longest tier of keep is shorter than its minimum: "
		    "mail is kept for the minimum");
}

static void
check_uids(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	uint32_t base = settings->uid_account_base;
	uint32_t mask = settings->uid_account_mask;
	uint32_t service = settings->uid_service_base;
	struct report_place place =
	    place_whole(parser, parser->origin->directive[DIRECTIVE_UID_RANGE]);

	if ((base & ~mask) != 0)
		report_error(parser->report, &place,
		    "accounts %u is not a multiple of 2 to the bits", base);
	if ((service & mask) == base || ((service + 31) & mask) == base)
		report_error(
		    parser->report, &place, "services and accounts share uids");
	if (service < 100 || base < 100)
		report_error(parser->report, &place,
		    "uids below 100 belong to the system");
}

static void
check_whole(struct parser *parser)
{
	need(parser, DIRECTIVE_HOST);
	need(parser, DIRECTIVE_DOMAIN);
	need(parser, DIRECTIVE_LISTEN);
	need(parser, DIRECTIVE_USERS);
	need(parser, DIRECTIVE_STORE);
	need(parser, DIRECTIVE_SNAPSHOT);
	check_listeners(parser);
	check_paths(parser);
	check_keep(parser);
	check_uids(parser);
}

static void
default_keep(struct settings *settings)
{
	static const uint64_t tiers[][2] = { { 900, 86400 }, { 3600, 604800 },
		{ 86400, 7776000 }, { 604800, 63072000 } };

	for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
		settings->keep[i].every_s = tiers[i][0];
		settings->keep[i].span_s = tiers[i][1];
	}
	settings->keep_count = sizeof(tiers) / sizeof(tiers[0]);
}

int
settings_parse(const char *name, const char *directory, struct text text,
    struct settings *settings, struct settings_origin *origin,
    struct report *report)
{
	struct parser *parser = memory_new(1, sizeof(*parser));
	struct settings_origin *own = memory_new(1, sizeof(*own));
	struct text rest = text;
	size_t before = report_errors(report);

	parser->name = name;
	parser->directory = directory;
	parser->settings = settings;
	parser->origin = own;
	parser->report = report;
	while (text_next(&rest, '\n', &parser->source)) {
		parser->line++;
		read_line(parser);
	}
	if (settings->keep_count == 0)
		default_keep(settings);
	check_whole(parser);
	if (origin != NULL)
		*origin = *own;
	memory_free(&own);
	memory_free(&parser);
	return report_errors(report) == before ? 0 : -1;
}

/* -- Explaining -- */

static void
explain_from(struct buf *to, const char *name, unsigned int line)
{
	if (line == 0)
		(void)buf_put_text(to, "  # default\n");
	else
		(void)buf_put_format(to, "  # %s:%u\n", name, line);
}

/* In quotes where it must be. */
static void
put_path(struct buf *to, const char *what, const char *path)
{
	const char *quote = strpbrk(path, " \t\r#") != NULL ? "\"" : "";

	(void)buf_put_format(to, "%s %s%s%s", what, quote, path, quote);
}

static void
put_span(struct buf *to, uint64_t seconds)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 'y', 31536000 }, { 'w', 604800 }, { 'd', 86400 },
		{ 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	size_t i = 0;

	while (seconds % units[i].seconds != 0)
		i++;
	(void)buf_put_format(to, "%llu%c",
	    (unsigned long long)(seconds / units[i].seconds), units[i].unit);
}

static void
explain_lists(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	static const char *const tls[] = { "", " tls", " starttls-required",
		" tls-required" };

	for (size_t i = 0; i < settings->domain_count; i++) {
		(void)buf_put_format(to, "domain %s", settings->domains[i]);
		explain_from(to, name, origin->domain[i]);
	}
	for (size_t i = 0; i < settings->listener_count; i++) {
		const struct listen_setting *l = &settings->listeners[i];

		(void)buf_put_format(to, "listen %s on %s port %u%s%s",
		    service_words[l->service], l->address, l->port, tls[l->tls],
		    l->is_plain_login ? " plain-login" : "");
		explain_from(to, name, origin->listener[i]);
	}
	for (size_t i = 0; i < settings->key_count; i++) {
		put_path(
		    to, "tls certificate", settings->keys[i].certificate_path);
		put_path(to, " key", settings->keys[i].key_path);
		explain_from(to, name, origin->key[i]);
	}
}

static void
explain_keep(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_text(to, "snapshot every ");
	put_span(to, settings->snapshot_every_s);
	put_path(to, " dir", settings->snap_path);
	explain_from(to, name, origin->directive[DIRECTIVE_SNAPSHOT]);
	(void)buf_put_text(to, "keep ");
	for (size_t i = 0; i < settings->keep_count; i++) {
		put_span(to, settings->keep[i].every_s);
		(void)buf_put_text(to, " for ");
		put_span(to, settings->keep[i].span_s);
		(void)buf_put_text(
		    to, i + 1 < settings->keep_count ? ", " : " ");
	}
	(void)buf_put_text(to, "minimum ");
	put_span(to, settings->keep_minimum_s);
	explain_from(to, name, origin->directive[DIRECTIVE_KEEP]);
}

static unsigned int
count_bits(uint32_t mask)
{
	unsigned int bits = 0;

	while (bits < 32 && (mask & (1U << bits)) == 0)
		bits++;
	return bits;
}

void
settings_explain(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	const unsigned int *line = origin->directive;

	(void)buf_put_format(to, "host %s", settings->host);
	explain_from(to, name, line[DIRECTIVE_HOST]);
	explain_lists(name, settings, origin, to);
	put_path(to, "users file", settings->users_path);
	explain_from(to, name, line[DIRECTIVE_USERS]);
	if (settings->aliases_path[0] != '\0') {
		put_path(to, "aliases file", settings->aliases_path);
		explain_from(to, name, line[DIRECTIVE_ALIASES]);
	}
	put_path(to, "store maildir", settings->mail_path);
	explain_from(to, name, line[DIRECTIVE_STORE]);
	explain_keep(name, settings, origin, to);
	(void)buf_put_text(to, "match from any for domain <domains> deliver");
	explain_from(to, name, line[DIRECTIVE_MATCH]);
	(void)buf_put_format(to,
	    "uid-range services 0x%x accounts 0x%x bits %u",
	    settings->uid_service_base, settings->uid_account_base,
	    count_bits(settings->uid_account_mask));
	explain_from(to, name, line[DIRECTIVE_UID_RANGE]);
	(void)buf_put_format(to, "max-message-size %llu",
	    (unsigned long long)settings->max_message_bytes);
	explain_from(to, name, line[DIRECTIVE_MESSAGE_SIZE]);
	(void)buf_put_format(to, "max-recipients %u", settings->max_recipients);
	explain_from(to, name, line[DIRECTIVE_RECIPIENTS]);
	(void)buf_put_format(to, "max-connections %u per-address %u",
	    settings->max_connections, settings->max_connections_per_address);
	explain_from(to, name, line[DIRECTIVE_CONNECTIONS]);
	(void)buf_put_format(to, "max-workers %u", settings->max_workers);
	explain_from(to, name, line[DIRECTIVE_WORKERS]);
}

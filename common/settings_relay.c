/*
 * The words of firnmail.conf about where mail for other hosts goes, and what
 * TLS they must show: `relay` for all of them, `transport` for a domain; and
 * who reports of it: `tls-reports`.
 */
#include "common/settings_grammar.h"
#include "common/settings_value.h"

#include <arpa/inet.h>
#include <string.h>

/* Bits of options_seen are positions in the tables. */
enum {
	RELAY_SEEN_VIA = 1,
	RELAY_SEEN_NEEDS_VIA = 2 | 8, /* port, auth */
	TRANSPORT_SEEN_VIA = 1,
	TRANSPORT_SEEN_PORT = 2,
	TRANSPORT_SEEN_TLS = 4,
	TRANSPORT_SEEN_LMTP = 8,
	TRANSPORT_SEEN_DOMAIN = 16
};

/* By enum relay_tls of common/relay_route.h. */
static const char *const levels[] = { "default", "never", "encrypt", "verify",
	"dane", "may", NULL };

const char *
settings_relay_level(uint8_t tls)
{
	return levels[tls];
}

static struct transport_setting *
transport_of(struct parser *parser)
{
	return &parser->settings->transports[parser->settings->transport_count];
}

static bool
is_numeric(struct text word)
{
	struct in6_addr bytes;
	char address[64];

	return text_copy(word, address, sizeof(address)) == 0 &&
	       (inet_pton(AF_INET, address, &bytes) == 1 ||
		   inet_pton(AF_INET6, address, &bytes) == 1);
}

/* Of a local part (RFC 5322 section 3.2.3), without quotes. */
static bool
is_atoms(struct text word)
{
	static const char others[] = "!#$%&'*+-/=?^_`{|}~.";

	for (size_t i = 0; i < word.size; i++) {
		char c = text_lower_byte(word.data[i]);

		if (!(c >= 'a' && c <= 'z') && !text_is_digit(c) &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return word.size > 0;
}

static void
copy_lower(struct text from, char *to)
{
	for (size_t i = 0; i < from.size; i++)
		to[i] = text_lower_byte(from.data[i]);
	to[from.size] = '\0';
}

static void
set_host(struct parser *parser, const struct value *value, char to[256])
{
	if (settings_is_host_name(value->word.text) ||
	    is_numeric(value->word.text))
		copy_lower(value->word.text, to);
	else
		settings_complain(parser, value->word,
		    "\"%.*s\" is not a host name or an address",
		    TEXT_FMT(value->word.text));
}

static void
set_level(struct parser *parser, const struct value *value, uint8_t *to)
{
	for (uint8_t i = 0; levels[i] != NULL; i++) {
		if (!text_is(value->word.text, levels[i]))
			continue;
		*to = i;
		return;
	}
	settings_complain(parser, value->word,
	    "tls is one of default, never, may, encrypt, verify and dane");
}

static void
set_port(struct parser *parser, const struct value *value, uint16_t *to)
{
	*to = (uint16_t)value->number;
	if (value->number == 0)
		settings_complain(parser, value->word, "port 0 is none");
}

/* -- relay -- */

static void
apply_via(struct parser *parser, const struct value *value)
{
	set_host(parser, value, parser->settings->relay.host);
}

static void
apply_port(struct parser *parser, const struct value *value)
{
	set_port(parser, value, &parser->settings->relay.port);
}

static void
apply_tls(struct parser *parser, const struct value *value)
{
	set_level(parser, value, &parser->settings->relay.tls);
}

static void
apply_login(struct parser *parser, const struct value *value)
{
	memcpy(parser->settings->relay_auth_path, value->path,
	    sizeof(value->path));
}

static void
apply_source(struct parser *parser, const struct value *value)
{
	if (!is_numeric(value->word.text) ||
	    text_copy(value->word.text, parser->settings->relay_source,
		sizeof(parser->settings->relay_source)) == -1)
		settings_complain(parser, value->word,
		    "\"%.*s\" is not a numeric address",
		    TEXT_FMT(value->word.text));
}

static void
apply_hello(struct parser *parser, const struct value *value)
{
	if (settings_is_host_name(value->word.text))
		copy_lower(value->word.text, parser->settings->relay_hello);
	else
		settings_complain(parser, value->word,
		    "\"%.*s\" is not a host name", TEXT_FMT(value->word.text));
}

void
settings_finish_relay(struct parser *parser)
{
	unsigned int seen = parser->options_seen;

	if ((seen & RELAY_SEEN_NEEDS_VIA) != 0 && (seen & RELAY_SEEN_VIA) == 0)
		settings_complain(parser, parser->words[0],
		    "port and auth are of a host: via HOST");
	else if (parser->settings->relay_auth_path[0] != '\0' &&
		 text_is(text_of(levels[parser->settings->relay.tls]), "never"))
		settings_complain(parser, parser->words[0],
		    "a password is never said without TLS");
}

const struct option settings_relay_options[] = { { "via", VALUE_TEXT, 0,
						     apply_via, NULL },
	{ "port", VALUE_NUMBER, 65535, apply_port, NULL },
	{ "tls", VALUE_TEXT, 0, apply_tls, NULL },
	{ "auth", VALUE_PATH, 0, apply_login, NULL },
	{ "from", VALUE_TEXT, 0, apply_source, NULL },
	{ "hello", VALUE_TEXT, 0, apply_hello, NULL }, { 0 } };

/* -- transport -- */

bool
settings_begin_transport(struct parser *parser)
{
	if (parser->settings->transport_count == SETTINGS_MAX_TRANSPORTS) {
		settings_complain(parser, parser->words[0],
		    "more than %d transports", SETTINGS_MAX_TRANSPORTS);
		return false;
	}
	memset(transport_of(parser), 0, sizeof(struct transport_setting));
	return true;
}

/* ".example.org" is all that is below it. */
static void
apply_domain(struct parser *parser, const struct value *value)
{
	struct text domain = value->word.text;
	bool is_below = domain.size > 0 && domain.data[0] == '.';
	struct word word = { text_skip(domain, is_below),
		value->word.column + is_below };
	char ascii[DOMAIN_NAME_SIZE];

	if (settings_take_domain(parser, word, ascii) == -1)
		return;
	/* A host name has 253 bytes at most. */
	if (is_below)
		transport_of(parser)->domain[0] = '.';
	memcpy(
	    transport_of(parser)->domain + is_below, ascii, strlen(ascii) + 1);
	for (size_t i = 0; i < parser->settings->transport_count; i++)
		if (strcmp(parser->settings->transports[i].domain,
			transport_of(parser)->domain) == 0)
			settings_complain(parser, value->word,
			    "transport \"%.*s\" is given twice",
			    TEXT_FMT(domain));
}

static void
apply_transport_via(struct parser *parser, const struct value *value)
{
	set_host(parser, value, transport_of(parser)->host);
}

static void
apply_transport_port(struct parser *parser, const struct value *value)
{
	set_port(parser, value, &transport_of(parser)->port);
}

static void
apply_transport_tls(struct parser *parser, const struct value *value)
{
	set_level(parser, value, &transport_of(parser)->tls);
}

static void
apply_lmtp(struct parser *parser, const struct value *value)
{
	transport_of(parser)->is_lmtp = true;
}

void
settings_finish_transport(struct parser *parser)
{
	unsigned int seen = parser->options_seen;

	if ((seen & TRANSPORT_SEEN_DOMAIN) == 0)
		settings_complain(
		    parser, parser->words[0], "transport needs a domain");
	else if ((seen & (TRANSPORT_SEEN_VIA | TRANSPORT_SEEN_TLS)) == 0)
		settings_complain(parser, parser->words[0],
		    "transport needs via HOST, or what tls its hosts need");
	else if ((seen & (TRANSPORT_SEEN_PORT | TRANSPORT_SEEN_LMTP)) != 0 &&
		 (seen & TRANSPORT_SEEN_VIA) == 0)
		settings_complain(parser, parser->words[0],
		    "port and lmtp are of a host: via HOST");
	if (report_errors(parser->report) != parser->had_errors)
		return;
	parser->origin->transport[parser->settings->transport_count++] =
	    parser->line;
}

const struct option settings_transport_options[] = {
	{ "via", VALUE_TEXT, 0, apply_transport_via, NULL },
	{ "port", VALUE_NUMBER, 65535, apply_transport_port, NULL },
	{ "tls", VALUE_TEXT, 0, apply_transport_tls, NULL },
	{ "lmtp", VALUE_NONE, 0, apply_lmtp, NULL },
	{ NULL, VALUE_TEXT, 0, apply_domain, NULL }, { 0 }
};

/* -- tls-reports -- */

/* Bits of options_seen are positions in the table. */
enum {
	REPORTS_SEEN_ON = 1,
	REPORTS_SEEN_OFF = 2
};

static void
apply_nothing(struct parser *parser, const struct value *value)
{
}

/* It stands in a header of ours as it is. */
static void
apply_contact(struct parser *parser, const struct value *value)
{
	struct text address = value->word.text;
	ptrdiff_t at = text_find_byte(address, '@');

	if (at < 1 || !is_atoms(text_make(address.data, (size_t)at)) ||
	    !settings_is_host_name(text_skip(address, (size_t)at + 1)) ||
	    text_copy(address, parser->settings->tls_report_contact,
		sizeof(parser->settings->tls_report_contact)) == -1)
		settings_complain(parser, value->word,
		    "\"%.*s\" is not an address", TEXT_FMT(address));
}

static void
apply_organization(struct parser *parser, const struct value *value)
{
	if (!text_is_utf8(value->word.text) ||
	    text_copy(value->word.text,
		parser->settings->tls_report_organization,
		sizeof(parser->settings->tls_report_organization)) == -1)
		settings_complain(parser, value->word, "the name is too long");
}

void
settings_finish_tls_reports(struct parser *parser)
{
	unsigned int seen =
	    parser->options_seen & (REPORTS_SEEN_ON | REPORTS_SEEN_OFF);

	if (seen != REPORTS_SEEN_ON && seen != REPORTS_SEEN_OFF)
		settings_complain(parser, parser->words[0],
		    "tls-reports are either on or off");
	parser->settings->sends_tls_reports = seen != REPORTS_SEEN_OFF;
}

const struct option settings_tls_report_options[] = { { "on", VALUE_NONE, 0,
							  apply_nothing, NULL },
	{ "off", VALUE_NONE, 0, apply_nothing, NULL },
	{ "contact", VALUE_TEXT, 0, apply_contact, NULL },
	{ "organization", VALUE_TEXT, 0, apply_organization, NULL }, { 0 } };

/* -- The file that auth names -- */

int
settings_take_login(struct text file, struct settings *settings)
{
	struct text line = text_trim(file);
	struct text user;

	if (text_find_byte(line, '\n') != -1 || text_find_byte(line, ':') < 1 ||
	    !text_next(&line, ':', &user) || line.size == 0)
		return -1;
	return text_copy(user, settings->relay_user,
		   sizeof(settings->relay_user)) == -1 ||
		       text_copy(line, settings->relay_password,
			   sizeof(settings->relay_password)) == -1
		   ? -1
		   : 0;
}

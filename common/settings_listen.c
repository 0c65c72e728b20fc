/*
 * The words of firnmail.conf about whom we listen to: listen, and the networks
 * that it and `trusted` name.
 */
#include "common/settings_grammar.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

static struct listen_setting *
listener_of(struct parser *parser)
{
	return &parser->settings->listeners[parser->settings->listener_count];
}

bool
settings_begin_listen(struct parser *parser)
{
	if (parser->settings->listener_count == SETTINGS_MAX_LISTENERS) {
		settings_complain(parser, parser->words[0],
		    "more than %d listeners", SETTINGS_MAX_LISTENERS);
		return false;
	}
	memset(listener_of(parser), 0, sizeof(struct listen_setting));
	return true;
}

const char *const settings_services[] = { "smtp", "submit", "imap", "lmtp",
	NULL };

static void
apply_service(struct parser *parser, const struct value *value)
{
	for (size_t i = 0; settings_services[i] != NULL; i++) {
		if (!text_is(value->word.text, settings_services[i]))
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
		settings_complain(parser, value->word,
		    "\"%.*s\" is not a numeric address or *",
		    TEXT_FMT(value->word.text));
}

static void
apply_port(struct parser *parser, const struct value *value)
{
	listener_of(parser)->port = (uint16_t)value->number;
	if (value->number == 0)
		settings_complain(parser, value->word, "port 0 is none");
}

static void
set_listen_tls(
    struct parser *parser, const struct value *value, enum listen_tls tls)
{
	if (listener_of(parser)->tls != LISTEN_TLS_NONE)
		settings_complain(parser, value->word,
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

/* Complains if nobody logs in there. */
static void
need_logins(
    struct parser *parser, const struct value *value, const char *instead)
{
	enum service service = listener_of(parser)->service;

	if (service == SERVICE_SMTP || service == SERVICE_LMTP)
		settings_complain(parser, value->word, "%s takes no logins%s",
		    settings_services[service], instead);
}

static void
apply_auth(struct parser *parser, const struct value *value)
{
	need_logins(parser, value, ": use a submit listener for them");
}

static void
apply_plain_login(struct parser *parser, const struct value *value)
{
	listener_of(parser)->is_plain_login = true;
	need_logins(parser, value, "");
}

static void
apply_pause(struct parser *parser, const struct value *value)
{
	listener_of(parser)->pause_s = (uint32_t)value->number;
	if (listener_of(parser)->service != SERVICE_SMTP)
		settings_complain(
		    parser, value->word, "only smtp pauses before it greets");
}

/* A port of TCP that only smtp has: RFC 2033 section 5. */
enum {
	SMTP_PORT = 25
};

/* -- Networks -- */

static void
add_network(struct parser *parser, struct word at, struct text text,
    struct network_list *networks, bool takes_all)
{
	struct network *network = &networks->list[networks->count];

	if (networks->count == NETWORK_LIST_MAX)
		settings_complain(
		    parser, at, "more than %d networks", NETWORK_LIST_MAX);
	else if (network_parse(text, network) == -1)
		settings_complain(parser, at,
		    "\"%.*s\" is not a numeric address, or one and /LENGTH "
		    "with nothing behind it",
		    TEXT_FMT(text));
	else if (network->prefix % NETWORK_V4_PREFIX == 0 && !takes_all)
		settings_complain(
		    parser, at, "%.*s is everybody", TEXT_FMT(text));
	else
		networks->count++;
}

/* "192.0.2.1, 2001:db8::/32": `word`, and further ones behind commas. */
static void
take_networks(
    struct parser *parser, const struct word *word, struct network_list *to)
{
	bool is_more = true;

	for (; is_more && word != NULL; word = settings_take(parser)) {
		struct text rest = word->text, text;

		while (text_next(&rest, ',', &text))
			if (text.size > 0)
				add_network(parser, *word, text, to, false);
		is_more = word->text.data[word->text.size - 1] == ',';
		if (!is_more)
			return;
	}
	settings_complain(
	    parser, settings_end_of_line(parser), "a network is missing");
}

static void
take_from(struct parser *parser, struct network_list *to)
{
	const struct word *from = settings_take(parser);

	if (from == NULL || !text_is(from->text, "from"))
		settings_complain(parser,
		    from != NULL ? *from : settings_end_of_line(parser),
		    "here stands from, and whose word is believed");
	else
		take_networks(parser, settings_take(parser), to);
}

static void
apply_proxy(struct parser *parser, const struct value *value)
{
	take_from(parser, &listener_of(parser)->proxies);
}

static void
apply_xclient(struct parser *parser, const struct value *value)
{
	enum service service = listener_of(parser)->service;

	if (service != SERVICE_SMTP && service != SERVICE_SUBMIT)
		settings_complain(
		    parser, value->word, "only smtp and submit have XCLIENT");
	take_from(parser, &listener_of(parser)->xclients);
}

static void
apply_from(struct parser *parser, const struct value *value)
{
	if (listener_of(parser)->service != SERVICE_LMTP)
		settings_complain(parser, value->word,
		    "only lmtp chooses whom it takes mail from");
	take_networks(parser, &value->word, &listener_of(parser)->clients);
}

static void
apply_unix(struct parser *parser, const struct value *value)
{
	struct listen_setting *listener = listener_of(parser);

	if (listener->service != SERVICE_LMTP)
		settings_complain(
		    parser, value->word, "only lmtp has a unix socket");
	if (text_copy(text_of(value->path), listener->path,
		sizeof(listener->path)) == -1)
		settings_complain(parser, value->word,
		    "a socket's path has %zu bytes at most",
		    sizeof(listener->path) - 1);
}

void
settings_trust_network(struct parser *parser, struct word word)
{
	add_network(parser, word, word.text, &parser->settings->trusted, true);
}

/* -- The whole line -- */

/* Bits of options_seen are positions in the table. */
enum {
	LISTEN_SEEN_SERVICE = 15,
	LISTEN_SEEN_ADDRESS = 1 << 4,
	LISTEN_SEEN_PORT = 1 << 5,
	LISTEN_SEEN_TLS = 1 << 6 | 1 << 7 | 1 << 8,
	LISTEN_SEEN_FROM = 1 << 12,
	LISTEN_SEEN_PROXY = 1 << 13,
	LISTEN_SEEN_UNIX = 1 << 15
};

/* Nobody but this host, unless the line says more. */
static void
default_clients(struct listen_setting *listener)
{
	if (listener->clients.count > 0)
		return;
	(void)network_parse(TEXT("127.0.0.0/8"), &listener->clients.list[0]);
	(void)network_parse(TEXT("::1"), &listener->clients.list[1]);
	listener->clients.count = 2;
}

static void
finish_lmtp(struct parser *parser, unsigned int seen)
{
	struct listen_setting *listener = listener_of(parser);
	const unsigned int others = LISTEN_SEEN_ADDRESS | LISTEN_SEEN_PORT |
				    LISTEN_SEEN_FROM | LISTEN_SEEN_PROXY |
				    LISTEN_SEEN_TLS;

	if ((seen & LISTEN_SEEN_UNIX) != 0 && (seen & others) != 0)
		settings_complain(parser, parser->words[0],
		    "a unix socket has no address, port, TLS or network");
	if (listener->port == SMTP_PORT)
		settings_complain(parser, parser->words[0],
		    "port 25 is SMTP's (RFC 2033 section 5): give lmtp "
		    "another");
	default_clients(listener);
}

static void
check_place(struct parser *parser, unsigned int seen)
{
	if ((seen & LISTEN_SEEN_SERVICE) == 0)
		settings_complain(parser, parser->words[0],
		    "listen needs one of smtp, submit, imap and lmtp");
	else if (__builtin_popcount(seen & LISTEN_SEEN_SERVICE) > 1)
		settings_complain(
		    parser, parser->words[0], "a listener has one service");
	if ((seen & (LISTEN_SEEN_PORT | LISTEN_SEEN_UNIX)) == 0)
		settings_complain(
		    parser, parser->words[0], "listen needs a port");
}

void
settings_finish_listen(struct parser *parser)
{
	struct listen_setting *listener = listener_of(parser);
	unsigned int seen = parser->options_seen;

	check_place(parser, seen);
	if (listener->service == SERVICE_LMTP)
		finish_lmtp(parser, seen);
	if ((seen & (LISTEN_SEEN_ADDRESS | LISTEN_SEEN_UNIX)) == 0)
		memcpy(listener->address, "*", sizeof("*"));
	if (report_errors(parser->report) != parser->had_errors)
		return;
	parser->origin->listener[parser->settings->listener_count++] =
	    parser->line;
}

const struct option settings_listen_options[] = { { "smtp", VALUE_NONE, 0,
						      apply_service, NULL },
	{ "submit", VALUE_NONE, 0, apply_service, NULL },
	{ "imap", VALUE_NONE, 0, apply_service, NULL },
	{ "lmtp", VALUE_NONE, 0, apply_service, NULL },
	{ "on", VALUE_TEXT, 0, apply_address, NULL },
	{ "port", VALUE_NUMBER, 65535, apply_port, NULL },
	{ "tls", VALUE_NONE, 0, apply_tls, NULL },
	{ "starttls-required", VALUE_NONE, 0, apply_starttls_required, NULL },
	{ "tls-required", VALUE_NONE, 0, apply_tls_required, NULL },
	{ "auth", VALUE_NONE, 0, apply_auth, NULL },
	{ "plain-login", VALUE_NONE, 0, apply_plain_login, NULL },
	{ "pause", VALUE_SPAN, 30, apply_pause, NULL },
	{ "from", VALUE_TEXT, 0, apply_from, NULL },
	{ "proxy", VALUE_NONE, 0, apply_proxy, NULL },
	{ "xclient", VALUE_NONE, 0, apply_xclient, NULL },
	{ "unix", VALUE_PATH, 0, apply_unix, NULL }, { 0 } };

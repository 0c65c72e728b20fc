/*
 * The words of firnmail.conf about other hosts: whom the resolver asks and what
 * it believes, and whose certificates are believed.
 */
#include "common/settings_grammar.h"
#include "common/settings_value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	DNS_PORT = 53
};

/* Bits of options_seen are positions in the table of resolver's words. */
enum {
	RESOLVER_SEEN_FORWARD = 1,
	RESOLVER_SEEN_SYSTEM = 2,
	RESOLVER_SEEN_ADDRESS = 32
};

static bool
is_numeric(const char *address)
{
	struct in6_addr bytes;

	return inet_pton(AF_INET, address, &bytes) == 1 ||
	       inet_pton(AF_INET6, address, &bytes) == 1;
}

int
settings_parse_forwarder(struct text word, struct forwarder_setting *forwarder)
{
	struct text address = word;
	ptrdiff_t at = text_find_byte(word, '@');
	uint64_t port = DNS_PORT;

	if (at >= 0) {
		address.size = (size_t)at;
		if (text_parse_number(text_skip(word, (size_t)at + 1),
			UINT16_MAX, &port) == -1 ||
		    port == 0)
			return -1;
	}
	if (text_copy(address, forwarder->address,
		sizeof(forwarder->address)) == -1 ||
	    !is_numeric(forwarder->address))
		return -1;
	forwarder->port = (uint16_t)port;
	return 0;
}

static void
apply_nothing(struct parser *parser, const struct value *value)
{
}

static void
apply_system(struct parser *parser, const struct value *value)
{
	parser->settings->is_system_resolver = true;
}

static void
apply_forwarder(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	size_t n = settings->forwarder_count;

	if (n == SETTINGS_MAX_FORWARDERS) {
		settings_complain(parser, value->word,
		    "more than %d forwarders", SETTINGS_MAX_FORWARDERS);
		return;
	}
	if (settings_parse_forwarder(
		value->word.text, &settings->forwarders[n]) == -1) {
		settings_complain(parser, value->word,
		    "\"%.*s\" is not a numeric address, or one with @PORT",
		    TEXT_FMT(value->word.text));
		return;
	}
	parser->origin->forwarder[n] = parser->line;
	settings->forwarder_count++;
}

static void
apply_anchor(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	size_t n = settings->anchor_count;

	if (n == SETTINGS_MAX_ANCHORS) {
		settings_complain(parser, value->word,
		    "more than %d trust anchors", SETTINGS_MAX_ANCHORS);
		return;
	}
	if (settings_parse_anchor(value->word.text, settings->anchors[n]) ==
	    -1) {
		settings_complain(parser, value->word,
		    "a trust anchor is a DS or DNSKEY record in quotes: "
		    "\". IN DS 20326 8 2 E06D...\"");
		return;
	}
	parser->origin->anchor[n] = parser->line;
	settings->anchor_count++;
}

static void
apply_anchor_file(struct parser *parser, const struct value *value)
{
	memcpy(parser->settings->anchor_path, value->path, sizeof(value->path));
}

static void
apply_insecure(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	size_t n = settings->insecure_count;
	struct text zone = value->word.text;

	if (n == SETTINGS_MAX_INSECURE) {
		settings_complain(parser, value->word,
		    "more than %d insecure zones", SETTINGS_MAX_INSECURE);
		return;
	}
	if (!settings_is_host_name(zone)) {
		settings_complain(parser, value->word,
		    "\"%.*s\" is not a domain", TEXT_FMT(zone));
		return;
	}
	for (size_t i = 0; i < zone.size; i++)
		settings->insecure_zones[n][i] = text_lower_byte(zone.data[i]);
	parser->origin->insecure[n] = parser->line;
	settings->insecure_count++;
}

static void
apply_ca(struct parser *parser, const struct value *value)
{
	memcpy(parser->settings->ca_path, value->path, sizeof(value->path));
}

void
settings_finish_resolver(struct parser *parser)
{
	unsigned int seen = parser->options_seen;

	if ((seen & RESOLVER_SEEN_FORWARD) != 0 &&
	    (seen & RESOLVER_SEEN_ADDRESS) == 0)
		settings_complain(parser, settings_end_of_line(parser),
		    "forward needs addresses behind it");
	if ((seen & RESOLVER_SEEN_FORWARD) == 0 &&
	    (seen & RESOLVER_SEEN_ADDRESS) != 0)
		settings_complain(parser, parser->words[0],
		    "addresses stand behind the word forward");
	if (parser->settings->is_system_resolver &&
	    parser->settings->forwarder_count > 0)
		settings_complain(parser, parser->words[0],
		    "resolver takes either system or forward");
}

const struct option settings_resolver_options[] = { { "forward", VALUE_NONE, 0,
							apply_nothing, NULL },
	{ "system", VALUE_NONE, 0, apply_system, NULL },
	{ "trust-anchor", VALUE_TEXT, 0, apply_anchor, NULL },
	{ "trust-anchor-file", VALUE_PATH, 0, apply_anchor_file, NULL },
	{ "insecure", VALUE_TEXT, 0, apply_insecure, NULL },
	{ NULL, VALUE_TEXT, 0, apply_forwarder, NULL }, { 0 } };

const struct option settings_ca_options[] = {
	{ "file", VALUE_PATH, 0, apply_ca, NULL }, { 0 }
};

/* -- Files that they name -- */

int
settings_take_anchors(struct text file, struct settings *settings)
{
	struct text line;

	while (text_next(&file, '\n', &line)) {
		if (settings_anchor_line(line).size == 0)
			continue;
		if (settings->anchor_count == SETTINGS_MAX_ANCHORS ||
		    settings_parse_anchor(
			line, settings->anchors[settings->anchor_count]) == -1)
			return -1;
		settings->anchor_count++;
	}
	return settings->anchor_count > 0 ? 0 : -1;
}

int
settings_take_nameservers(struct text file, struct settings *settings)
{
	struct text line;

	while (text_next(&file, '\n', &line)) {
		struct text word;

		line = text_trim(line);
		if (!text_starts_nocase(line, "nameserver") ||
		    settings->forwarder_count == SETTINGS_MAX_FORWARDERS)
			continue;
		word = text_trim(text_skip(line, sizeof("nameserver") - 1));
		if (word.size == 0 ||
		    settings_parse_forwarder(word,
			&settings->forwarders[settings->forwarder_count]) == -1)
			continue;
		settings->forwarder_count++;
	}
	return settings->forwarder_count > 0 ? 0 : -1;
}

/*
 * The words of firnmail.conf about how much one may: recipients that an account
 * sends to, what it has in its mailboxes, connections and errors of a client.
 */
#include "common/settings_grammar.h"

#include <string.h>

/* Bits of options_seen are positions in the table of limit. */
enum {
	LIMIT_SEEN_SEND = 1 << 0,
	LIMIT_SEEN_CLASS = 1 << 1,
	LIMIT_SEEN_CONNECTIONS = 1 << 2,
	LIMIT_SEEN_ERRORS = 1 << 3,
	LIMIT_SEEN_NETWORK = 1 << 4,
	LIMIT_SEEN_QUOTA = 1 << 5,
	LIMIT_SEEN_MESSAGES = 1 << 6
};

bool
settings_begin_limit(struct parser *parser)
{
	struct settings *settings = parser->settings;

	if (settings->send_limit_count == SETTINGS_MAX_SEND_LIMITS ||
	    settings->quota_count == SETTINGS_MAX_SEND_LIMITS) {
		settings_complain(parser, parser->words[0], "at most %d limits",
		    SETTINGS_MAX_SEND_LIMITS);
		return false;
	}
	memset(&settings->send_limits[settings->send_limit_count], 0,
	    sizeof(settings->send_limits[0]));
	memset(&settings->quotas[settings->quota_count], 0,
	    sizeof(settings->quotas[0]));
	return true;
}

static struct send_limit_setting *
limit_of(struct parser *parser)
{
	return &parser->settings
		    ->send_limits[parser->settings->send_limit_count];
}

static struct quota_setting *
quota_of(struct parser *parser)
{
	return &parser->settings->quotas[parser->settings->quota_count];
}

/* "200/day" */
static void
apply_send(struct parser *parser, const struct value *value)
{
	struct text rest = value->word.text, number;
	uint64_t per_day;

	if (!text_next(&rest, '/', &number) || !text_is(rest, "day") ||
	    text_parse_number(number, UINT32_MAX, &per_day) == -1 ||
	    per_day == 0)
		settings_complain(
		    parser, value->word, "a number of recipients and /day");
	else
		limit_of(parser)->per_day = (uint32_t)per_day;
}

static void
apply_class(struct parser *parser, const struct value *value)
{
	char *class = limit_of(parser)->class;

	if (text_copy(value->word.text, class, SETTINGS_CLASS_SIZE) == -1)
		settings_complain(parser, value->word, "the name is too long");
	else
		memcpy(quota_of(parser)->class, class, SETTINGS_CLASS_SIZE);
}

static void
apply_quota(struct parser *parser, const struct value *value)
{
	quota_of(parser)->bytes = value->number;
	if (value->number == 0)
		settings_complain(parser, value->word, "must not be 0");
}

static void
apply_messages(struct parser *parser, const struct value *value)
{
	quota_of(parser)->messages = value->number;
	if (value->number == 0)
		settings_complain(parser, value->word, "must not be 0");
}

/* "300/minute" */
static int
parse_rate(struct text word, struct rate *rate)
{
	static const struct {
		const char *name;
		uint32_t seconds;
	} units[] = { { "minute", 60 }, { "hour", 3600 }, { "day", 86400 } };
	struct text rest = word, number;
	uint64_t most;

	if (!text_next(&rest, '/', &number) ||
	    text_parse_number(number, RATE_MAX, &most) == -1 || most == 0)
		return -1;
	rate->most = (uint32_t)most;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		rate->window_s = units[i].seconds;
		if (text_is(rest, units[i].name))
			return 0;
	}
	return -1;
}

static void
apply_rate(
    struct parser *parser, const struct value *value, struct rate_setting *to)
{
	if (parse_rate(value->word.text, &to->address) == -1)
		settings_complain(
		    parser, value->word, "a number and /minute, /hour or /day");
	/* Until the line says more. */
	to->network = to->address;
	to->network.most = to->address.most <= RATE_MAX / RATE_NETWORK_SHARE
			       ? to->address.most * RATE_NETWORK_SHARE
			       : RATE_MAX;
}

static void
apply_connections_rate(struct parser *parser, const struct value *value)
{
	apply_rate(parser, value, &parser->settings->connections_rate);
}

static void
apply_errors_rate(struct parser *parser, const struct value *value)
{
	apply_rate(parser, value, &parser->settings->errors_rate);
}

static void
apply_network_rate(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	uint32_t most = (uint32_t)value->number;

	if (most == 0)
		settings_complain(parser, value->word, "must not be 0");
	else if (parser->options_seen & LIMIT_SEEN_CONNECTIONS)
		settings->connections_rate.network.most = most;
	else if (parser->options_seen & LIMIT_SEEN_ERRORS)
		settings->errors_rate.network.most = most;
}

static void
finish_send(struct parser *parser)
{
	struct send_limit_setting *limit = limit_of(parser);

	if (settings_find_send_limit(parser->settings, text_of(limit->class)) !=
	    NULL)
		settings_complain(
		    parser, parser->words[0], "these have a limit already");
	else
		parser->settings->send_limit_count++;
}

static void
finish_quota(struct parser *parser)
{
	const struct quota_setting *quota = quota_of(parser);

	if (settings_find_quota(parser->settings, text_of(quota->class)) !=
	    NULL)
		settings_complain(
		    parser, parser->words[0], "these have a quota already");
	else
		parser->settings->quota_count++;
}

void
settings_apply_store_quota(struct parser *parser, const struct value *value)
{
	if (settings_begin_limit(parser)) {
		apply_quota(parser, value);
		finish_quota(parser);
	}
}

static void
finish_rate(struct parser *parser)
{
	unsigned int rate =
	    parser->options_seen & ~(unsigned int)LIMIT_SEEN_NETWORK;

	if ((parser->rates_seen & rate) != 0)
		settings_complain(
		    parser, parser->words[0], "these have a limit already");
	parser->rates_seen |= rate;
}

void
settings_finish_limit(struct parser *parser)
{
	switch (parser->options_seen) {
	case LIMIT_SEEN_SEND:
	case LIMIT_SEEN_SEND | LIMIT_SEEN_CLASS:
		if (report_errors(parser->report) == parser->had_errors)
			finish_send(parser);
		break;
	case LIMIT_SEEN_CONNECTIONS:
	case LIMIT_SEEN_CONNECTIONS | LIMIT_SEEN_NETWORK:
	case LIMIT_SEEN_ERRORS:
	case LIMIT_SEEN_ERRORS | LIMIT_SEEN_NETWORK:
		finish_rate(parser);
		break;
	case LIMIT_SEEN_QUOTA:
	case LIMIT_SEEN_QUOTA | LIMIT_SEEN_MESSAGES:
	case LIMIT_SEEN_QUOTA | LIMIT_SEEN_CLASS:
	case LIMIT_SEEN_QUOTA | LIMIT_SEEN_MESSAGES | LIMIT_SEEN_CLASS:
	case LIMIT_SEEN_MESSAGES:
	case LIMIT_SEEN_MESSAGES | LIMIT_SEEN_CLASS:
		if (report_errors(parser->report) == parser->had_errors)
			finish_quota(parser);
		break;
	default:
		settings_complain(parser, settings_end_of_line(parser),
		    "limit needs: send N/day, quota SIZE, messages N, "
		    "connections N/minute or errors N/hour");
		break;
	}
}

const struct option settings_limit_options[] = { { "send", VALUE_TEXT, 0,
						     apply_send, NULL },
	{ "class", VALUE_TEXT, 0, apply_class, NULL },
	{ "connections", VALUE_TEXT, 0, apply_connections_rate, NULL },
	{ "errors", VALUE_TEXT, 0, apply_errors_rate, NULL },
	{ "per-network", VALUE_NUMBER, RATE_MAX, apply_network_rate, NULL },
	{ "quota", VALUE_SIZE, SETTINGS_MAX_QUOTA, apply_quota, NULL },
	{ "messages", VALUE_NUMBER, UINT32_MAX, apply_messages, NULL }, { 0 } };

/* -- At a time -- */

static void
apply_most(struct parser *parser, const struct value *value, uint32_t *to)
{
	*to = (uint32_t)value->number;
	if (value->number == 0)
		settings_complain(parser, value->word, "must not be 0");
}

static void
apply_connections(struct parser *parser, const struct value *value)
{
	apply_most(parser, value, &parser->settings->max_connections);
}

static void
apply_per_address(struct parser *parser, const struct value *value)
{
	apply_most(
	    parser, value, &parser->settings->max_connections_per_address);
}

static void
apply_per_network(struct parser *parser, const struct value *value)
{
	apply_most(
	    parser, value, &parser->settings->max_connections_per_network);
}

const struct option settings_connections_options[] = {
	{ "per-address", VALUE_NUMBER, 100000, apply_per_address, NULL },
	{ "per-network", VALUE_NUMBER, 100000, apply_per_network, NULL },
	{ NULL, VALUE_NUMBER, 100000, apply_connections, NULL }, { 0 }
};

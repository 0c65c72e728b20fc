/*
 * The words of firnmail.conf about senders: `srs`, under which mail is passed
 * on to other hosts, and `trusted`: users who may send as anybody, and networks
 * without budgets.
 */
#include "common/settings_grammar.h"
#include "common/local_user.h"

#include <string.h>

enum {
	SECRET_MIN = 16, /* bytes: nobody guesses so many */
	DAY_S = 86400,
	/* Bits of options_seen are positions in the tables. */
	SRS_SEEN_OFF = 1,
	TRUSTED_SEEN_USERS = 1
};

/* -- srs -- */

static void
apply_off(struct parser *parser, const struct value *value)
{
	parser->settings->is_srs_off = true;
}

/* Whether it is one of ours is known when all lines are read. */
static void
apply_srs_domain(struct parser *parser, const struct value *value)
{
	(void)settings_take_domain(
	    parser, value->word, parser->settings->srs_domain);
}

static void
apply_secret(struct parser *parser, const struct value *value)
{
	memcpy(parser->settings->srs_path, value->path, sizeof(value->path));
}

static void
apply_valid(struct parser *parser, const struct value *value)
{
	parser->settings->srs_valid_s = (uint32_t)value->number;
	if (value->number < DAY_S)
		settings_complain(parser, value->word, "at least 1d");
}

void
settings_finish_srs(struct parser *parser)
{
	if (parser->settings->is_srs_off &&
	    parser->options_seen != SRS_SEEN_OFF)
		settings_complain(parser, settings_end_of_line(parser),
		    "with off there is nothing else to say");
}

const struct option settings_srs_options[] = { { "off", VALUE_NONE, 0,
						   apply_off, NULL },
	{ "domain", VALUE_TEXT, 0, apply_srs_domain, NULL },
	{ "secret", VALUE_PATH, 0, apply_secret, NULL },
	{ "valid", VALUE_SPAN, 365 * DAY_S, apply_valid, NULL }, { 0 } };

int
settings_take_srs_secrets(struct text file, struct settings *settings)
{
	struct text line;

	while (text_next(&file, '\n', &line)) {
		line = text_trim(line);
		if (line.size == 0 || line.data[0] == '#')
			continue;
		if (settings->srs_secret_count == SETTINGS_MAX_SRS_SECRETS ||
		    line.size < SECRET_MIN ||
		    text_copy(line,
			settings->srs_secrets[settings->srs_secret_count],
			SETTINGS_SRS_SECRET_SIZE) == -1)
			return -1;
		settings->srs_secret_count++;
	}
	return settings->srs_secret_count > 0 ? 0 : -1;
}

/* -- trusted -- */

static void
apply_users(struct parser *parser, const struct value *value)
{
}

static void
apply_trusted(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;

	if ((parser->options_seen & TRUSTED_SEEN_USERS) == 0)
		settings_trust_network(parser, value->word);
	else if (!local_user_is_name(value->word.text))
		settings_complain(parser, value->word,
		    "\"%.*s\" is not the name of a user",
		    TEXT_FMT(value->word.text));
	else if (settings->trusted_user_count == SETTINGS_MAX_TRUSTED)
		settings_complain(parser, value->word,
		    "more than %d trusted users", SETTINGS_MAX_TRUSTED);
	else
		(void)text_copy(value->word.text,
		    settings->trusted_users[settings->trusted_user_count++],
		    SETTINGS_TRUSTED_SIZE);
}

const struct option settings_trusted_options[] = { { "users", VALUE_NONE, 0,
						       apply_users, NULL },
	{ NULL, VALUE_TEXT, 0, apply_trusted, NULL }, { 0 } };

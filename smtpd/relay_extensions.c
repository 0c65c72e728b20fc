/*
 * See relay_extensions.h.  A keyword that is not known, or a parameter that is
 * not a number, is as if it had not been said.
 */
#include "smtpd/relay_extensions.h"

#include <stddef.h>

enum {
	MAX_COUNT = 1000000,
	MAX_BY_S = 999999999
};

static void
take_limit(struct text limit, const char *name, uint32_t *to)
{
	struct text key;
	uint64_t value;

	if (text_next(&limit, '=', &key) && text_is_nocase(key, name) &&
	    text_parse_number(limit, MAX_COUNT, &value) == 0)
		*to = (uint32_t)value;
}

static void
take_limits(struct relay_extensions *extensions, struct text rest)
{
	struct text limit;

	while (text_next(&rest, ' ', &limit)) {
		take_limit(limit, "RCPTMAX", &extensions->max_recipients);
		take_limit(limit, "MAILMAX", &extensions->max_mails);
	}
}

static void
take_mechanisms(struct relay_extensions *extensions, struct text rest)
{
	struct text name;

	while (text_next(&rest, ' ', &name)) {
		if (text_is_nocase(name, "PLAIN"))
			extensions->has_plain = true;
		if (text_is_nocase(name, "LOGIN"))
			extensions->has_login = true;
	}
}

/* "DELIVERBY 240": what other hosts may have added stands behind a comma. */
static void
take_minimum(struct relay_extensions *extensions, struct text rest)
{
	struct text word;
	uint64_t value;

	if (text_next(&rest, ',', &word) &&
	    text_parse_number(text_trim(word), MAX_BY_S, &value) == 0)
		extensions->min_by_s = (uint32_t)value;
}

void
relay_extensions_take(struct relay_extensions *e, struct text line)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "PIPELINING", &e->has_pipelining },
		{ "8BITMIME", &e->has_8bitmime },
		{ "SMTPUTF8", &e->has_smtputf8 },
		{ "DSN", &e->has_dsn },
		{ "CHUNKING", &e->has_chunking },
		{ "BINARYMIME", &e->has_binarymime },
		{ "STARTTLS", &e->has_starttls },
		{ "REQUIRETLS", &e->has_requiretls },
		{ "MT-PRIORITY", &e->has_priority },
		{ "DELIVERBY", &e->has_deliverby },
		{ "ENHANCEDSTATUSCODES", &e->has_enhanced },
		{ "SIZE", &e->has_size },
	};
	struct text rest = text_trim(line);
	struct text name;

	if (!text_next(&rest, ' ', &name))
		return;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (text_is_nocase(name, flags[i].name))
			*flags[i].flag = true;
	if (text_is_nocase(name, "SIZE") &&
	    text_parse_number(text_trim(rest), UINT64_MAX, &e->max_size) == -1)
		e->max_size = 0;
	if (text_is_nocase(name, "DELIVERBY"))
		take_minimum(e, rest);
	if (text_is_nocase(name, "LIMITS"))
		take_limits(e, rest);
	if (text_is_nocase(name, "AUTH"))
		take_mechanisms(e, rest);
}

/*
 * firnmail.conf's grammar: what each word does to the settings, and the tables
 * of directives and of the words that they take.  What a word needs behind it
 * is its kind; `apply` puts the value into the settings, or complains.
 */
#include "common/settings_grammar.h"
#include "common/settings_value.h"
#include "common/span.h"

#include <stdio.h>
#include <string.h>

/* -- What the words do -- */

static void
copy_lower(struct text from, char *to)
{
	for (size_t i = 0; i < from.size; i++)
		to[i] = text_lower_byte(from.data[i]);
	to[from.size] = '\0';
}

static void
apply_host(struct parser *parser, const struct value *value)
{
	if (!settings_is_host_name(value->word.text)) {
		settings_complain(parser, value->word,
		    "\"%.*s\" is not a host name", TEXT_FMT(value->word.text));
		return;
	}
	copy_lower(value->word.text, parser->settings->host);
}

enum {
	DOMAIN_SEEN_IS = 1 /* bits are positions in the table */
};

static void
apply_domain(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	char domain[DOMAIN_NAME_SIZE];

	if (settings_take_domain(parser, value->word, domain) == -1)
		return;
	for (size_t i = 0; i < settings->domain_count; i++) {
		if (strcmp(settings->domains[i], domain) != 0)
			continue;
		settings_complain(parser, value->word,
		    "domain \"%s\" is given twice", domain);
		return;
	}
	if ((parser->options_seen & DOMAIN_SEEN_IS) != 0) {
		settings_complain(parser, value->word,
		    "other names stand before is, and one domain behind it");
		return;
	}
	if (settings->domain_count == SETTINGS_MAX_DOMAINS) {
		settings_complain(parser, value->word, "more than %d domains",
		    SETTINGS_MAX_DOMAINS);
		return;
	}
	parser->origin->domain[settings->domain_count] = parser->line;
	memcpy(settings->domains[settings->domain_count++], domain,
	    sizeof(domain));
}

/* All of the line are other names of that one, which a line before has. */
static void
apply_is(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	char domain[DOMAIN_NAME_SIZE];
	const char *real;
	uint16_t place = 0;

	if (settings_take_domain(parser, value->word, domain) == -1)
		return;
	real = settings_find_domain(settings, text_of(domain));
	for (size_t i = 0; real != NULL && i < settings->domain_count; i++)
		if (settings->domains[i] == real &&
		    parser->origin->domain[i] != parser->line)
			place = (uint16_t)(i + 1);
	if (place == 0) {
		settings_complain(parser, value->word,
		    "\"%.*s\" is no domain of a line before this one",
		    TEXT_FMT(value->word.text));
		return;
	}
	for (size_t i = 0; i < settings->domain_count; i++)
		if (parser->origin->domain[i] == parser->line)
			settings->domain_is[i] = place;
}

static void
finish_domain(struct parser *parser)
{
	if (parser->options_seen == DOMAIN_SEEN_IS)
		settings_complain(
		    parser, parser->words[0], "domain needs a name before is");
}

static bool
begin_key(struct parser *parser)
{
	if (parser->settings->key_count == SETTINGS_MAX_KEYS) {
		settings_complain(parser, parser->words[0],
		    "more than %d certificates", SETTINGS_MAX_KEYS);
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
	settings_complain(
	    parser, parser->words[0], "the path of %s is too long", name);
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
		settings_complain(parser, parser->words[0],
		    "tls is either auto or a certificate with its key");
	else if (key->certificate_path[0] == '\0' || key->key_path[0] == '\0')
		settings_complain(parser, parser->words[0],
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
#define APPLY_NUMBER(name, type, member)                           \
	static void apply_##name(                                  \
	    struct parser *parser, const struct value *value)      \
	{                                                          \
		parser->settings->member = (type)value->number;    \
		if (value->number == 0)                            \
			settings_complain(                         \
			    parser, value->word, "must not be 0"); \
	}
APPLY_PATH(users, users_path)
APPLY_PATH(aliases, aliases_path)
APPLY_PATH(maildir, mail_path)
APPLY_PATH(snap, snap_path)
APPLY_PATH(queue, queue_path)
APPLY_PATH(drill, drill_path)
APPLY_NUMBER(retry, uint32_t, queue_retry_s)
APPLY_NUMBER(retry_most, uint32_t, queue_retry_most_s)
APPLY_NUMBER(expire, uint32_t, queue_expire_s)
APPLY_NUMBER(notice, uint32_t, queue_notice_s)
APPLY_NUMBER(every, uint32_t, snapshot_every_s)
APPLY_NUMBER(drill_every, uint32_t, drill_every_s)
APPLY_NUMBER(drill_sample, uint32_t, drill_sample)
APPLY_NUMBER(services, uint32_t, uid_service_base)
APPLY_NUMBER(accounts, uint32_t, uid_account_base)
APPLY_NUMBER(message_size, uint64_t, max_message_bytes)
APPLY_NUMBER(recipients, uint32_t, max_recipients)
APPLY_NUMBER(workers, uint32_t, max_workers)
APPLY_NUMBER(hibernate_after, uint32_t, hibernate_after_s)
APPLY_NUMBER(account_changes, uint32_t, max_account_changes)
APPLY_NUMBER(account_bytes, uint64_t, max_account_bytes)
#undef APPLY_PATH
#undef APPLY_NUMBER

static void
apply_reconcile(struct parser *parser, const struct value *value)
{
	parser->settings->reconcile_every_s = (uint32_t)value->number;
	if (value->number < 60)
		settings_complain(parser, value->word, "at least 1m");
}

static void
apply_segment(struct parser *parser, const struct value *value)
{
	parser->settings->segment_bytes = value->number;
	if (value->number < SETTINGS_MIN_SEGMENT)
		settings_complain(parser, value->word, "at least 512M");
}

static void
apply_seal(struct parser *parser, const struct value *value)
{
	parser->settings->seal_after_s = (uint32_t)value->number;
	if (value->number < 60)
		settings_complain(parser, value->word, "at least 1m");
}

static void
apply_hibernate_off(struct parser *parser, const struct value *value)
{
	parser->settings->hibernate_after_s = 0;
}

static void
apply_external_deletes(struct parser *parser, const struct value *value)
{
	bool is_accept = text_is(value->word.text, "accept");

	parser->settings->takes_external_deletes = is_accept;
	if (!is_accept && !text_is(value->word.text, "heal"))
		settings_complain(parser, value->word, "accept or heal");
}

static void
apply_bits(struct parser *parser, const struct value *value)
{
	if (value->number < 4)
		settings_complain(parser, value->word, "at least 4 bits");
	else
		parser->settings->uid_account_mask = UINT32_MAX
						     << value->number;
}

static void
apply_minimum(struct parser *parser, const struct value *value)
{
	parser->settings->keep_minimum_s = value->number;
	if (value->number == 0)
		settings_complain(parser, value->word, "must not be 0");
}

/* `every for span[,]`: `every` was read already. */
static void
apply_tier(struct parser *parser, const struct value *value)
{
	struct settings *settings = parser->settings;
	size_t n = settings->keep_count;
	const struct word *keyword = settings_take(parser);
	const struct word *span_word = settings_take(parser);
	struct text span;
	uint64_t every_s;
	uint64_t span_s;

	if (keyword == NULL || span_word == NULL ||
	    !text_is(keyword->text, "for")) {
		settings_complain(parser,
		    keyword ? *keyword : settings_end_of_line(parser),
		    "a tier of keep is \"1h for 7d\"");
		return;
	}
	span = span_word->text;
	if (span.size > 0 && span.data[span.size - 1] == ',')
		span.size--;
	if (span_parse(value->word.text, &every_s) == -1 || every_s == 0) {
		settings_complain(parser, value->word, "\"%.*s\" is not %s",
		    TEXT_FMT(value->word.text), settings_kind_name(VALUE_SPAN));
		return;
	}
	if (span_parse(span, &span_s) == -1 || span_s < every_s) {
		settings_complain(parser, *span_word,
		    "\"%.*s\" is not a time of at least %.*s", TEXT_FMT(span),
		    TEXT_FMT(value->word.text));
		return;
	}
	if (n > 0 && (every_s <= settings->keep[n - 1].every_s ||
			 span_s <= settings->keep[n - 1].span_s)) {
		settings_complain(parser, value->word,
		    "tiers of keep must grow from left to right");
		return;
	}
	if (n == sizeof(settings->keep) / sizeof(settings->keep[0])) {
		settings_complain(parser, value->word, "more than 8 tiers");
		return;
	}
	settings->keep[n].every_s = every_s;
	settings->keep[n].span_s = span_s;
	settings->keep_count++;
}

static void
apply_drill_all(struct parser *parser, const struct value *value)
{
	parser->settings->drill_sample = 0;
}

/* Bits of options_seen are positions in the table. */
enum {
	DRILL_SEEN_SAMPLE_AND_ALL = 6
};

static void
finish_drill(struct parser *parser)
{
	if ((parser->options_seen & DRILL_SEEN_SAMPLE_AND_ALL) ==
	    DRILL_SEEN_SAMPLE_AND_ALL)
		settings_complain(parser, settings_end_of_line(parser),
		    "drill takes either sample or all");
}

static void
apply_domains_word(struct parser *parser, const struct value *value)
{
	if (!text_is(value->word.text, "<domains>"))
		settings_complain(parser, value->word,
		    "only <domains> is possible: mail for every domain of "
		    "the domain lines is delivered");
}

static void
apply_nothing(struct parser *parser, const struct value *value)
{
}

/* Bits of options_seen are positions in the table. */
enum {
	MATCH_SEEN_DELIVER = 1 << 3 | 1 << 4 | 1 << 5,
	MATCH_SEEN_RELAY = 1 << 6,
	MATCH_SEEN_AUTH_FOR_ANY = 1 << 1 | 1 << 2 | 1 << 3
};

/* Mail for others is taken of those who logged in, and of nobody else. */
static void
finish_match(struct parser *parser)
{
	unsigned int seen = parser->options_seen & ~1U;

	if (report_errors(parser->report) != parser->had_errors)
		return;
	if (seen == (MATCH_SEEN_RELAY | MATCH_SEEN_AUTH_FOR_ANY))
		parser->settings->is_relaying = true;
	else if (seen & MATCH_SEEN_RELAY)
		settings_complain(parser, settings_end_of_line(parser),
		    "to relay takes: from auth for any relay");
	else if ((seen & MATCH_SEEN_DELIVER) != MATCH_SEEN_DELIVER)
		settings_complain(parser, settings_end_of_line(parser),
		    "match needs: for domain <domains> deliver");
}

static void
finish_queue(struct parser *parser)
{
	const struct settings *settings = parser->settings;

	if (settings->queue_retry_s > settings->queue_retry_most_s)
		settings_complain(parser, settings_end_of_line(parser),
		    "retry is longer than retry-most");
	else if (settings->queue_expire_s < settings->queue_retry_s)
		settings_complain(parser, settings_end_of_line(parser),
		    "expire is shorter than retry");
}

/* -- The tables -- */

static const struct option host_options[] = {
	{ NULL, VALUE_TEXT, 0, apply_host, NULL }, { 0 }
};
static const struct option domain_options[] = { { "is", VALUE_TEXT, 0, apply_is,
						    NULL },
	{ NULL, VALUE_TEXT, 0, apply_domain, NULL }, { 0 } };
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
	{ "quota", VALUE_SIZE, SETTINGS_MAX_QUOTA, settings_apply_store_quota,
	    NULL },
	{ "external-deletes", VALUE_TEXT, 0, apply_external_deletes, NULL },
	{ 0 } };
static const struct option snapshot_options[] = {
	{ "every", VALUE_SPAN, 31536000, apply_every, NULL },
	{ "segment", VALUE_SIZE, SETTINGS_MAX_SEGMENT, apply_segment, NULL },
	{ "seal", VALUE_SPAN, 86400, apply_seal, NULL },
	{ "dir", VALUE_PATH, 0, apply_snap, NULL },
	{ "on-bulk-delete", VALUE_ABSENT, 0, NULL,
	    "remove it; every instant can be restored anyway" },
	{ 0 }
};
static const struct option queue_options[] = { { "dir", VALUE_PATH, 0,
						   apply_queue, NULL },
	{ "retry", VALUE_SPAN, 86400, apply_retry, NULL },
	{ "retry-most", VALUE_SPAN, 86400, apply_retry_most, NULL },
	{ "expire", VALUE_SPAN, 31536000, apply_expire, NULL },
	{ "delay-notice", VALUE_SPAN, 31536000, apply_notice, NULL }, { 0 } };
static const struct option keep_options[] = {
	{ "minimum", VALUE_SPAN, 3153600000, apply_minimum, NULL },
	{ NULL, VALUE_TEXT, 0, apply_tier, NULL }, { 0 }
};
static const struct option drill_options[] = { { "every", VALUE_SPAN, 31536000,
						   apply_drill_every, NULL },
	{ "sample", VALUE_NUMBER, UINT32_MAX, apply_drill_sample, NULL },
	{ "all", VALUE_NONE, 0, apply_drill_all, NULL },
	{ "dir", VALUE_PATH, 0, apply_drill, NULL }, { 0 } };
static const struct option vault_options[] = {
	{ NULL, VALUE_ABSENT, 0, NULL, "remove the line" }, { 0 }
};
static const struct option reconcile_options[] = {
	{ "every", VALUE_SPAN, 31536000, apply_reconcile, NULL }, { 0 }
};
static const struct option match_options[] = { { "from", VALUE_NONE, 0,
						   apply_nothing, NULL },
	{ "any", VALUE_NONE, 0, apply_nothing, NULL },
	{ "auth", VALUE_NONE, 0, apply_nothing, NULL },
	{ "for", VALUE_NONE, 0, apply_nothing, NULL },
	{ "domain", VALUE_TEXT, 0, apply_domains_word, NULL },
	{ "deliver", VALUE_NONE, 0, apply_nothing, NULL },
	{ "relay", VALUE_NONE, 0, apply_nothing, NULL },
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
static const struct option account_changes_options[] = {
	{ "bytes", VALUE_SIZE, UINT64_C(1) << 50, apply_account_bytes, NULL },
	{ NULL, VALUE_NUMBER, UINT32_MAX, apply_account_changes, NULL }, { 0 }
};
static const struct option workers_options[] = {
	{ NULL, VALUE_NUMBER, 100000, apply_workers, NULL }, { 0 }
};
static const struct option hibernate_options[] = {
	{ "off", VALUE_NONE, 0, apply_hibernate_off, NULL },
	{ "after", VALUE_SPAN, 86400, apply_hibernate_after, NULL }, { 0 }
};

const struct directive settings_directives[DIRECTIVE_COUNT] = {
	{ "host", "host NAME", host_options, false, false, NULL, NULL },
	{ "domain", "domain NAME ... [is NAME]", domain_options, true, true,
	    NULL, finish_domain },
	{ "listen",
	    "listen smtp|submit|imap|lmtp [on ADDRESS] port N|unix PATH [tls|"
	    "starttls-required|tls-required] [auth] [plain-login] "
	    "[pause TIME] [from NETWORKS] [proxy from NETWORKS] "
	    "[xclient from NETWORKS]",
	    settings_listen_options, true, false, settings_begin_listen,
	    settings_finish_listen },
	{ "tls", "tls auto, or tls certificate FILE key FILE", tls_options,
	    true, false, begin_key, finish_key },
	{ "users", "users file FILE", users_options, false, false, NULL, NULL },
	{ "aliases", "aliases file FILE", aliases_options, false, false, NULL,
	    NULL },
	{ "store", "store maildir DIRECTORY [external-deletes accept|heal]",
	    store_options, false, false, NULL, NULL },
	{ "snapshot",
	    "snapshot [every TIME] [segment SIZE] [seal TIME] dir DIRECTORY",
	    snapshot_options, false, false, NULL, NULL },
	{ "queue",
	    "queue [dir DIRECTORY] [retry TIME] [retry-most TIME] "
	    "[expire TIME] [delay-notice TIME]",
	    queue_options, false, false, NULL, finish_queue },
	{ "keep", "keep TIME for TIME, ... [minimum TIME]", keep_options, false,
	    true, NULL, NULL },
	{ "drill", "drill [every TIME] [sample N|all] [dir DIRECTORY]",
	    drill_options, false, false, NULL, finish_drill },
	{ "match",
	    "match from any|auth for domain <domains> deliver, or match from "
	    "auth for any relay",
	    match_options, true, false, NULL, finish_match },
	{ "uid-range", "uid-range services UID accounts UID bits N",
	    uid_options, false, false, NULL, NULL },
	{ "max-message-size", "max-message-size SIZE", message_size_options,
	    false, false, NULL, NULL },
	{ "max-recipients", "max-recipients N", recipients_options, false,
	    false, NULL, NULL },
	{ "max-connections",
	    "max-connections N [per-address N] [per-network N]",
	    settings_connections_options, false, false, NULL, NULL },
	{ "max-workers", "max-workers N", workers_options, false, false, NULL,
	    NULL },
	{ "hibernate", "hibernate after TIME, or hibernate off",
	    hibernate_options, false, false, NULL, NULL },
	{ "max-account-changes", "max-account-changes N [bytes SIZE]",
	    account_changes_options, false, false, NULL, NULL },
	{ "limit",
	    "limit send N/day [class NAME], limit quota SIZE [messages N] "
	    "[class NAME], or limit connections|errors N/minute|hour|day "
	    "[per-network N]",
	    settings_limit_options, true, false, settings_begin_limit,
	    settings_finish_limit },
	{ "vault", "vault", vault_options, true, false, NULL, NULL },
	{ "reconcile", "reconcile every TIME", reconcile_options, false, false,
	    NULL, NULL },
	{ "resolver",
	    "resolver [forward ADDRESS ...|system] [trust-anchor RECORD] "
	    "[trust-anchor-file FILE] [insecure ZONE]",
	    settings_resolver_options, true, true, NULL,
	    settings_finish_resolver },
	{ "ca-certificates", "ca-certificates file FILE", settings_ca_options,
	    false, false, NULL, NULL },
	{ "relay",
	    "relay [via HOST [port N] [auth FILE]] [tls LEVEL] [from ADDRESS] "
	    "[hello NAME]",
	    settings_relay_options, false, false, NULL, settings_finish_relay },
	{ "transport",
	    "transport DOMAIN [via HOST [port N] [lmtp]] [tls LEVEL]",
	    settings_transport_options, true, false, settings_begin_transport,
	    settings_finish_transport },
	{ "srs", "srs off, or srs [domain NAME] [secret FILE] [valid TIME]",
	    settings_srs_options, false, false, NULL, settings_finish_srs },
	{ "trusted", "trusted NETWORK ..., or trusted users NAME ...",
	    settings_trusted_options, true, true, NULL, NULL },
	{ "tls-reports",
	    "tls-reports on|off [contact ADDRESS] [organization NAME]",
	    settings_tls_report_options, false, false, NULL,
	    settings_finish_tls_reports },
};
_Static_assert((int)DIRECTIVE_COUNT <= (int)SETTINGS_MAX_DIRECTIVES,
    "struct settings_origin is too small");

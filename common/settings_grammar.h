/*
 * What the files of the settings' language share among themselves: a statement
 * that is being read, and the grammar, which is two tables: the directives, and
 * the words that each of them takes (settings_directives.c).
 */
#ifndef COMMON_SETTINGS_GRAMMAR_H
#define COMMON_SETTINGS_GRAMMAR_H

#include "common/domain_name.h"
#include "common/settings_parser.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	bool takes_many; /* of the word without a name */
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
	unsigned int rates_seen;   /* of limit, in all statements */
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
	DIRECTIVE_QUEUE,
	DIRECTIVE_KEEP,
	DIRECTIVE_DRILL,
	DIRECTIVE_MATCH,
	DIRECTIVE_UID_RANGE,
	DIRECTIVE_MESSAGE_SIZE,
	DIRECTIVE_RECIPIENTS,
	DIRECTIVE_CONNECTIONS,
	DIRECTIVE_WORKERS,
	DIRECTIVE_HIBERNATE,
	DIRECTIVE_ACCOUNT_CHANGES,
	DIRECTIVE_LIMIT,
	DIRECTIVE_VAULT,
	DIRECTIVE_RECONCILE,
	DIRECTIVE_RESOLVER,
	DIRECTIVE_CA,
	DIRECTIVE_RELAY,
	DIRECTIVE_TRANSPORT,
	DIRECTIVE_SRS,
	DIRECTIVE_TRUSTED,
	DIRECTIVE_TLS_REPORTS,
	DIRECTIVE_COUNT
};

/* ---- settings_directives.c ---- */
extern const struct directive settings_directives[DIRECTIVE_COUNT];

/* ---- settings_listen.c ---- */
/* By enum service; NULL at the end. */
extern const char *const settings_services[];
extern const struct option settings_listen_options[];
bool settings_begin_listen(struct parser *parser);
void settings_finish_listen(struct parser *parser);
/* Of those that have no budget. */
void settings_trust_network(struct parser *parser, struct word word);

/* ---- settings_limit.c ---- */
extern const struct option settings_limit_options[];
extern const struct option settings_connections_options[];
bool settings_begin_limit(struct parser *parser);
void settings_finish_limit(struct parser *parser);
/* "store ... quota 5G" is "limit quota 5G". */
void settings_apply_store_quota(
    struct parser *parser, const struct value *value);

/* ---- settings_network.c ---- */
extern const struct option settings_resolver_options[];
extern const struct option settings_ca_options[];
void settings_finish_resolver(struct parser *parser);
/* ADDRESS[@PORT]. 0, or -1: it is none. */
int settings_parse_forwarder(
    struct text word, struct forwarder_setting *forwarder);
/* What a file of trust anchors and one such as /etc/resolv.conf say. 0, or -1
 * if that is nothing, or wrong. */
int settings_take_anchors(struct text file, struct settings *settings);
int settings_take_nameservers(struct text file, struct settings *settings);

/* ---- settings_relay.c ---- */
extern const struct option settings_relay_options[];
extern const struct option settings_transport_options[];
extern const struct option settings_tls_report_options[];
void settings_finish_relay(struct parser *parser);
void settings_finish_tls_reports(struct parser *parser);
bool settings_begin_transport(struct parser *parser);
void settings_finish_transport(struct parser *parser);
/* "verify" and so on. */
const char *settings_relay_level(uint8_t tls);
/* What the file of a login says: USER:PASSWORD. 0, or -1 if it is none. */
int settings_take_login(struct text file, struct settings *settings);

/* ---- settings_senders.c ---- */
extern const struct option settings_srs_options[];
extern const struct option settings_trusted_options[];
void settings_finish_srs(struct parser *parser);
/* The secrets of srs, a line each. 0, or -1 if there is none, or a wrong
 * one. */
int settings_take_srs_secrets(struct text file, struct settings *settings);

/* ---- settings_parser.c ---- */
/* A mistake at a word of the line that is being read. */
void settings_complain(struct parser *parser, struct word at,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The domain that a word is, as an A-label: 0, or -1 after it was complained
 * of. */
int settings_take_domain(
    struct parser *parser, struct word word, char to[DOMAIN_NAME_SIZE]);
/* The next word of the line; NULL at its end. */
const struct word *settings_take(struct parser *parser);
struct word settings_end_of_line(const struct parser *parser);
/* What a word must be, for people. */
const char *settings_kind_name(enum value_kind kind);

/* ---- settings_check.c ---- */
/* Everything was read: defaults, what is missing, what does not go together. */
void settings_check_whole(struct parser *parser);

#endif

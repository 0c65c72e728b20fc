/*
 * Reads the parts of one complete IMAP command (RFC 3501 section 9), as
 * imap_input cut it.  Pure.  Texts point into the command or into the pool.
 */
#ifndef IMAPD_IMAP_PARSER_H
#define IMAPD_IMAP_PARSER_H

#include "common/pool.h"
#include "common/text.h"
#include "imapd/imap_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IMAP_MAX_TAG_SIZE = 128,
	IMAP_MAX_FLAGS = 128,    /* in one list */
	IMAP_MAX_KEYWORD = 100,  /* bytes of a keyword */
	IMAP_MAX_MAILBOX = 1000, /* bytes of a name in UTF-8 */
	IMAP_MAX_FETCH_ITEMS = 1024,
	IMAP_MAX_HEADER_NAMES = 256
};

/* To a message number with UIDONLY (RFC 9586 3). */
#define IMAP_UID_REQUIRED "[UIDREQUIRED] Messages go by UID now"

/* What else a command may hold; whatever is beyond gets a sentence. */
struct imap_limits {
	size_t set_ranges; /* of one set of messages */
	size_t search_keys;
	size_t search_nesting;
	size_t messages; /* that it works on (message_limit.h) */
};
extern const struct imap_limits imap_limits;

struct imap_parser {
	struct text rest;  /* not read yet */
	struct pool *pool; /* for what must be rewritten */
	const struct imap_limits *limits;
	const char *error;   /* what is wrong with it, for the tagged BAD */
	bool is_utf8_names;  /* UTF8=ACCEPT, IMAP4rev2: names as they are */
	bool has_no_charset; /* UTF8=ACCEPT: SEARCH says none */
	bool has_no_numbers; /* UIDONLY: messages go by UID */
	/* The last name as the client wrote it, in UTF-8, if that is not how it
	 * is written here; else NULL. */
	const char *other_name;
};

void imap_parser_init(
    struct imap_parser *parser, struct text command, struct pool *pool);

/* All: 0, or -1 with parser->error set (static text). */
int imap_parse_error(struct imap_parser *parser, const char *error);
int imap_parse_tag(struct imap_parser *parser, struct text *tag);
int imap_parse_atom(struct imap_parser *parser, struct text *atom);
int imap_parse_string(struct imap_parser *parser, struct text *string);
int imap_parse_astring(struct imap_parser *parser, struct text *string);
int imap_parse_space(struct imap_parser *parser);
int imap_parse_end(struct imap_parser *parser);
int imap_parse_number(
    struct imap_parser *parser, uint64_t max, uint64_t *number);
/* Also "$". */
int imap_parse_set(struct imap_parser *parser, struct imap_set *set);

/* A mailbox name, NUL-terminated, UTF-8 in NFC; INBOX in that case. A name that
 * is not valid modified UTF-7 or too long is an error. */
int imap_parse_mailbox(struct imap_parser *parser, const char **name);
/* The pattern of LIST: also list wildcards. */
int imap_parse_list_mailbox(struct imap_parser *parser, const char **pattern);

struct imap_flags {
	unsigned int system; /* FLAG_... of common/record.h */
	size_t keyword_count;
	struct text keywords[IMAP_MAX_FLAGS];
};

/* "(\Seen foo)", and also without the parentheses if `is_bare_allowed`. */
int imap_parse_flags(
    struct imap_parser *parser, bool is_bare_allowed, struct imap_flags *flags);

/* "dd-Mon-yyyy", quoted or not; days since 1970-01-01. */
int imap_parse_date(struct imap_parser *parser, int64_t *day);
/* "\" dd-Mon-yyyy hh:mm:ss +zzzz\""; seconds since 1970. */
int imap_parse_date_time(struct imap_parser *parser, int64_t *seconds);

/* If the next byte is `c`, skips it.  RFC 3501 9 has one space between two
 * words and none inside a parenthesis, but people's scripts say "( FLAGS  UID
 * )", and other servers let them: spaces behind a space or "(" are skipped with
 * it, and those in front of ")" or "]".  A space with nothing or ")" behind it
 * separates nothing: skipped, and false. */
bool imap_parse_skip(struct imap_parser *parser, char c);
bool imap_parse_next_is(const struct imap_parser *parser, char c);
bool imap_parse_at_end(const struct imap_parser *parser);
/* If the next word, in any case, is `word`, skips it. A word ends where an
 * atom ends. */
bool imap_parse_skip_word(struct imap_parser *parser, const char *word);

#endif

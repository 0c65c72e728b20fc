/*
 * What the files of the account parser share: a file that is being read, and
 * how its lines, addresses and mistakes are treated (account_parser.c,
 * alias_parser.c).
 */
#ifndef COMMON_ACCOUNT_PARSER_STATE_H
#define COMMON_ACCOUNT_PARSER_STATE_H

#include "common/account_parser.h"
#include "common/pool.h"

#include <stdbool.h>

enum {
	LOCAL_PART_MAX = 64,
	ADDRESS_MAX = 320
};

struct alias_entry {
	const char *key;     /* as it is looked up; the parser's pool has it */
	struct text name;    /* as written */
	struct text targets; /* the rest of the line */
	unsigned int line;
	bool is_on_path; /* being followed now: meeting it again is a loop */
};

struct account_parser {
	const char *name;
	const struct settings *settings;
	struct report *report;
	struct account_table *table;
	unsigned int line;
	/* aliases */
	const struct alias_watch *watch; /* NULL: nobody looks on */
	struct pool *pool;
	struct alias_entry *entries;
	size_t entry_count;
	struct table *by_name;
	size_t row_count;
	size_t target_count; /* of the name that is being followed */
};

/* A mistake in the line that is being read; columns count from 0. */
void account_complain(struct account_parser *parser, size_t column,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* True if the line is of a fit length and has something to read. */
bool account_is_line_to_read(struct account_parser *parser, struct text line);

/* Lower case into `to`, of LOCAL_PART_MAX + 1 bytes; 0, or -1 if it is no
 * dot-atom. */
int account_copy_local(struct text local, char *to);

/* local@domain, in lower case, in one of our domains or elsewhere; -1 after it
 * was reported. */
int account_parse_address(struct account_parser *parser, struct text address,
    size_t column, bool is_remote, char to[ADDRESS_MAX]);

/* ---- alias_parser.c ---- */
void account_parse_aliases(
    struct account_parser *parser, const struct account_source *aliases);

#endif

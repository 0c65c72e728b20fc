/*
 * The users file (Dovecot's passwd-file form) and the aliases file, as bytes
 * in, and an account table with a report of everything that is wrong out.
 * Password hashes never stand in a report.
 *
 *   alice@example.org:{SHA512-CRYPT}$6$...::::::firnmail_id=1
 *   postmaster: alice, bob@example.org
 */
#ifndef COMMON_ACCOUNT_PARSER_H
#define COMMON_ACCOUNT_PARSER_H

#include "common/account.h"
#include "common/report.h"
#include "common/settings.h"
#include "common/text.h"

enum {
	ACCOUNT_MAX_FILE_BYTES = 64 * 1024 * 1024,
	ACCOUNT_MAX_LINE_BYTES = 4096,
	ACCOUNT_MAX_ACCOUNTS = 1000000,
	ACCOUNT_MAX_ALIASES = 1000000, /* rows, after groups are flattened */
	ACCOUNT_MAX_ALIAS_DEPTH = 16,
	ACCOUNT_MAX_ALIAS_TARGETS = 1000 /* accounts that one name leads to */
};

/* A file's name for the report, and its bytes. */
struct account_source {
	const char *name;
	struct text text;
};

/* `aliases` may be NULL. Uids are settings' uid_account_base + number; every
 * address must be in one of settings' domains. NULL if the report has
 * errors. */
struct account_table *account_table_parse(const struct account_source *users,
    const struct account_source *aliases, const struct settings *settings,
    struct report *report);

/* What an alias leads to, in the order in which it is followed; what is deeper
 * stands behind what leads to it. Depth 0 is the alias itself. */
enum alias_step {
	ALIAS_STEP_ALIAS,     /* another one, whose targets come now */
	ALIAS_STEP_ACCOUNT,   /* an account */
	ALIAS_STEP_KEPT,      /* the account that passes its mail on, itself */
	ALIAS_STEP_ELSEWHERE, /* an address on another host */
	ALIAS_STEP_AGAIN,     /* there by another way already */
	ALIAS_STEP_LOOP,      /* and the rest are mistakes */
	ALIAS_STEP_TOO_DEEP,
	ALIAS_STEP_TOO_MANY,
	ALIAS_STEP_UNKNOWN
};

struct alias_watch {
	struct text name; /* the alias that is looked at, in any case */
	void (*step)(void *context, unsigned int depth, enum alias_step step,
	    struct text name);
	void *context;
};

/* account_table_parse for who wants to see how an alias is followed, and a
 * table of what is right where something is wrong. */
struct account_table *account_table_watch(const struct account_source *users,
    const struct account_source *aliases, const struct settings *settings,
    const struct alias_watch *watch, struct report *report);

/* The same from settings' users_path and aliases_path; a users file that does
 * not exist yet is an empty one (warned about). */
struct account_table *account_table_load(
    const struct settings *settings, struct report *report);

#endif

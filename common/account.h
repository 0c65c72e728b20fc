/*
 * The accounts, as master parsed them from the users file, and the slices of
 * that table which the other roles are given in sealed memfds: authd alone
 * gets password hashes, queue addresses and aliases, broker numbers and ids,
 * snapd and the spool numbers; a worker none, for it is told what it is.
 */
#ifndef COMMON_ACCOUNT_H
#define COMMON_ACCOUNT_H

#include "common/error.h"
#include "common/messages.h"
#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

enum {
	ACCOUNT_DISABLED = 1 /* no login; mail is still taken */
};

struct account {
	uint32_t number; /* firnmail_id: 1 and up, never reused */
	uint32_t uid;
	uint32_t gid;
	unsigned int flags;
	uint32_t send_per_day;   /* recipients elsewhere; 0: no limit */
	uint64_t quota_bytes;    /* in its mailboxes; 0: no limit */
	uint64_t quota_messages; /* as here */
	const char *address;     /* local@domain, lower case */
	const char *hash; /* with its {SCHEME} removed; "" outside authd */
};

/* An alias has one target a row; several rows may share a name. */
struct account_alias {
	const char *name;   /* local@domain, or local alone for every domain */
	const char *target; /* an account's address */
	size_t next;        /* private */
	size_t last;        /* private */
};

struct account_table;

/* For account_parser.c and tests: texts are copied. The numbers and addresses
 * must be new (-1 if not). */
struct account_table *account_table_new(void);
int account_table_add(
    struct account_table *table, const struct account *account);
void account_table_add_alias(
    struct account_table *table, struct text name, struct text target);

void account_table_free(struct account_table **table);
size_t account_table_count(const struct account_table *table);
const struct account *account_table_at(
    const struct account_table *table, size_t n);
/* NULL if there is none. `address` in any case. */
const struct account *account_find_address(
    const struct account_table *table, struct text address);
const struct account *account_find_number(
    const struct account_table *table, uint32_t number);
size_t account_table_aliases(
    const struct account_table *table, const struct account_alias **aliases);

/* The first alias of exactly that name, in any case, and those after it, in the
 * order they were added; NULL if there is none (more). */
const struct account_alias *account_find_alias(
    const struct account_table *table, struct text name);
const struct account_alias *account_next_alias(
    const struct account_table *table, const struct account_alias *alias);

/* The slice for `role`, sealed; or -1. */
int account_table_slice(
    const struct account_table *table, enum role role, struct error *error);
struct account_table *account_table_read(int fd, struct error *error);

#endif

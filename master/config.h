/*
 * What the administrator wrote, as master holds it: settings and accounts of
 * one generation.  A reload makes a new one and swaps it when all is valid.
 */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include "common/account.h"
#include "common/settings.h"

struct config {
	const char *path; /* of firnmail.conf; the caller's */
	struct settings *settings;
	struct account_table *accounts;
};

/* NULL after all findings went to stderr and the log. */
struct config *config_load(const char *path, uint64_t generation);
void config_free(struct config **config);

#endif

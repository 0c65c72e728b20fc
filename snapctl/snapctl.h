/*
 * The parts that the verbs of snapctl share: options, the conversation with
 * snapd, and the exit codes (snapctl(8)).
 */
#ifndef SNAPCTL_SNAPCTL_H
#define SNAPCTL_SNAPCTL_H

#include "common/account.h"
#include "common/control_record.h"
#include "common/error.h"
#include "common/messages.h"
#include "snapctl/output.h"

#include <stdbool.h>
#include <stdint.h>

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PARTLY = 3,
	EXIT_DIFFERS = 4,
	EXIT_NONE = 10, /* no such snapshot, account, message */
	EXIT_BUSY = 11,
	EXIT_REFUSED = 12,
	EXIT_DAMAGED = 20,
	EXIT_UNREACHABLE = 75,
	EXIT_CONFIG = 78
};

struct options {
	const char *message; /* -m */
	const char *name;    /* --name */
	const char *since;   /* --since */
	const char *mode;    /* --mode */
	bool is_dry_run;
	bool is_yes;
	bool is_exit_code;
	unsigned int read_percent;
};

struct snapctl {
	struct options options;
	struct output *output;
	struct account_table *accounts; /* NULL if there is no configuration */
	int socket;
	uint64_t last_tag;
	int64_t now; /* seconds since 1970 */
};

/* -- The conversation -- */

/* Connects and checks nothing else. -1 and error. */
int client_connect(const char *path, struct error *error);

/*
 * Sends a request, whose tag it sets, and calls `row` for each row of its
 * answer until `row` returns other than EXIT_DONE. The exit code: that one, or
 * the one of the answer's status, after its text was printed.
 */
int client_ask(struct snapctl *snapctl, struct message *request,
    int (*row)(struct snapctl *snapctl, enum control_row_kind kind,
	struct text record, void *context),
    void *context);

/* -- The verbs: arguments behind the verb; exit code -- */

int cmd_create(struct snapctl *snapctl, int argc, char **argv);
int cmd_list(struct snapctl *snapctl, int argc, char **argv);
int cmd_show(struct snapctl *snapctl, int argc, char **argv);
int cmd_ls(struct snapctl *snapctl, int argc, char **argv);
int cmd_cat(struct snapctl *snapctl, int argc, char **argv);
int cmd_diff(struct snapctl *snapctl, int argc, char **argv);
int cmd_log(struct snapctl *snapctl, int argc, char **argv);
int cmd_restore(struct snapctl *snapctl, int argc, char **argv);
int cmd_verify(struct snapctl *snapctl, int argc, char **argv);
int cmd_status(struct snapctl *snapctl, int argc, char **argv);

#endif

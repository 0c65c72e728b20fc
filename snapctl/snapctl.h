/*
 * The parts that the verbs of snapctl share: options, the conversation with
 * snapd, and the exit codes (snapctl(8)).
 */
#ifndef SNAPCTL_SNAPCTL_H
#define SNAPCTL_SNAPCTL_H

#include "common/account.h"
#include "common/control_record.h"
#include "common/error.h"
#include "common/exit_code.h"
#include "common/messages.h"
#include "common/output.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	OPTIONS_MAX_SIGNATURES = 16
};

struct options {
	const char *config;  /* -c */
	const char *libexec; /* --libexec: where the programs are */
	const char *message; /* -m */
	const char *name;    /* --name */
	const char *since;   /* --since */
	const char *mode;    /* --mode */
	const char *into;    /* --into */
	const char *format;  /* --format */
	/* find */
	const char *account;
	const char *at;
	const char *from;
	const char *to;
	const char *subject;
	const char *before;
	bool is_deleted;
	bool is_all;        /* --all */
	const char *sample; /* --sample */
	bool is_dry_run;
	bool is_yes;
	bool is_exit_code;
	bool is_following;                              /* --follow */
	bool is_proof;                                  /* --proof */
	const char *key;                                /* --key */
	const char *recovery_key;                       /* --recovery-key */
	const char *signatures[OPTIONS_MAX_SIGNATURES]; /* --sign */
	size_t signature_count;
	unsigned int read_percent;
};

struct snapctl {
	struct options options;
	struct output *output;
	struct account_table *accounts; /* NULL if there is no configuration */
	char **line;                    /* the whole command line */
	int socket;                     /* -1: none */
	bool is_confined;
	uint64_t last_tag;
	int64_t now; /* seconds since 1970 */
};

enum verb_kind {
	VERB_NAMES,    /* asks snapd, and names accounts */
	VERB_NAMELESS, /* asks snapd; names none unless one is given to it */
	VERB_ALONE     /* asks nobody */
};

struct verb {
	const char *name;
	int (*run)(struct snapctl *snapctl, int argc, char **argv);
	const char *synopsis;
	const char *summary;
	const char *completes; /* its options and arguments: completion.h */
	enum verb_kind kind;
};

struct verb_table {
	const struct verb *verbs;
	size_t count;
	const char *globals; /* options of all, as in `completes` */
};

/* What the asker of a change said of himself. */
#define NOTE_FIELDS(note)                          \
	FIELD_T("said_command", 12, (note).cause), \
	    FIELD_T("said_user", 18, (note).user), \
	    FIELD_T("said_address", 15, (note).address)

/* -- The conversation -- */

/*
 * Sends a request, whose tag it sets, and calls `row` for each row of its
 * answer until `row` returns other than EXIT_DONE. The exit code: that one, or
 * the one of the answer's status, after its text was printed.
 */
int client_ask(struct snapctl *snapctl, struct message *request,
    int (*row)(struct snapctl *snapctl, enum control_row_kind kind,
	struct text record, void *context),
    void *context);

/*
 * Gives up all rights, once: what comes from the store or out of a file, mail
 * included, is shown without any. client_ask does it when the request is on its
 * way, so that the store works meanwhile. EXIT_DONE, or a code and it was said.
 */
int client_confine(struct snapctl *snapctl);

/* -- What several verbs need -- */

/* "snapctl: " and the error on stderr; the exit code for it. */
int command_fail(const struct error *error);
int command_usage(const char *synopsis);

/* Optional ACCOUNT argument: 0 if there is none. EXIT_DONE or a code. */
int command_account(
    const struct snapctl *snapctl, int argc, char **argv, uint32_t *account);

/* Addresses of accounts are a comfort: without a readable configuration
 * numbers still work. */
void command_load_accounts(struct snapctl *snapctl);

/* An option's date or age as seconds since 1970, 0 if it was not given. */
int command_time(const struct snapctl *snapctl, const char *option,
    const char *value, int64_t *time);
int command_since(const struct snapctl *snapctl, int64_t *since);
/* --since of a log: a date or an age, or the events behind @N. */
int command_since_event(
    const struct snapctl *snapctl, struct message_control_log *log);

/* --yes, or a yes on the terminal; without a terminal nobody is asked. */
bool command_is_agreed(const struct snapctl *snapctl);

/* An account for people: its address, or its number in `storage` (12 bytes).
 * "-" for 0. */
struct text command_account_name(
    const struct snapctl *snapctl, uint32_t account, char *storage);

/* A row of `list`, `create` and `show`. */
void command_print_snapshot(
    struct snapctl *snapctl, const struct control_snapshot *snapshot);

/* Flags as letters in `storage` (8 bytes): "SRF" as in Maildir names. */
struct text command_flags(uint32_t flags, char *storage);

/* Prints accounts, mailboxes and messages: the rows of `ls`. */
int command_print_listing(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context);

/* Prints the rows of `hold`, `holds` and `release`. */
int command_print_hold(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context);

/* Prints the rows of `log` and `events`. */
int command_print_event(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context);

/* -- The verbs: arguments behind the verb; exit code -- */

int cmd_create(struct snapctl *snapctl, int argc, char **argv);
int cmd_list(struct snapctl *snapctl, int argc, char **argv);
int cmd_show(struct snapctl *snapctl, int argc, char **argv);
int cmd_ls(struct snapctl *snapctl, int argc, char **argv);
int cmd_cat(struct snapctl *snapctl, int argc, char **argv);
int cmd_find(struct snapctl *snapctl, int argc, char **argv);
int cmd_export(struct snapctl *snapctl, int argc, char **argv);
int cmd_diff(struct snapctl *snapctl, int argc, char **argv);
int cmd_log(struct snapctl *snapctl, int argc, char **argv);
int cmd_events(struct snapctl *snapctl, int argc, char **argv);
int cmd_accept_missing(struct snapctl *snapctl, int argc, char **argv);
int cmd_reconcile(struct snapctl *snapctl, int argc, char **argv);
int cmd_restore(struct snapctl *snapctl, int argc, char **argv);
int cmd_keep(struct snapctl *snapctl, int argc, char **argv);
int cmd_hold(struct snapctl *snapctl, int argc, char **argv);
int cmd_holds(struct snapctl *snapctl, int argc, char **argv);
int cmd_release(struct snapctl *snapctl, int argc, char **argv);
int cmd_verify(struct snapctl *snapctl, int argc, char **argv);
int cmd_verify_proof(struct snapctl *snapctl, int argc, char **argv);
int cmd_drill(struct snapctl *snapctl, int argc, char **argv);
int cmd_seal(struct snapctl *snapctl, int argc, char **argv);
int cmd_rebuild(struct snapctl *snapctl, int argc, char **argv);
int cmd_open_damaged(struct snapctl *snapctl, int argc, char **argv);
int cmd_recover_key(struct snapctl *snapctl, int argc, char **argv);
int cmd_stats(struct snapctl *snapctl, int argc, char **argv);
int cmd_completion(struct snapctl *snapctl, int argc, char **argv);
int cmd_status(struct snapctl *snapctl, int argc, char **argv);
/* ---- elsewhere.c ---- */
/* Whose command line it is. */
void elsewhere_prepare(const struct snapctl *snapctl);
/* snapctl-more takes over, with the same command line: before anything was
 * asked. Returns only if that is not possible, which was said then. */
void elsewhere_start(void);
/* The same as a verb. */
int cmd_elsewhere(struct snapctl *snapctl, int argc, char **argv);
/* Of snapctl-more. */
int cmd_cat_secret(struct snapctl *snapctl, int argc, char **argv);
int cmd_unseal(struct snapctl *snapctl, int argc, char **argv);

#endif

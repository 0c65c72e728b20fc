/*
 * The parts that the verbs of firnmail share: options, settings, and the
 * conversations with the running daemon (firnmail(8)).
 */
#ifndef FIRNMAIL_FIRNMAIL_H
#define FIRNMAIL_FIRNMAIL_H

#include "common/account_parser.h"
#include "common/control_record.h"
#include "common/error.h"
#include "common/exit_code.h"
#include "common/messages.h"
#include "common/output.h"
#include "common/settings_parser.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *config;  /* -c, absolute */
	const char *run;     /* --run: where the control sockets are */
	const char *libexec; /* --libexec: where the programs are */
	const char *host;    /* setup: --host */
	const char *domain;  /* setup: --domain */
	const char *state;   /* setup: --state */
	const char *hash;    /* account: --hash */
	bool is_cheap_hash;
	bool is_new_store;
	bool is_explain;
	const char *into; /* import: --into */
	bool is_dry_run;
};

struct firnmail {
	struct options options;
	struct output *output;
	/* After command_load. */
	struct settings *settings;
	struct account_table *accounts;
	struct settings_origin origin;
};

/* -- What several verbs need -- */

/* "firnmail: ..." on stderr, a line. The code, to be returned. */
int command_fail(int code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int command_usage(const char *synopsis);

/* Loads settings and accounts and prints what is wrong with them on stderr:
 * errors always, warnings if `is_warned`. EXIT_DONE or EXIT_CONFIG. */
int command_load(struct firnmail *firnmail, bool is_warned);
void command_print_report(const struct report *report);

/* What is shown from here on is shown without any right. */
int command_drop_rights(void);

/* -- The running daemon -- */

/* A control socket of the daemon, as `self` towards `peer`. */
struct daemon {
	int fd;
	enum role self;
	enum role peer;
};

/* EXIT_DONE, or EXIT_UNREACHABLE after it was said. */
int daemon_open(
    const struct firnmail *firnmail, enum role peer, struct daemon *daemon);
void daemon_close(struct daemon *daemon);

/*
 * Sends a request, whose tag it sets, and waits for `answer`, whose texts are
 * valid until the next call. Rows before it go to `row`, if that is not NULL.
 * EXIT_DONE, or EXIT_UNREACHABLE after it was said.
 */
int daemon_ask(struct daemon *daemon, struct message *request,
    void (*row)(const struct message_control_row *row, void *context),
    void *context, struct message *answer);

/* The parts of it, for who has something else to do meanwhile: the request goes
 * out; is there a packet by now; the next row or answer, waited for. */
int daemon_send(struct daemon *daemon, struct message *request);
bool daemon_has_news(const struct daemon *daemon);
int daemon_receive(struct daemon *daemon, struct message *message);

/* Has the store know account `number`: its status (STATUS_EXISTS: it did), in
 * `status`. EXIT_DONE or a code after it was said. */
int daemon_create_account(
    struct daemon *snapd, uint32_t number, uint8_t *status);

/* Asks for a reload. EXIT_DONE or a code after it was said. */
int daemon_reload(struct daemon *broker, uint64_t *generation);

/* -- The verbs: arguments behind the verb; exit code -- */

int cmd_setup(struct firnmail *firnmail, int argc, char **argv);
int cmd_check(struct firnmail *firnmail, int argc, char **argv);
int cmd_alias(struct firnmail *firnmail, int argc, char **argv);
int cmd_domain(struct firnmail *firnmail, int argc, char **argv);
int cmd_account(struct firnmail *firnmail, int argc, char **argv);
int cmd_dns(struct firnmail *firnmail, int argc, char **argv);
int cmd_import(struct firnmail *firnmail, int argc, char **argv);
int cmd_queue(struct firnmail *firnmail, int argc, char **argv);
int cmd_tls_reports(struct firnmail *firnmail, int argc, char **argv);
int cmd_trace(struct firnmail *firnmail, int argc, char **argv);
int cmd_reload(struct firnmail *firnmail, int argc, char **argv);
int cmd_status(struct firnmail *firnmail, int argc, char **argv);
int cmd_who(struct firnmail *firnmail, int argc, char **argv);

#endif

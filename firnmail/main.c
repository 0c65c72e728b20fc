/*
 * firnmail: what an administrator does beside snapshots: setup, accounts,
 * checking, reloading and looking.  Each verb is a cmd_*.c file.  Run by root
 * (or by whoever runs firnmaild); it talks to the daemon on its two control
 * sockets and reads nothing from the network.
 */
#include "firnmail/firnmail.h"

#include "firnmail/completion.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef FIRNMAIL_LIBEXEC
#define FIRNMAIL_LIBEXEC "/usr/libexec/firnmail"
#endif

/* Letters for long options that have no short one. */
enum {
	OPTION_JSON = 256,
	OPTION_RUN,
	OPTION_LIBEXEC,
	OPTION_HOST,
	OPTION_DOMAIN,
	OPTION_STATE,
	OPTION_NEW_STORE,
	OPTION_HASH,
	OPTION_CHEAP_HASH,
	OPTION_EXPLAIN,
	OPTION_INTO,
	OPTION_DRY_RUN
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "run", required_argument, NULL, OPTION_RUN },
	{ "libexec", required_argument, NULL, OPTION_LIBEXEC },
	{ "host", required_argument, NULL, OPTION_HOST },
	{ "domain", required_argument, NULL, OPTION_DOMAIN },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "new-store", no_argument, NULL, OPTION_NEW_STORE },
	{ "hash", required_argument, NULL, OPTION_HASH },
	{ "cheap-hash", no_argument, NULL, OPTION_CHEAP_HASH },
	{ "explain", no_argument, NULL, OPTION_EXPLAIN },
	{ "into", required_argument, NULL, OPTION_INTO },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int cmd_completion(struct firnmail *firnmail, int argc, char **argv);

static const struct verb {
	const char *name;
	int (*run)(struct firnmail *firnmail, int argc, char **argv);
	const char *synopsis;
	const char *summary;
	const char *more; /* of the synopsis, for completion alone */
} verbs[] = {
	{ "setup", cmd_setup, "[--host NAME] [--domain NAME] [--new-store]",
	    "make what the first start needs", NULL },
	{ "check", cmd_check, "[--explain]", "check the configuration", NULL },
	{ "account", cmd_account,
	    "add|passwd|show|retire|revive ADDRESS | list",
	    "accounts and their passwords",
	    "purge-request|purge-confirm|purge-withdraw ADDRESS" },
	{ "alias", cmd_alias,
	    "add NAME TARGET ... | remove NAME [TARGET ...] | list | ...",
	    "other names, groups, mail that is passed on",
	    "show|test ADDRESS" },
	{ "domain", cmd_domain, "add NAME [is NAME] | remove NAME | list",
	    "whose mail is taken", "show NAME" },
	{ "dns", cmd_dns, "show|check DOMAIN", "the DNS records of a domain",
	    NULL },
	{ "import", cmd_import,
	    "dovecot|maildir DIR ADDRESS [--into MAILBOX] [--dry-run]",
	    "take over mail of another server", NULL },
	{ "queue", cmd_queue,
	    "[list|show|why|flush|hold|release|bounce] [WHICH]",
	    "mail that has not gone yet", NULL },
	{ "tls-reports", cmd_tls_reports, "[list|send]",
	    "reports of TLS to other domains", NULL },
	{ "trace", cmd_trace, "ID|ADDRESS", "what became of a message", NULL },
	{ "reload", cmd_reload, "", "bring changed files in force", NULL },
	{ "status", cmd_status, "", "show processes and store", NULL },
	{ "who", cmd_who, "", "show who is there", NULL },
	{ "completion", cmd_completion, "bash|zsh|fish",
	    "print a script for the shell", NULL },
};

enum {
	VERB_COUNT = sizeof(verbs) / sizeof(verbs[0])
};

static void
print_usage(FILE *to)
{
	fprintf(to,
	    "usage: firnmail [-c FILE] [--run DIR] [--json | -H] [-p] VERB "
	    "...\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(to, "  %-11s %-48s %s\n", verbs[i].name,
		    verbs[i].synopsis, verbs[i].summary);
	fprintf(to, "Snapshots are snapctl's. See firnmail(8).\n");
}

/* -- Completion -- */

static int
cmd_completion(struct firnmail *firnmail, int argc, char **argv)
{
	const char *script = argc == 1 ? completion_script(argv[0]) : NULL;

	(void)firnmail;
	if (script == NULL)
		return command_usage("completion bash|zsh|fish");
	fputs(script, stdout);
	return EXIT_DONE;
}

static void
print_word(const char *word, const char *about, void *context)
{
	(void)context;
	printf("%s%s%s\n", word, about[0] != '\0' ? "\t" : "", about);
}

/* Before options are looked for: these words are the line's. */
static int
complete(int count, char **words)
{
	struct completion_verb table[VERB_COUNT];

	for (size_t i = 0; i < VERB_COUNT; i++)
		table[i] = (struct completion_verb){ verbs[i].name,
			verbs[i].synopsis, verbs[i].summary, verbs[i].more };
	completion_offer(
	    table, VERB_COUNT, words, (size_t)count, print_word, NULL);
	return EXIT_DONE;
}

static int
unknown_verb(const char *name)
{
	const char *words[VERB_COUNT + 1] = { NULL };
	const char *near;

	for (size_t i = 0; i < VERB_COUNT; i++)
		words[i] = verbs[i].name;
	near = report_suggest(text_of(name), words);
	return command_fail(EXIT_USAGE, "unknown verb \"%s\"%s%s%s", name,
	    near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
	    near == NULL ? "" : "\"?)");
}

struct invocation {
	struct options *options;
	enum output_form form;
	bool is_exact;
	bool is_help;
};

/* Options that take a value; false if it is none of them. */
static bool
take_value(int letter, struct options *options)
{
	const struct {
		int letter;
		const char **value;
	} values[] = {
		{ 'c', &options->config },
		{ OPTION_RUN, &options->run },
		{ OPTION_LIBEXEC, &options->libexec },
		{ OPTION_HOST, &options->host },
		{ OPTION_DOMAIN, &options->domain },
		{ OPTION_STATE, &options->state },
		{ OPTION_HASH, &options->hash },
		{ OPTION_INTO, &options->into },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (values[i].letter != letter)
			continue;
		*values[i].value = optarg;
		return true;
	}
	return false;
}

/* 0, or -1 if the option is wrong. */
static int
take_option(int letter, struct invocation *invocation)
{
	switch (letter) {
	case 'H':
		invocation->form = OUTPUT_TABS;
		return 0;
	case OPTION_JSON:
		invocation->form = OUTPUT_JSON;
		return 0;
	case 'p':
		invocation->is_exact = true;
		return 0;
	case 'h':
		invocation->is_help = true;
		return 0;
	case OPTION_NEW_STORE:
		invocation->options->is_new_store = true;
		return 0;
	case OPTION_CHEAP_HASH:
		invocation->options->is_cheap_hash = true;
		return 0;
	case OPTION_DRY_RUN:
		invocation->options->is_dry_run = true;
		return 0;
	case OPTION_EXPLAIN:
		invocation->options->is_explain = true;
		return 0;
	default:
		return take_value(letter, invocation->options) ? 0 : -1;
	}
}

/* Options may stand anywhere: getopt moves the words behind them. */
static int
parse_options(int argc, char **argv, struct invocation *invocation)
{
	int letter;

	opterr = 0;
	while ((letter = getopt_long(
		    argc, argv, "c:Hph", long_options, NULL)) != -1)
		if (take_option(letter, invocation) == -1)
			return command_fail(
			    EXIT_USAGE, "bad option %s", argv[optind - 1]);
	return EXIT_DONE;
}

static int
run(struct firnmail *firnmail, const struct invocation *invocation, int argc,
    char **argv)
{
	const struct verb *verb = NULL;
	int code;

	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(argv[0], verbs[i].name) == 0)
			verb = &verbs[i];
	if (verb == NULL)
		return unknown_verb(argv[0]);
	firnmail->output = output_new(invocation->form, invocation->is_exact);
	code = verb->run(firnmail, argc - 1, argv + 1);
	output_free(&firnmail->output);
	if (firnmail->accounts != NULL)
		account_table_free(&firnmail->accounts);
	settings_free(&firnmail->settings);
	if (fflush(stdout) == EOF && code == EXIT_DONE)
		return command_fail(EXIT_FAILED, "standard output is full");
	return code;
}

int
main(int argc, char **argv)
{
	static struct firnmail
	    firnmail = { .options = {
			     .config = "/etc/firnmail/firnmail.conf",
			     .run = "/run/firnmail",
			     .libexec = FIRNMAIL_LIBEXEC,
			     .state = "/var/lib/firnmail",
			 } };
	struct invocation invocation = { .options = &firnmail.options,
		.form = OUTPUT_TABLE };
	int code;

	umask(022);
	if (argc > 2 && strcmp(argv[1], "completion") == 0 &&
	    strcmp(argv[2], "words") == 0)
		return complete(argc - 3, argv + 3);
	code = parse_options(argc, argv, &invocation);
	if (code != EXIT_DONE)
		return code;
	if (invocation.is_help || optind == argc) {
		print_usage(invocation.is_help ? stdout : stderr);
		return invocation.is_help ? EXIT_DONE : EXIT_USAGE;
	}
	return run(&firnmail, &invocation, argc - optind, argv + optind);
}

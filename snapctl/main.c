/*
 * snapctl: the administrator's way to the snapshot store.  It reads the
 * configuration for the names of accounts, connects to snapd's control socket,
 * gives up all its rights and carries out one verb (a cmd_*.c file each); but
 * for rebuild, which starts a program of ours while nothing runs.
 */
#include "snapctl/completion.h"
#include "snapctl/interrupt.h"
#include "snapctl/snapctl.h"
#include "snapctl/unseal.h"

#include "common/channel.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/report.h"
#include "common/sandbox_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FIRNMAIL_LIBEXEC
#define FIRNMAIL_LIBEXEC "/usr/libexec/firnmail"
#endif

/* Letters for long options that have no short one. */
enum {
	OPTION_JSON = 256,
	OPTION_NAME,
	OPTION_SINCE,
	OPTION_MODE,
	OPTION_INTO,
	OPTION_FORMAT,
	OPTION_ACCOUNT,
	OPTION_AT,
	OPTION_FROM,
	OPTION_TO,
	OPTION_SUBJECT,
	OPTION_BEFORE,
	OPTION_DELETED,
	OPTION_FOLLOW,
	OPTION_DRY_RUN,
	OPTION_YES,
	OPTION_EXIT_CODE,
	OPTION_READ_DATA,
	OPTION_SAMPLE,
	OPTION_ALL,
	OPTION_PROOF,
	OPTION_KEY,
	OPTION_RECOVERY_KEY,
	OPTION_SIGN,
	OPTION_SOCKET,
	OPTION_LIBEXEC
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "since", required_argument, NULL, OPTION_SINCE },
	{ "mode", required_argument, NULL, OPTION_MODE },
	{ "into", required_argument, NULL, OPTION_INTO },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "account", required_argument, NULL, OPTION_ACCOUNT },
	{ "at", required_argument, NULL, OPTION_AT },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ "to", required_argument, NULL, OPTION_TO },
	{ "subject", required_argument, NULL, OPTION_SUBJECT },
	{ "before", required_argument, NULL, OPTION_BEFORE },
	{ "deleted", no_argument, NULL, OPTION_DELETED },
	{ "follow", no_argument, NULL, OPTION_FOLLOW },
	{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
	{ "yes", no_argument, NULL, OPTION_YES },
	{ "exit-code", no_argument, NULL, OPTION_EXIT_CODE },
	{ "read-data", optional_argument, NULL, OPTION_READ_DATA },
	{ "sample", required_argument, NULL, OPTION_SAMPLE },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "proof", no_argument, NULL, OPTION_PROOF },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "recovery-key", required_argument, NULL, OPTION_RECOVERY_KEY },
	{ "sign", required_argument, NULL, OPTION_SIGN },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "libexec", required_argument, NULL, OPTION_LIBEXEC },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* The last column is for completion: see completion.h. */
static const struct verb verbs[] = {
	{ "create", cmd_create, "[-m TEXT] [--name NAME] [ACCOUNT]",
	    "name the present state", "-m=TEXT --name=TEXT ACCOUNT" },
	{ "list", cmd_list, "[ACCOUNT] [--since T]", "list snapshots",
	    "--since=TEXT ACCOUNT" },
	{ "show", cmd_show, "[--proof] SEL [SNAP]",
	    "show one snapshot, account or message", "--proof SEL SNAP" },
	{ "ls", cmd_ls, "SEL", "list accounts, mailboxes or messages", "SEL" },
	{ "cat", cmd_cat, "[--recovery-key KEYFILE] SEL",
	    "print one message, or a file of the service's",
	    "--recovery-key=FILE SEL" },
	{ "find", cmd_find,
	    "[--deleted] [--from T] [--subject T] ... [TEXT...]",
	    "find messages by their header",
	    "--deleted --at=SNAP --account=ACCOUNT --from=TEXT --to=TEXT "
	    "--subject=TEXT --since=TEXT --before=TEXT TEXT..." },
	{ "export", cmd_export, "SEL [--format maildir|mbox|eml] > FILE",
	    "write mail for other programs", "--format=maildir|mbox|eml SEL" },
	{ "diff", cmd_diff, "[--exit-code] SNAP [SNAP|live][:ACCOUNT]",
	    "compare two points in time", "--exit-code SNAP SEL" },
	{ "log", cmd_log, "[ACCOUNT] [--deleted] [--since T]",
	    "list what happened, and who did it",
	    "--deleted --since=TEXT ACCOUNT" },
	{ "events", cmd_events, "[ACCOUNT] [--follow] [--since T]",
	    "the same, and what happens from now on",
	    "--follow --since=TEXT ACCOUNT" },
	{ "restore", cmd_restore, "[--dry-run] [--mode M] [--into M] SEL...",
	    "bring mail back",
	    "--dry-run --yes --mode=missing|copy|rewind --into=TEXT SEL..." },
	{ "keep", cmd_keep, "show | set POLICY | keys | {add,remove}-key KEY",
	    "show or change how long is kept",
	    "--dry-run --sign=TEXT show|set|keys|add-key|remove-key TEXT" },
	{ "hold", cmd_hold, "[-m TEXT] TAG SEL", "keep beyond the policy",
	    "-m=TEXT TAG SEL" },
	{ "holds", cmd_holds, "", "list what is held", "" },
	{ "release", cmd_release, "TAG SEL",
	    "end a hold once the minimum has passed", "TAG SEL" },
	{ "verify", cmd_verify, "[--read-data[=N%]] | --proof [--key HEX] FILE",
	    "check the store for damage, or a proof",
	    "--read-data --proof --key=TEXT FILE" },
	{ "drill", cmd_drill, "[--all | --sample N] [SEL | ADDRESS]...",
	    "rehearse a restore and compare what comes out",
	    "--all --sample=TEXT SEL..." },
	{ "seal", cmd_seal, "", "move what is new into sealed segments now",
	    "" },
	{ "accept-missing", cmd_accept_missing,
	    "[--dry-run] [--yes] live:ACCOUNT/MAILBOX",
	    "let go of messages whose files are gone", "--dry-run --yes SEL" },
	{ "reconcile", cmd_reconcile, "ACCOUNT",
	    "look for what other programs did to its files", "ACCOUNT" },
	{ "stats", cmd_stats, "[ACCOUNT] [--since T]",
	    "how much there is, and how fast it grows",
	    "--since=TEXT ACCOUNT" },
	{ "status", cmd_status, "", "show the state of the store", "" },
	{ "completion", cmd_completion, "bash|zsh|fish",
	    "print the script for a shell", "bash|zsh|fish" },
	{ "rebuild", cmd_rebuild, "", "make the index anew from segments", "" },
	{ "open-damaged", cmd_open_damaged, "[--yes]",
	    "open a store that is kept closed", "--yes" },
	{ "unseal", cmd_unseal, "--recovery-key KEYFILE FILE",
	    "open a secret that cat wrote", "--recovery-key=FILE FILE" },
	{ "recover-key", cmd_recover_key, "",
	    "put the lost store key back with the recovery key", "" },
};

static const struct verb_table table = { verbs,
	sizeof(verbs) / sizeof(verbs[0]),
	"-c=FILE --socket=FILE --libexec=FILE --json -H -p -h --help" };

enum {
	USAGE_COLUMN = 44 /* where summaries begin */
};

static const char *const refused_verbs[] = { "destroy", "prune", "delete", "rm",
	"forget" };

static void
print_usage(FILE *to)
{
	fprintf(to,
	    "usage: snapctl [-c FILE] [--socket PATH] [--json | -H] [-p] VERB "
	    "...\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		int size =
		    fprintf(to, "  %s %s", verbs[i].name, verbs[i].synopsis);

		/* What is too long for its column has a line of its own. */
		if (size > USAGE_COLUMN - 2) {
			fputc('\n', to);
			size = 0;
		}
		fprintf(
		    to, "%*s%s\n", USAGE_COLUMN - size, "", verbs[i].summary);
	}
	fprintf(to,
	    "SEL is SNAP[:ACCOUNT[/MAILBOX[;UID=n|;id=<message-id>]]], SNAP "
	    "an id, a name,\nlatest, live, -3d, 2026-11-22T14:00 or @EVENT: "
	    "see "
	    "snapctl(8).\n");
}

static int
explain_refusal(const char *verb)
{
	fprintf(stderr,
	    "snapctl: there is no \"%s\". Nothing removes a snapshot before "
	    "its time: neither\nan intruder nor an administrator in a hurry. "
	    "The policy is the `keep` line of\nfirnmail.conf(5).\n",
	    verb);
	return EXIT_USAGE;
}

static bool
is_refused_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(refused_verbs) / sizeof(char *); i++)
		if (strcmp(name, refused_verbs[i]) == 0)
			return true;
	return false;
}

static int
unknown_verb(const char *name)
{
	const char *words[sizeof(verbs) / sizeof(verbs[0]) + 1] = { NULL };
	const char *near;

	if (is_refused_verb(name))
		return explain_refusal(name);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		words[i] = verbs[i].name;
	near = report_suggest(text_of(name), words);
	fprintf(stderr, "snapctl: unknown verb \"%s\"%s%s%s\n", name,
	    near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
	    near == NULL ? "" : "\"?)");
	return EXIT_USAGE;
}

/* "5" or "5%", 1 to 100; 0 if it is neither. */
static unsigned int
parse_percent(const char *s)
{
	struct text text = text_of(s);
	uint64_t percent;

	if (text.size > 0 && text.data[text.size - 1] == '%')
		text.size--;
	return text_parse_number(text, 100, &percent) == -1
		   ? 0
		   : (unsigned int)percent;
}

struct invocation {
	const char *socket;
	enum output_form form;
	bool is_exact;
	bool is_help;
};

/* Where an option's argument is kept; NULL if it is none of those. */
static const char **
text_option(int letter, struct invocation *invocation, struct options *options)
{
	switch (letter) {
	case 'c':
		return &options->config;
	case OPTION_SOCKET:
		return &invocation->socket;
	case OPTION_LIBEXEC:
		return &options->libexec;
	case 'm':
		return &options->message;
	case OPTION_NAME:
		return &options->name;
	case OPTION_SINCE:
		return &options->since;
	case OPTION_MODE:
		return &options->mode;
	case OPTION_INTO:
		return &options->into;
	case OPTION_FORMAT:
		return &options->format;
	case OPTION_ACCOUNT:
		return &options->account;
	case OPTION_AT:
		return &options->at;
	case OPTION_FROM:
		return &options->from;
	case OPTION_TO:
		return &options->to;
	case OPTION_SUBJECT:
		return &options->subject;
	case OPTION_BEFORE:
		return &options->before;
	case OPTION_RECOVERY_KEY:
		return &options->recovery_key;
	case OPTION_SAMPLE:
		return &options->sample;
	default:
		return NULL;
	}
}

/* 0, or -1 if the option is wrong. */
static int
take_option(int letter, struct invocation *invocation, struct options *options)
{
	const char **text = text_option(letter, invocation, options);

	if (text != NULL) {
		*text = optarg;
		return 0;
	}
	switch (letter) {
	case 'H':
		invocation->form = OUTPUT_TABS;
		return 0;
	case 'p':
		invocation->is_exact = true;
		return 0;
	case 'h':
		invocation->is_help = true;
		return 0;
	case OPTION_JSON:
		invocation->form = OUTPUT_JSON;
		return 0;
	case OPTION_FOLLOW:
		options->is_following = true;
		return 0;
	case OPTION_DELETED:
		options->is_deleted = true;
		return 0;
	case OPTION_ALL:
		options->is_all = true;
		return 0;
	case OPTION_DRY_RUN:
		options->is_dry_run = true;
		return 0;
	case OPTION_YES:
		options->is_yes = true;
		return 0;
	case OPTION_EXIT_CODE:
		options->is_exit_code = true;
		return 0;
	case OPTION_PROOF:
		options->is_proof = true;
		return 0;
	case OPTION_KEY:
		options->key = optarg;
		return 0;
	case OPTION_SIGN:
		if (options->signature_count == OPTIONS_MAX_SIGNATURES)
			return -1;
		options->signatures[options->signature_count++] = optarg;
		return 0;
	case OPTION_READ_DATA:
		options->read_percent =
		    optarg == NULL ? 100 : parse_percent(optarg);
		return options->read_percent > 0 ? 0 : -1;
	default:
		return -1;
	}
}

/* -3d is a SNAP, not an option: no option is a digit. */
static bool
is_age(const char *word)
{
	return word[0] == '-' && text_is_digit(word[1]);
}

/*
 * Options may stand anywhere. The words that are none are moved to the front of
 * `words`; their number is returned, -1 for a wrong option.
 */
static int
parse_options(int argc, char **argv, char **words,
    struct invocation *invocation, struct options *options)
{
	int count = 0, letter;

	opterr = 0;
	optind = 1;
	while (optind < argc) {
		if (is_age(argv[optind])) {
			words[count++] = argv[optind++];
			continue;
		}
		letter =
		    getopt_long(argc, argv, "-c:Hpm:h", long_options, NULL);
		if (letter == -1) {
			while (optind < argc)
				words[count++] = argv[optind++];
		} else if (letter == 1) {
			words[count++] = optarg;
		} else if (take_option(letter, invocation, options) == -1) {
			fprintf(stderr, "snapctl: bad option %s\n",
			    argv[optind - 1]);
			return -1;
		}
	}
	return count;
}

/* The file that is all a verb needs: a proof, a sealed secret. */
static int
open_file(struct snapctl *snapctl, int argc, char **argv)
{
	digest_prepare();
	if (argc != 1)
		return EXIT_DONE;
	snapctl->file = open(argv[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (snapctl->file != -1)
		return EXIT_DONE;
	fprintf(stderr, "snapctl: %s: %s\n", argv[0], strerror(errno));
	return EXIT_FAILED;
}

/* snapd; or a file, for which nobody else is needed. */
static int
open_peer(const struct verb *verb, const struct invocation *invocation,
    struct snapctl *snapctl, int argc, char **argv)
{
	struct error error;

	snapctl->socket = snapctl->file = -1;
	if (snapctl->options.recovery_key != NULL) {
		digest_prepare();
		if (unseal_read_key(snapctl->options.recovery_key,
			snapctl->recovery_key) != 0)
			return EXIT_USAGE;
	}
	if (verb->run == cmd_unseal ||
	    (verb->run == cmd_verify && snapctl->options.is_proof))
		return open_file(snapctl, argc, argv);
	command_load_accounts(snapctl);
	snapctl->socket = channel_connect_now(invocation->socket, &error);
	if (snapctl->socket != -1)
		return EXIT_DONE;
	fprintf(stderr, "snapctl: the snapshot store cannot be reached: %s\n",
	    error.text);
	return EXIT_UNREACHABLE;
}

static int
run(const struct verb *verb, const struct invocation *invocation,
    struct snapctl *snapctl, int argc, char **argv)
{
	struct error error;
	int code;

	/* Nothing runs then that could be asked. */
	if (verb->run == cmd_rebuild || verb->run == cmd_recover_key ||
	    verb->run == cmd_open_damaged || verb->run == cmd_completion) {
		snapctl->output =
		    output_new(invocation->form, invocation->is_exact);
		code = verb->run(snapctl, argc, argv);
		output_free(&snapctl->output);
		return code;
	}
	interrupt_prepare();
	snapctl->now = clock_wall_us() / 1000000;
	code = open_peer(verb, invocation, snapctl, argc, argv);
	if (code != EXIT_DONE)
		return code;
	snapctl->output = output_new(invocation->form, invocation->is_exact);
	/* What comes from the store, mail included, is shown without any
	 * right. */
	if (sandbox_tool_enter(ROLE_SNAPCTL, &error) == -1) {
		fprintf(stderr, "snapctl: %s\n", error.text);
		return EXIT_FAILED;
	}
	code = verb->run(snapctl, argc, argv);
	output_free(&snapctl->output);
	account_table_free(&snapctl->accounts);
	if (snapctl->socket != -1)
		close(snapctl->socket);
	if (snapctl->file != -1)
		close(snapctl->file);
	explicit_bzero(snapctl->recovery_key, sizeof(snapctl->recovery_key));
	if (fflush(stdout) == EOF && code == EXIT_DONE)
		return EXIT_FAILED;
	return code;
}

int
main(int argc, char **argv)
{
	struct snapctl snapctl = { .options = {
				       .config = "/etc/firnmail/firnmail.conf",
				       .libexec = FIRNMAIL_LIBEXEC,
				   } };
	struct invocation invocation = {
		.socket = "/run/firnmail/snapd.sock",
		.form = OUTPUT_TABLE,
	};
	char **words;
	int count, code = EXIT_USAGE;
	size_t i;

	/* Words of another command line: no options of this one. */
	if (argc >= 3 && strcmp(argv[1], "completion") == 0 &&
	    strcmp(argv[2], "words") == 0)
		return completion_words(
		    &snapctl, &table, invocation.socket, argc - 3, argv + 3);
	/* Whatever options somebody is used to elsewhere. */
	if (argc >= 2 && is_refused_verb(argv[1]))
		return explain_refusal(argv[1]);
	words = calloc((size_t)argc + 1, sizeof(words[0]));
	if (words == NULL)
		return EXIT_FAILED;
	count = parse_options(argc, argv, words, &invocation, &snapctl.options);
	if (count > 0 && !invocation.is_help) {
		for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (strcmp(words[0], verbs[i].name) == 0)
				break;
		code = i == sizeof(verbs) / sizeof(verbs[0])
			   ? unknown_verb(words[0])
			   : run(&verbs[i], &invocation, &snapctl, count - 1,
				 words + 1);
	} else if (count >= 0) {
		print_usage(invocation.is_help ? stdout : stderr);
		code = invocation.is_help ? EXIT_DONE : EXIT_USAGE;
	}
	free(words);
	return code;
}

/*
 * snapctl: the administrator's way to the snapshot store.  Each verb is a
 * cmd_*.c file and a row of the table here.  It reads the configuration for the
 * names of accounts, connects to snapd's control socket, asks, and gives up all
 * its rights before it looks at the answer (session.c, client.c).
 */
#include "snapctl/dispatch.h"

#include "snapctl/completion.h"
#include "snapctl/session.h"

#include "common/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The last text is for completion: see completion.h. */
static const struct verb verbs[] = {
	{ "create", cmd_create, "[-m TEXT] [--name NAME] [ACCOUNT]",
	    "name the present state", "-m=TEXT --name=TEXT ACCOUNT",
	    VERB_NAMELESS },
	{ "list", cmd_list, "[ACCOUNT] [--since T]", "list snapshots",
	    "--since=TEXT ACCOUNT", VERB_NAMES },
	{ "show", cmd_show, "[--proof] SEL [SNAP]",
	    "show one snapshot, account or message", "--proof SEL SNAP",
	    VERB_NAMES },
	{ "ls", cmd_ls, "SEL", "list accounts, mailboxes or messages", "SEL",
	    VERB_NAMES },
	{ "cat", cmd_cat, "[--recovery-key KEYFILE] SEL",
	    "print one message, or a file of the service's",
	    "--recovery-key=FILE SEL", VERB_NAMES },
	{ "find", cmd_elsewhere,
	    "[--deleted] [--from T] [--subject T] ... [TEXT...]",
	    "find messages by their header",
	    "--deleted --at=SNAP --account=ACCOUNT --from=TEXT --to=TEXT "
	    "--subject=TEXT --since=TEXT --before=TEXT TEXT...",
	    VERB_ALONE },
	{ "export", cmd_export, "SEL [--format maildir|mbox|eml] > FILE",
	    "write mail for other programs", "--format=maildir|mbox|eml SEL",
	    VERB_NAMES },
	{ "diff", cmd_diff, "[--exit-code] SNAP [SNAP|live][:ACCOUNT]",
	    "compare two points in time", "--exit-code SNAP SEL", VERB_NAMES },
	{ "log", cmd_log, "[ACCOUNT] [--deleted] [--since T]",
	    "list what happened, and who did it",
	    "--deleted --since=TEXT ACCOUNT", VERB_NAMES },
	{ "events", cmd_events, "[ACCOUNT] [--follow] [--since T]",
	    "the same, and what happens from now on",
	    "--follow --since=TEXT ACCOUNT", VERB_NAMES },
	{ "restore", cmd_restore, "[--dry-run] [--mode M] [--into M] SEL...",
	    "bring mail back",
	    "--dry-run --yes --mode=missing|copy|rewind --into=TEXT SEL...",
	    VERB_NAMES },
	{ "keep", cmd_keep, "show | set POLICY | keys | {add,remove}-key KEY",
	    "show or change how long is kept",
	    "--dry-run --sign=TEXT show|set|keys|add-key|remove-key TEXT",
	    VERB_NAMES },
	{ "hold", cmd_hold, "[-m TEXT] TAG SEL", "keep beyond the policy",
	    "-m=TEXT TAG SEL", VERB_NAMES },
	{ "holds", cmd_holds, "", "list what is held", "", VERB_NAMES },
	{ "release", cmd_release, "TAG SEL",
	    "end a hold once the minimum has passed", "TAG SEL", VERB_NAMES },
	{ "verify", cmd_verify, "[--read-data[=N%]] | --proof [--key HEX] FILE",
	    "check the store for damage, or a proof",
	    "--read-data --proof --key=TEXT FILE", VERB_NAMELESS },
	{ "drill", cmd_drill, "[--all | --sample N] [SEL | ADDRESS]...",
	    "rehearse a restore and compare what comes out",
	    "--all --sample=TEXT SEL...", VERB_NAMES },
	{ "seal", cmd_seal, "", "move what is new into sealed segments now", "",
	    VERB_NAMELESS },
	{ "accept-missing", cmd_accept_missing,
	    "[--dry-run] [--yes] live:ACCOUNT/MAILBOX",
	    "let go of messages whose files are gone", "--dry-run --yes SEL",
	    VERB_NAMES },
	{ "reconcile", cmd_reconcile, "ACCOUNT",
	    "look for what other programs did to its files", "ACCOUNT",
	    VERB_NAMES },
	{ "stats", cmd_stats, "[ACCOUNT] [--since T]",
	    "how much there is, and how fast it grows", "--since=TEXT ACCOUNT",
	    VERB_NAMES },
	{ "status", cmd_status, "", "show the state of the store", "",
	    VERB_NAMELESS },
	{ "completion", cmd_completion, "bash|zsh|fish",
	    "print the script for a shell", "bash|zsh|fish", VERB_ALONE },
	{ "rebuild", cmd_rebuild, "", "make the index anew from segments", "",
	    VERB_ALONE },
	{ "open-damaged", cmd_open_damaged, "[--yes]",
	    "open a store that is kept closed", "--yes", VERB_ALONE },
	{ "unseal", cmd_elsewhere, "--recovery-key KEYFILE FILE",
	    "open a secret that cat wrote", "--recovery-key=FILE FILE",
	    VERB_ALONE },
	{ "recover-key", cmd_elsewhere, "",
	    "put the lost store key back with the recovery key", "",
	    VERB_ALONE },
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

/* A proof in a file and a sealed secret need libcrypto. */
static bool
is_elsewhere(const struct verb *verb, const struct options *options)
{
	return verb->run == cmd_elsewhere ||
	       (verb->run == cmd_verify && options->is_proof) ||
	       (verb->run == cmd_cat && options->recovery_key != NULL);
}

static int
carry_out(const struct verb *verb, const struct verb *more,
    const struct invocation *invocation, struct snapctl *snapctl, int argc,
    char **argv)
{
	if (!is_elsewhere(verb, &snapctl->options))
		return session_run(verb, invocation, snapctl, argc, argv);
	if (more == NULL)
		return cmd_elsewhere(snapctl, argc, argv);
	while (strcmp(more->name, verb->name) != 0)
		more++;
	return session_run(more, invocation, snapctl, argc, argv);
}

int
dispatch(int argc, char **argv, const struct verb *more)
{
	struct invocation invocation;
	struct snapctl snapctl;
	char **words;
	int count, code = EXIT_USAGE;
	size_t i;

	arguments_init(argv, &invocation, &snapctl);
	elsewhere_prepare(&snapctl);
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
	count =
	    arguments_parse(argc, argv, words, &invocation, &snapctl.options);
	if (count > 0 && !invocation.is_help) {
		for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (strcmp(words[0], verbs[i].name) == 0)
				break;
		code = i == sizeof(verbs) / sizeof(verbs[0])
			   ? unknown_verb(words[0])
			   : carry_out(&verbs[i], more, &invocation, &snapctl,
				 count - 1, words + 1);
	} else if (count >= 0) {
		print_usage(invocation.is_help ? stdout : stderr);
		code = invocation.is_help ? EXIT_DONE : EXIT_USAGE;
	}
	free(words);
	return code;
}

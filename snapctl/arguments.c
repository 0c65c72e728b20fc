/* See arguments.h. */
#include "snapctl/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

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
	case OPTION_KEY:
		return &options->key;
	default:
		return NULL;
	}
}

/* What an option without an argument sets; NULL if it is none of those. */
static bool *
flag_option(int letter, struct invocation *invocation, struct options *options)
{
	switch (letter) {
	case 'p':
		return &invocation->is_exact;
	case 'h':
		return &invocation->is_help;
	case OPTION_FOLLOW:
		return &options->is_following;
	case OPTION_DELETED:
		return &options->is_deleted;
	case OPTION_ALL:
		return &options->is_all;
	case OPTION_DRY_RUN:
		return &options->is_dry_run;
	case OPTION_YES:
		return &options->is_yes;
	case OPTION_EXIT_CODE:
		return &options->is_exit_code;
	case OPTION_PROOF:
		return &options->is_proof;
	default:
		return NULL;
	}
}

/* 0, or -1 if the option is wrong. */
static int
take_option(int letter, struct invocation *invocation, struct options *options)
{
	const char **text = text_option(letter, invocation, options);
	bool *flag = flag_option(letter, invocation, options);

	if (text != NULL)
		*text = optarg;
	if (flag != NULL)
		*flag = true;
	if (text != NULL || flag != NULL)
		return 0;
	switch (letter) {
	case 'H':
		invocation->form = OUTPUT_TABS;
		return 0;
	case OPTION_JSON:
		invocation->form = OUTPUT_JSON;
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

void
arguments_init(
    char **argv, struct invocation *invocation, struct snapctl *snapctl)
{
	*invocation = (struct invocation){
		.socket = "/run/firnmail/snapd.sock",
		.form = OUTPUT_TABLE,
	};
	*snapctl = (struct snapctl){
		.options = { .config = "/etc/firnmail/firnmail.conf",
		    .libexec = FIRNMAIL_LIBEXEC },
		.line = argv,
		.socket = -1,
	};
}

int
arguments_parse(int argc, char **argv, char **words,
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

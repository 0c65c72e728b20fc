/*
 * snapctl-more: the verbs of snapctl that need more libraries than the others
 * (see elsewhere.c): find folds case as Unicode does, verify --proof checks
 * signatures, cat --recovery-key, unseal and recover-key open what is sealed.
 * snapctl executes it with its own command line.
 */
#include "snapctl/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verb verbs[] = {
	{ .name = "find", .run = cmd_find },
	{ .name = "cat", .run = cmd_cat_secret },
	{ .name = "unseal", .run = cmd_unseal, .kind = VERB_ALONE },
	{ .name = "recover-key", .run = cmd_recover_key, .kind = VERB_ALONE },
	{ .name = "verify", .run = cmd_verify_proof, .kind = VERB_ALONE },
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct invocation invocation;
	struct snapctl snapctl;
	char **words;
	int count, code = EXIT_USAGE;

	arguments_init(argv, &invocation, &snapctl);
	words = calloc((size_t)argc + 1, sizeof(words[0]));
	if (words == NULL)
		return EXIT_FAILED;
	count =
	    arguments_parse(argc, argv, words, &invocation, &snapctl.options);
	if (count > 0)
		verb = find_verb(words[0]);
	if (verb != NULL)
		code = session_run(
		    verb, &invocation, &snapctl, count - 1, words + 1);
	else
		fprintf(stderr, "snapctl-more: snapctl starts this\n");
	free(words);
	return code;
}

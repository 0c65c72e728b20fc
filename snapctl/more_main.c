/*
 * snapctl-more: snapctl with more libraries, and the verbs that need them: find
 * folds case as Unicode does, verify --proof checks signatures, cat
 * --recovery-key, unseal and recover-key open what is sealed.  snapctl executes
 * it with its own command line for these, and where a domain is not ASCII.
 */
#include "snapctl/dispatch.h"

static const struct verb verbs[] = {
	{ .name = "find", .run = cmd_find },
	{ .name = "cat", .run = cmd_cat_secret },
	{ .name = "unseal", .run = cmd_unseal, .kind = VERB_ALONE },
	{ .name = "recover-key", .run = cmd_recover_key, .kind = VERB_ALONE },
	{ .name = "verify", .run = cmd_verify_proof, .kind = VERB_ALONE },
};

int
main(int argc, char **argv)
{
	return dispatch(argc, argv, verbs);
}

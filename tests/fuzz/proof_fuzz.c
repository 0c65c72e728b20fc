/*
 * Proofs as somebody else wrote them; and policies, which are texts, too.
 */
#include "common/proof.h"
#include "common/retention_policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken reads the same again. */
static void
try_policy(struct text text)
{
	char again[RETENTION_TEXT_SIZE], twice[RETENTION_TEXT_SIZE];
	struct retention policy;
	struct error error;

	if (retention_policy_parse(text, &policy, &error) != 0)
		return;
	retention_policy_format(&policy, again);
	if (retention_policy_parse(text_of(again), &policy, &error) != 0)
		abort();
	retention_policy_format(&policy, twice);
	if (strcmp(again, twice) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proof proof;
	struct error error;

	(void)proof_check(text_make(data, size), NULL, &proof, &error);
	try_policy(text_make(data, size));
	return 0;
}

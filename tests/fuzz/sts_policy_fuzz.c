/*
 * A policy of MTA-STS, and the same bytes as a TXT record of it and as one of
 * reports of TLS.  What was taken holds what the headers promise.
 */
#include "smtpd/sts_policy.h"
#include "smtpd/tlsrpt_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_policy(struct text text)
{
	static struct sts_policy policy;
	struct error error;

	if (sts_policy_parse(text, &policy, &error) == -1)
		return;
	if (policy.mx_count > STS_MAX_MX || policy.max_age_s > STS_MAX_AGE_S ||
	    (policy.mx_count == 0 && policy.mode != STS_NONE))
		abort();
	for (size_t i = 0; i < policy.mx_count; i++)
		if (!sts_policy_matches(&policy, text_of(policy.mx[i])) ||
		    strchr(policy.mx[i], '.') == NULL)
			abort();
}

static void
try_records(struct text text)
{
	static struct tlsrpt_record record;
	char id[STS_ID_SIZE];

	if (sts_record_parse(text, id) == 1 && id[0] == '\0')
		abort();
	if (tlsrpt_record_parse(text, &record) != 1)
		return;
	for (size_t i = 0; i < record.uri_count; i++)
		for (const char *c = record.uris[i].text; *c != '\0'; c++)
			if (*c <= ' ' || *c > '~')
				abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_policy(text_make(data, size));
	try_records(text_make(data, size));
	return 0;
}

/*
 * Arguments of XCLIENT: whatever is taken can stand in a Received line, and is
 * taken again when it is said as it was understood.
 */
#include "smtpd/xclient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
check_clean(const char *text)
{
	for (; *text != '\0'; text++)
		if (strchr(" \t\r\n()\\<>", *text) != NULL)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xclient first, second;
	char again[600];
	uint8_t bytes[NETWORK_BYTES];

	if (xclient_parse(text_make(data, size), &first) == -1)
		return 0;
	check_clean(first.ip);
	check_clean(first.hello);
	if (first.ip[0] == '\0')
		return 0;
	if (network_address(first.ip, bytes) == -1)
		abort();
	snprintf(again, sizeof(again), "ADDR=%s%s PROTO=%s",
	    strchr(first.ip, ':') != NULL ? "IPV6:" : "", first.ip,
	    first.is_esmtp ? "ESMTP" : "SMTP");
	if (xclient_parse(text_of(again), &second) == -1 ||
	    strcmp(first.ip, second.ip) != 0 ||
	    first.is_esmtp != second.is_esmtp)
		abort();
	return 0;
}

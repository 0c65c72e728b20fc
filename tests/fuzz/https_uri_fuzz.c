/*
 * A URI that somebody else wrote: what is taken can be put together again, and
 * is then the same.
 */
#include "fetcher/https_uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct https_uri once, twice;
	char text[HTTPS_HOST_SIZE + HTTPS_PATH_SIZE + 20];

	if (https_uri_parse(text_make(data, size), &once) == -1)
		return 0;
	snprintf(text, sizeof(text), "https://%s:%u%s", once.host, once.port,
	    once.path);
	if (https_uri_parse(text_of(text), &twice) == -1 ||
	    strcmp(once.host, twice.host) != 0 || once.port != twice.port ||
	    strcmp(once.path, twice.path) != 0)
		abort();
	return 0;
}

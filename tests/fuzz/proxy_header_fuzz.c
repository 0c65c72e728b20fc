/*
 * Headers of proxies: any bytes are read the same in one piece as byte by byte,
 * and no more of them is taken than belongs to the header.
 */
#include "common/proxy_header.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_header_step step = proxy_header_parse(data, size, &whole);
	size_t end = 0;

	if (size == 0)
		return 0;
	if (step == PROXY_HEADER_DONE &&
	    (whole.size > size || whole.size > PROXY_HEADER_MAX_SIZE))
		abort();
	if (step == PROXY_HEADER_MORE && size >= PROXY_HEADER_MAX_SIZE)
		abort();
	do
		step = proxy_header_parse(data, ++end, &part);
	while (step == PROXY_HEADER_MORE && end < size);
	if (step == PROXY_HEADER_DONE &&
	    (part.size != end || whole.size != end ||
		part.has_client != whole.has_client ||
		memcmp(part.client, whole.client, sizeof(part.client)) != 0))
		abort();
	return 0;
}

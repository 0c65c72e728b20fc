/*
 * Fuzz target: the decoder of messages between processes.  The first two bytes
 * choose the roles.  What decodes must encode to the same bytes.
 */
#include "common/messages.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[MESSAGE_MAX_SIZE];
	struct message message;
	struct error error;
	enum role from, to;

	if (size < 2)
		return 0;
	from = data[0] % ROLE_COUNT;
	to = data[1] % ROLE_COUNT;
	if (message_decode(data + 2, size - 2, from, to, &message, &error) ==
	    -1)
		return 0;
	if (message_encode(&message, again) != size - 2 ||
	    memcmp(again, data + 2, size - 2) != 0)
		abort();
	return 0;
}

/*
 * Fuzz target: what is kept of a session that sleeps, as a worker that was
 * taken over may have said it.  What decodes must encode to the same bytes, and
 * what it says of compression is a state or is refused.
 */
#include "imapd/sleep_state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[SLEEP_STATE_MAX];
	struct pool *pool = pool_new();
	struct imap_deflate *packing = NULL;
	struct sleep_state state;
	struct writer writer;

	if (size > sizeof(room) ||
	    sleep_state_decode(text_make(data, size), pool, &state) == -1) {
		pool_free(&pool);
		return 0;
	}
	writer_init(&writer, room, sizeof(room));
	if (sleep_state_encode(&state, &writer) == -1 || writer.size != size ||
	    memcmp(room, data, size) != 0)
		abort();
	if (state.flags & SLEEP_COMPRESSES)
		packing = imap_deflate_recall(state.packed);
	imap_deflate_free(&packing);
	pool_free(&pool);
	return 0;
}

/* See snapshot.h. */
#include "snapd/snapshot.h"

#include "snapd/store.h"

struct hash
snapshot_id(struct digest *digest, const struct store_id *store, uint32_t scope,
    uint64_t sequence)
{
	struct key input = { .size = 0 };

	key_put_raw(&input, store->bytes, sizeof(store->bytes));
	key_put_u32(&input, scope);
	key_put_u64(&input, sequence);
	return digest_of(digest, input.bytes, input.size);
}

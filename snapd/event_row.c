/* See event_row.h. */
#include "snapd/event_row.h"

enum {
	/* uidnext, highest modseq and messages of a mailbox row. */
	MAILBOX_COUNTERS = 25,
	MAILBOX_COUNTERS_END = 45
};

void
event_entry_key(struct key *key, uint32_t account, uint64_t sequence,
    uint64_t mailbox, uint32_t uid)
{
	key->size = 0;
	key_put_u32(key, account);
	key_put_u64(key, sequence);
	key_put_u64(key, mailbox);
	key_put_u32(key, uid);
}

struct hash
event_hash_mailbox(struct digest *digest, struct text value)
{
	digest_start(digest);
	if (value.size > MAILBOX_COUNTERS_END) {
		digest_add(digest, value.data, MAILBOX_COUNTERS);
		digest_add(digest, value.data + MAILBOX_COUNTERS_END,
		    value.size - MAILBOX_COUNTERS_END);
	}
	return digest_finish(digest);
}

/*
 * What events say of rows of the store: the key of an entry, and what of a row
 * its hash covers.  Pure.
 */
#ifndef SNAPD_EVENT_ROW_H
#define SNAPD_EVENT_ROW_H

#include "common/event_form.h"
#include "snapd/store_form.h"

void event_entry_key(struct key *key, uint32_t account, uint64_t sequence,
    uint64_t mailbox, uint32_t uid);

/* Of a mailbox row without its counters, which change with every message. */
struct hash event_hash_mailbox(struct digest *digest, struct text value);

#endif

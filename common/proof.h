/*
 * Proofs that somebody can check who has nothing but a public key: that a
 * message was in the store, and that what the store says of its past has not
 * changed between two signed heads.  A proof is lines of text:
 *
 *   firnmail-proof 1            or firnmail-consistency 1
 *   store HEX                   the store's id
 *   key HEX                     its public key (Ed25519)
 * of a message:
 *   account N, mailbox N, uid N, event N      a line each
 *   row HEX                     the message's row as it was born
 *   leaf HEX                    the event that made it
 *   entry HEX HEX               key and value, of each row that the event made
 *   head HEX                    signed, of a later tree
 *   path HEX                    hashes of RFC 9162 2.1.3.1, from the leaf up
 * of two heads:
 *   head HEX, head HEX          the older one first, a line each
 *   path HEX                    hashes of RFC 9162 2.1.4.1
 *   end
 *
 * The row holds the SHA-256 of the message; the entry one of the row; the leaf
 * one of all entries; the head the root over all leaves.  Pure.
 */
#ifndef COMMON_PROOF_H
#define COMMON_PROOF_H

#include "common/error.h"
#include "common/head.h"
#include "common/messages.h"

#include <stdbool.h>

enum {
	PROOF_MAX_BYTES = 64 << 20,
	PROOF_MAX_LINE = 4000
};

struct proof {
	bool is_message; /* else of two heads */
	struct store_id store;
	uint8_t key[HEAD_KEY_SIZE];
	struct head head;  /* of a message's proof, or the newer one */
	struct head older; /* of two heads */
	/* Of a message. */
	uint64_t account;
	uint64_t mailbox;
	uint64_t uid;
	uint64_t event;
	uint64_t event_wall_us;
	int64_t internaldate;
	uint64_t size;
	struct hash message; /* SHA-256 of its bytes as they are stored */
};

/* 0 and what is proven; ERROR_INPUT if the text is no proof, ERROR_DAMAGED if
 * it proves nothing. `key` is what must have signed it; NULL: the key that
 * stands in the proof, which the caller compares with one he knows. */
int proof_check(struct text text, const uint8_t *key, struct proof *proof,
    struct error *error);

#endif

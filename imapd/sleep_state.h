/*
 * What a session is while it sleeps: all that its client was told and has not
 * been told yet follows from it and the mailbox as it is then.  Nobody but a
 * worker of the same account ever reads it, and it says nothing of who that is.
 * Pure: bytes to struct and back; any bytes are an answer.
 *
 *   1  format (2)  2  flags (enum sleep_flag)     16+8  store id, incarnation
 *   8  when the client last sent something (CLOCK_MONOTONIC, us)
 *   1  invalid commands so far     text  tag of IDLE     set  saved by SEARCH
 *   with SLEEP_COMPRESSES: text of imap_deflate.h
 *   with SLEEP_NOTIFIES: text arguments of NOTIFY, 1 bits (enum known_bit);
 *      number of mailboxes, then each: how far its id is behind the one before,
 *      two numbers (struct notify_known), with KNOWN_NAMES its name; with
 *      KNOWN_SUBSCRIBED number of names that were subscribed, and these
 *   with SLEEP_HAS_MAILBOX: 8 id, 4 UIDVALIDITY, 4 UIDNEXT, 8 MODSEQ, 4 number
 *      of recent messages, 1 number of keywords, each as the client knows it;
 *      8 key; set UIDs, set \Recent
 *
 * A set is the number of its ranges and, for each, how far it begins behind the
 * end of the one before and how many follow its first, as varints; so are the
 * numbers of NOTIFY, and the sizes of its names.
 */
#ifndef IMAPD_SLEEP_STATE_H
#define IMAPD_SLEEP_STATE_H

#include "common/codec.h"
#include "common/pool.h"
#include "common/record.h"
#include "imapd/imap_deflate.h"
#include "imapd/imap_parser.h"
#include "imapd/imap_set.h"
#include "imapd/mailbox.h"

enum {
	SLEEP_STATE_MAX = 57344, /* with a client's 32 KiB that compresses */
	SLEEP_MAX_MESSAGES = 1 << 24 /* in a set */
};

enum sleep_flag {
	SLEEP_IDLES = 1,
	SLEEP_CONDSTORE = 2,
	SLEEP_QRESYNC = 4,
	SLEEP_UTF8 = 8,
	SLEEP_REV2 = 16,
	SLEEP_HAS_MAILBOX = 32,
	SLEEP_READ_ONLY = 64, /* of the memory */
	SLEEP_NEW_KEYWORDS = 128,
	SLEEP_NEW_KEY = 2048,
	SLEEP_OF_PAST = 8192, /* 8 bytes more: as of which sequence */
	SLEEP_OF_MAILBOX = SLEEP_READ_ONLY | SLEEP_NEW_KEYWORDS |
			   SLEEP_NEW_KEY | SLEEP_OF_PAST,
	SLEEP_UIDONLY = 256,
	SLEEP_QUIET = 512,
	SLEEP_COMPRESSES = 1024,
	SLEEP_NOTIFIES = 4096,
	SLEEP_ALL = 16383
};

enum known_bit {
	KNOWN_IN_UTF8 = 1, /* names in the arguments are in UTF-8 */
	KNOWN_NAMES = 2,
	KNOWN_SUBSCRIBED = 4,
	KNOWN_ALL = 7
};

/* A mailbox as it was. */
struct notify_known {
	uint64_t mailbox;
	/* MODSEQ and 0; or UIDNEXT and the count of messages; or nothing. */
	uint64_t mark;
	uint32_t count;
	struct text name;
};

/* What a client was told that has NOTIFY, of mailboxes other than its own. */
struct notify_memory {
	struct text arguments;
	uint8_t bits;
	size_t known_count;
	struct notify_known *known; /* by rising id */
	size_t subscribed_count;
	struct text *subscribed;
};

struct sleep_state {
	uint16_t flags;
	struct store_id store;
	uint64_t incarnation;
	int64_t silent_since_us;
	uint8_t bad_commands;
	char tag[IMAP_MAX_TAG_SIZE + 1];
	struct imap_set saved;
	struct text packed;           /* with SLEEP_COMPRESSES */
	struct notify_memory notify;  /* with SLEEP_NOTIFIES */
	struct mailbox_memory memory; /* with SLEEP_HAS_MAILBOX */
};

/* 0, or -1 if it is too much to be kept. */
int sleep_state_encode(const struct sleep_state *state, struct writer *writer);
/* Ranges of sets are in the pool, other bytes where they were. 0, or -1: it is
 * none. */
int sleep_state_decode(
    struct text bytes, struct pool *pool, struct sleep_state *state);

#endif

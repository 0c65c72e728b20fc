/*
 * One session over a socketpair against a false account with two messages in
 * INBOX: what a client sends and what it gets.
 */
#ifndef TESTS_UNIT_CONVERSATION_H
#define TESTS_UNIT_CONVERSATION_H

#include "common/event_loop.h"
#include "imapd/imap_parser.h"
#include "imapd/imap_session.h"
#include "tests/unit/false_account.h"

#include <stdbool.h>
#include <stddef.h>

#define HAS_KEY  "* OK [URLMECH INTERNAL] URLs have a key\r\n"
#define INBOX_ID "* OK [MAILBOXID (F0000000000000001)] Its name\r\n" HAS_KEY
#define SELECTED                                                       \
	"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"  \
	"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen " \
	"\\Draft \\*)] Flags permitted\r\n"                            \
	"* 2 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 1] First unseen\r\n" \
	"* OK [UIDVALIDITY 1001] UIDs valid\r\n"                       \
	"* OK [UIDNEXT 3] Predicted next UID\r\n"                      \
	"* OK [HIGHESTMODSEQ 3] Highest\r\n" INBOX_ID                  \
	"s OK [READ-WRITE] Select completed\r\n"
#define CREATED " OK [MAILBOXID (F0000000000000002)] Create completed\r\n"
#define PAST_ID "* OK [MAILBOXID (P3827633ea07cc92b)] Its name\r\n"
#define BADCHARSET                                                 \
	" NO [BADCHARSET ("                                        \
	"US-ASCII ISO-8859-1 ISO-8859-2 ISO-8859-3 ISO-8859-4 "    \
	"ISO-8859-5 ISO-8859-6 ISO-8859-7 ISO-8859-8 ISO-8859-9 "  \
	"ISO-8859-10 ISO-8859-11 ISO-8859-13 ISO-8859-14 "         \
	"ISO-8859-15 ISO-8859-16 windows-1250 windows-1251 "       \
	"windows-1252 windows-1253 windows-1254 windows-1255 "     \
	"windows-1256 windows-1257 windows-1258 KOI8-R KOI8-U "    \
	"IBM437 IBM850 IBM852 IBM866 macintosh windows-874 UTF-8 " \
	"UTF-7 Shift_JIS EUC-JP ISO-2022-JP GB18030 Big5 EUC-KR"   \
	")] Unknown charset\r\n"
#define GOODBYE "* BYE Logging out\r\nz OK Logout completed\r\n"

struct transcript {
	const char *name;
	const char *client;
	const char *server; /* behind SELECTED, before GOODBYE */
	enum status refuse;
};

struct conversation {
	struct event_loop *loop;
	struct account_store *account;
	struct imap_session *session;
	int client;
	const char *to_send;
	size_t send_size;
	size_t
	    held_size; /* so many last bytes wait for an answer to the rest */
	size_t step;
	char got[65536];
	size_t got_size;
	bool is_timed_out;
	bool is_sleepy;     /* sleeps and wakes whenever it can */
	unsigned int pause; /* so many rounds the client says nothing */
	unsigned int sleeps;
	unsigned int compressed_sleeps; /* of these, with COMPRESS */
	struct change_note noted;       /* with the last change */
};

/* All that the server says to `script`, until it closes; the client sends
 * `step` bytes at a time. */
void converse(struct conversation *run, const char *script, size_t step,
    enum status refuse);
/* The same with any bytes, the last `held` of which are sent when the server
 * has said "a OK". */
void converse_bytes(struct conversation *run, struct text script, size_t held,
    size_t step, enum status refuse);
/* The same, byte by byte, by a session that sleeps whenever it can. */
void converse_asleep(
    struct conversation *run, const char *script, enum status refuse);
/* 1 if it went otherwise: in one piece, byte by byte, and with sleep. */
int check_transcripts(const struct transcript *transcripts, size_t count);
/* The same with other limits than all sessions have. */
int check_transcripts_within(const struct imap_limits *limits,
    const struct transcript *transcripts, size_t count);

#endif

/*
 * Mail servers for the relay to talk to, in the test's own loop: one listener
 * for all of 127/8, which behaves by the address at which it was reached, and
 * hosts that are named for it.  What they hear and how often stands here.
 */
#ifndef TESTS_UNIT_ODD_SERVERS_H
#define TESTS_UNIT_ODD_SERVERS_H

#include "common/event_loop.h"
#include "common/text.h"

#include <stdint.h>

/* What 127.0.0.N does. */
enum behaviour {
	WELL_BEHAVED = 1,
	GREETS_554,
	GREETS_421,
	SAYS_NOTHING,
	CLOSES,
	DROPS_SECOND, /* closes when it hears a second MAIL */
	REFUSES_RCPT,
	HANGS_AT_END,   /* no answer to the end of data */
	INJECTS,        /* more than 220 for STARTTLS */
	IS_US,          /* EHLO names us */
	ENDLESS,        /* a greeting without an end */
	STARTTLS_JUNK,  /* and then no TLS */
	LEAVES_AT_MAIL, /* 421 */
	LATER_AT_MAIL,
	LATER_AT_RCPT,
	LATER_AT_END,
	ODD /* at servers.stage, in servers.manner */
};

/* Where and how one server is odd. */
enum stage {
	AT_GREETING,
	AT_EHLO,
	AT_MAIL,
	AT_RCPT,
	AT_DATA,
	AT_END,
	STAGES
};

enum manner {
	SILENT,
	ENDLESS_LINE,
	ENDLESS_LINES,
	CHANGES_ITS_CODE,
	ENDS_LINES_WITH_CR,
	SPLITS,       /* a byte at a time */
	HAS_NUL,      /* in its text */
	SAYS_IT_TWICE /* a reply to nothing */
};

struct odd_servers {
	uint16_t port;
	enum stage stage; /* of ODD, */
	enum manner manner;
	unsigned int connections;
	unsigned int mails; /* whose end was heard */
	char heard[20000];
};

extern struct odd_servers servers;

/* Empty, and listening. */
void odd_servers_start(struct event_loop *loop);
void odd_servers_end(void);

/* The last byte of the address of "good.test" and the others; 0: no host. */
uint8_t odd_servers_find(struct text name);

#endif

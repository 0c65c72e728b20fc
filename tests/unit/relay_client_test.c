/*
 * Conversations of the client as transcripts: what the server says, what is
 * said to it, and what becomes of each recipient.  Every transcript is played
 * with the server's bytes in one piece each, and byte by byte.
 */
#include "smtpd/relay_client.h"

#include "common/dsn.h"
#include "common/smtp_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MAX_RECIPIENTS = 4,
	MAX_TURNS = 40
};

/*
 * A transcript is lines: "S text" the server says, "C text" it must have been
 * told since, "S! text" in one piece, where ~ is a line end.  "TLS" TLS is
 * started, "READY", "DONE" and "OVER n" the step that must have come.
 */
struct transcript {
	const char *name;
	const char *lines;
	struct relay_client_setup setup;
	unsigned int flags; /* and the priority in bits 16 to 23; seconds that
			       are left to deliver by, and 64, above that */
	const char *body;   /* NULL: a usual one */
	const char *recipients[MAX_RECIPIENTS];
	uint8_t notify;
	const char *outcomes; /* "1 delivered 250 2.0.0 ok\n" ... */
};

#define BY(seconds) ((unsigned int)((seconds) + 64) << 24)

static struct relay_client *client;
static struct relay_recipient recipients[MAX_RECIPIENTS];
static uint16_t members[MAX_RECIPIENTS];
static struct relay_mail mail;
static struct relay_body body;
static struct buf in, out;
static char outcomes[2000];
static enum relay_client_step step;
static bool was_done;

static void
decided(struct relay_mail *m, size_t recipient,
    const struct relay_verdict *verdict, void *context)
{
	static const char *const names[] = { "delivered", "deferred", "failed",
		"passed" };
	size_t size = strlen(outcomes);

	snprintf(outcomes + size, sizeof(outcomes) - size, "%zu %s %u %s %s\n",
	    recipient, names[verdict->outcome], verdict->code,
	    verdict->enhanced, verdict->text);
}

static void
make_mail(const struct transcript *t)
{
	const char *bytes =
	    t->body != NULL ? t->body : "Subject: x\r\n\r\n.dot\r\n";
	int fd = memfd_create("body", MFD_CLOEXEC);

	assert_true(write(fd, bytes, strlen(bytes)) >= 0);
	relay_body_init(&body, fd, strlen(bytes));
	memset(&mail, 0, sizeof(mail));
	mail.sender = TEXT("me@here.test");
	mail.flags = t->flags & 0xffff;
	mail.priority = (int8_t)(t->flags >> 16);
	if (t->flags >> 24 != 0) {
		mail.deliver_by = 1000000;
		mail.by_left_s = (int64_t)(t->flags >> 24) - 64;
	}
	mail.recipients = recipients;
	mail.members = members;
	mail.body = &body;
	mail.decided = decided;
	memset(recipients, 0, sizeof(recipients));
	while (
	    mail.count < MAX_RECIPIENTS && t->recipients[mail.count] != NULL) {
		recipients[mail.count].address =
		    text_of(t->recipients[mail.count]);
		recipients[mail.count].notify = t->notify;
		mail.count++;
	}
	if (t->notify != 0) {
		mail.envelope_id = TEXT("id+3D1");
		recipients[0].original = TEXT("rfc822;a@there.test");
	}
	outcomes[0] = '\0';
}

static void
run(void)
{
	do {
		step = relay_client_step(client, &in, &out);
		was_done |= step == RELAY_STEP_DONE;
	} while (step == RELAY_STEP_DONE);
}

static void
server_says(const char *text, size_t size, bool is_by_byte)
{
	for (size_t i = 0; i < size;) {
		size_t n = is_by_byte ? 1 : size - i;

		buf_put(&in, text + i, n);
		run();
		i += n;
	}
}

static size_t
in_one_piece(const char *line, size_t size, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (line[i] == '~')
			to[n++] = '\r';
		to[n++] = line[i] == '~' ? '\n' : line[i];
	}
	return n;
}

static void
play_line(const char *line, size_t size, bool is_by_byte)
{
	char said[600];

	if (strncmp(line, "S! ", 3) == 0) {
		server_says(
		    said, in_one_piece(line + 3, size - 3, said), false);
	} else if (strncmp(line, "S ", 2) == 0) {
		snprintf(
		    said, sizeof(said), "%.*s\r\n", (int)size - 2, line + 2);
		server_says(said, strlen(said), is_by_byte);
	} else if (strncmp(line, "C ", 2) == 0) {
		snprintf(
		    said, sizeof(said), "%.*s\r\n", (int)size - 2, line + 2);
		assert_true(out.size >= strlen(said));
		assert_memory_equal(out.data, said, strlen(said));
		buf_cut(&out, strlen(said));
		run();
	} else if (strncmp(line, "TLS", 3) == 0) {
		assert_int_equal(step, RELAY_STEP_START_TLS);
		relay_client_tls_started(client, line[3] == '+');
		run();
	} else if (strncmp(line, "SEND", 4) == 0) {
		assert_int_equal(step, RELAY_STEP_READY);
		relay_client_send(client, &mail);
		run();
	} else if (strncmp(line, "AGAIN", 5) == 0) {
		assert_int_equal(step, RELAY_STEP_READY);
		recipients[0].state = RELAY_RECIPIENT_WAITS;
		relay_client_send(client, &mail);
		run();
	} else if (strncmp(line, "QUIT", 4) == 0) {
		relay_client_quit(client);
		run();
	} else if (strncmp(line, "LOST", 4) == 0) {
		relay_client_lost(client, "closed");
		run();
	} else if (strncmp(line, "DONE", 4) == 0) {
		assert_true(was_done);
		was_done = false;
	} else if (strncmp(line, "OVER", 4) == 0) {
		assert_int_equal(step, RELAY_STEP_OVER);
		assert_int_equal(client->end, atoi(line + 5));
	} else {
		fail_msg("line %s", line);
	}
}

static void
play(const struct transcript *t, bool is_by_byte)
{
	const char *line = t->lines;

	client = relay_client_new(&t->setup);
	make_mail(t);
	buf_init(&in, 65536);
	buf_init(&out, RELAY_CLIENT_OUTPUT);
	run();
	while (*line != '\0') {
		size_t size = strcspn(line, "\n");

		play_line(line, size, is_by_byte);
		line += size + (line[size] == '\n');
	}
	assert_int_equal(out.size, 0);
	assert_false(was_done);
	if (t->outcomes != NULL)
		assert_string_equal(outcomes, t->outcomes);
	relay_client_free(&client);
	buf_clear(&in);
	buf_clear(&out);
	relay_body_clear(&body);
	close(body.fd);
}

#define HELLO                                                              \
	"S 220 hi\nC EHLO here.test\nS 250-there.test\nS 250-PIPELINING\n" \
	"S 250-SIZE 1000\nS 250-8BITMIME\nS 250 ENHANCEDSTATUSCODES\nSEND\n"
#define PLAIN_HELLO "S 220 hi\nC EHLO here.test\nS 250 there.test\nSEND\n"
#define ENVELOPE \
	"C MAIL FROM:<me@here.test> SIZE=20\nC RCPT TO:<a@there.test>\n"
#define SENT "C Subject: x\nC \nC ..dot\nC .\n"
#define US                                  \
	{                                   \
		.hello = { "here.test", 9 } \
	}
#define ONE                    \
	{                      \
		"a@there.test" \
	}
#define TWO                                    \
	{                                      \
		"a@there.test", "b@there.test" \
	}

static const struct transcript table[] = {
	{ "pipelined",
	    HELLO ENVELOPE "C DATA\nS 250 2.1.0 ok\n"
			   "S 250 2.1.5 ok\nS 354 go\n" SENT
			   "S 250 2.0.0 queued\nDONE\n"
			   "QUIT\nC QUIT\nS 221 bye\nOVER 0\n",
	    US, 0, NULL, ONE, 0, "0 delivered 250 2.0.0 queued\n" },
	{ "one by one",
	    PLAIN_HELLO
	    "C MAIL FROM:<me@here.test>\nS 250 ok\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nC RCPT TO:<b@there.test>\n"
	    "S 250 ok\nC DATA\nS 354 go\n" SENT "S 250 ok\nDONE\n",
	    US, 0, NULL, TWO, 0, "0 delivered 250  ok\n1 delivered 250  ok\n" },
	{ "HELO",
	    "S 220 hi\nC EHLO here.test\nS 502 what?\nC HELO here.test\n"
	    "S 250 ok\nSEND\nC MAIL FROM:<me@here.test>\nS 250 ok\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nC DATA\nS 354 go\n" SENT
	    "S 250 ok\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 delivered 250  ok\n" },
	{ "one of two",
	    HELLO ENVELOPE
	    "C RCPT TO:<b@there.test>\nC DATA\n"
	    "S 250 ok\nS 550 5.1.1 who?\nS 250 ok\nS 354 go\n" SENT
	    "S 250 ok\nDONE\n",
	    US, 0, NULL, TWO, 0,
	    "0 failed 550 5.1.1 who?\n1 delivered 250  ok\n" },
	{ "nobody, and yet 354",
	    HELLO ENVELOPE
	    "C DATA\nS 250 ok\n"
	    "S 450 4.2.0 later\nS 354 go\nC .\nS 554 nobody\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 deferred 450 4.2.0 later\n" },
	{ "nobody, and yet 250",
	    HELLO ENVELOPE "C DATA\nS 250 ok\n"
			   "S 550 no\nS 354 go\nC .\nS 250 fine\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 failed 550  no\n" },
	{ "no MAIL",
	    HELLO ENVELOPE "C DATA\nS 550 5.7.1 not you\n"
			   "S 503 no MAIL\nS 503 no MAIL\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 failed 550 5.7.1 not you\n" },
	{ "no MAIL, one by one",
	    PLAIN_HELLO "C MAIL FROM:<me@here.test>\n"
			"S 451 not now\nDONE\n",
	    US, 0, NULL, TWO, 0,
	    "0 deferred 451  not now\n1 deferred 451  not now\n" },
	{ "no DATA",
	    HELLO ENVELOPE "C DATA\nS 250 ok\nS 250 ok\n"
			   "S 451 4.3.0 greylisted\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 deferred 451 4.3.0 greylisted\n" },
	{ "the end is refused",
	    HELLO ENVELOPE "C DATA\nS 250 ok\nS 250 ok\n"
			   "S 354 go\n" SENT "S 554 5.7.1 spam\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 failed 554 5.7.1 spam\n" },
	{ "DATA that is over at once",
	    HELLO ENVELOPE "C DATA\nS 250 ok\n"
			   "S 250 ok\nS 250 delivered\nOVER 4\n",
	    US, 0, NULL, ONE, 0, "" },
	{ "3xx at the end",
	    HELLO ENVELOPE "C DATA\nS 250 ok\nS 250 ok\n"
			   "S 354 go\n" SENT "S 354 more\nOVER 4\n",
	    US, 0, NULL, ONE, 0, "" },
	{ "more replies than commands",
	    HELLO ENVELOPE "C DATA\nS 250 ok\n"
			   "S 250 ok\nS 354 go\n" SENT
			   "S! 250 ok~250 ok~\nDONE\nOVER 4\n",
	    US, 0, NULL, ONE, 0, "0 delivered 250  ok\n" },
	{ "421 for RCPT",
	    HELLO ENVELOPE "C DATA\nS 250 ok\n"
			   "S 421 4.3.2 shutting down\nOVER 2\n",
	    US, 0, NULL, ONE, 0, "" },
	{ "421 at the greeting", "S 421 busy\nOVER 2\n", US, 0, NULL, ONE, 0,
	    "" },
	{ "554 at the greeting", "S 554 no mail here\nOVER 1\n", US, 0, NULL,
	    ONE, 0, "" },
	{ "no SMTP", "S SSH-2.0-OpenSSH\nOVER 4\n", US, 0, NULL, ONE, 0, "" },
	{ "lost after the end",
	    HELLO ENVELOPE "C DATA\nS 250 ok\nS 250 ok\n"
			   "S 354 go\n" SENT "LOST\nOVER 3\n",
	    US, 0, NULL, ONE, 0, "" },
	{ "too many recipients",
	    HELLO ENVELOPE
	    "C RCPT TO:<b@there.test>\n"
	    "C DATA\nS 250 ok\nS 250 ok\nS 452 4.5.3 too many\nS 354 go\n" SENT
	    "S 250 ok\nC MAIL FROM:<me@here.test> SIZE=20\n"
	    "C RCPT TO:<b@there.test>\nC DATA\nS 250 ok\nS 250 ok\nS 354 "
	    "go\n" SENT "S 250 two\nDONE\n",
	    US, 0, NULL, TWO, 0,
	    "0 delivered 250  ok\n1 delivered 250  two\n" },
	{ "452 for the first is for good",
	    HELLO ENVELOPE "C DATA\nS 250 ok\n"
			   "S 452 4.2.2 full\nS 503 nobody\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 deferred 452 4.2.2 full\n" },
	{ "LIMITS",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250-PIPELINING\nS 250 LIMITS MAILMAX=9 RCPTMAX=1 X\nSEND\n"
	    "C MAIL FROM:<me@here.test>\nC RCPT TO:<a@there.test>\nC DATA\n"
	    "S 250 ok\nS 250 ok\nS 354 go\n" SENT "S 250 1\n"
	    "C MAIL FROM:<me@here.test>\nC RCPT TO:<b@there.test>\nC DATA\n"
	    "S 250 ok\nS 250 ok\nS 354 go\n" SENT "S 250 2\nDONE\n",
	    US, 0, NULL, TWO, 0, "0 delivered 250  1\n1 delivered 250  2\n" },
	{ "RSET after a transaction without data",
	    HELLO ENVELOPE
	    "C DATA\n"
	    "S 250 ok\nS 550 no\nS 503 nobody\nDONE\nAGAIN\n"
	    "C RSET\nS 250 ok\n" ENVELOPE
	    "C DATA\nS 250 ok\nS 550 still\nS 503 nobody\nDONE\n",
	    US, 0, NULL, ONE, 0, "0 failed 550  no\n0 failed 550  still\n" },
	{ "too large",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 SIZE 19\nSEND\nDONE\n",
	    US, 0, NULL, ONE, 0,
	    "0 failed 0 5.3.4 the message is larger than this host takes\n" },
	{ "DSN",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 DSN\nSEND\n"
	    "C MAIL FROM:<me@here.test> RET=HDRS ENVID=id+3D1\nS 250 ok\n"
	    "C RCPT TO:<a@there.test> NOTIFY=SUCCESS,FAILURE "
	    "ORCPT=rfc822;a@there.test\nS 250 ok\nC DATA\nS 354 go\n" SENT
	    "S 250 ok\nDONE\n",
	    US, TRANSACTION_RETURN_HEADERS, NULL, ONE,
	    DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE, "0 delivered 250  ok\n" },
	{ "no DSN",
	    PLAIN_HELLO
	    "C MAIL FROM:<me@here.test>\nS 250 ok\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nC DATA\nS 354 go\n" SENT
	    "S 250 ok\nDONE\n",
	    US, TRANSACTION_RETURN_HEADERS, NULL, ONE, DSN_NOTIFY_SUCCESS,
	    "0 passed 250  ok\n" },
	{ "8BITMIME",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 8BITMIME\nSEND\nC MAIL FROM:<me@here.test> BODY=8BITMIME\n"
	    "S 250 ok\nC RCPT TO:<a@there.test>\nS 550 no\nDONE\n",
	    US, TRANSACTION_8BITMIME, NULL, ONE, 0, "0 failed 550  no\n" },
	{ "no 8BITMIME",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 SIZE\nSEND\n"
	    "C MAIL FROM:<me@here.test> SIZE=75\nS 250 ok\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nC DATA\nS 354 go\n"
	    "C MIME-Version: 1.0\n"
	    "C Content-Transfer-Encoding: quoted-printable\nC \n"
	    "C ..=C3=A9\nC .\nS 250 ok\nDONE\n",
	    US, TRANSACTION_8BITMIME, "\r\n.\xc3\xa9\r\n", ONE, 0,
	    "0 delivered 250  ok\n" },
	{ "no 8BITMIME, and what is signed",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 SIZE\nSEND\n"
	    "DONE\n",
	    US, TRANSACTION_8BITMIME,
	    "Content-Type: multipart/signed; boundary=b\r\n\r\n"
	    "--b\r\n\r\n\xc3\xa9\r\n--b--\r\n",
	    ONE, 0,
	    "0 failed 0 5.6.3 the message has 8-bit or binary parts that "
	    "cannot be converted, and this host takes 7 bits only\n" },
	{ "no BINARYMIME",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 CHUNKING\n"
	    "SEND\nC MAIL FROM:<me@here.test>\nS 250 ok\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nC DATA\nS 354 go\n"
	    "C Content-Type: image/x\nC MIME-Version: 1.0\n"
	    "C Content-Transfer-Encoding: base64\nC \n"
	    "C iQo=\nC .\nS 250 ok\nDONE\n",
	    US, TRANSACTION_BINARYMIME,
	    "Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n"
	    "\r\n\x89\n",
	    ONE, 0, "0 delivered 250  ok\n" },
	{ "SMTPUTF8",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 SMTPUTF8\nSEND\nC MAIL FROM:<me@here.test> SMTPUTF8\n"
	    "S 250 ok\nC RCPT TO:<\xc3\xa9@there.test>\nS 550 no\nDONE\n",
	    US, TRANSACTION_SMTPUTF8, NULL, { "\xc3\xa9@there.test" }, 0,
	    "0 failed 550  no\n" },
	{ "no SMTPUTF8, one address",
	    PLAIN_HELLO "C MAIL FROM:<me@here.test>\nS 250 ok\n"
			"C RCPT TO:<a@there.test>\nS 550 no\nDONE\n",
	    US, TRANSACTION_SMTPUTF8, NULL,
	    { "\xc3\xa9@there.test", "a@there.test" }, 0,
	    "0 failed 0 5.6.7 the address is in UTF-8, and this host takes no "
	    "SMTPUTF8\n1 failed 550  no\n" },
	{ "no SMTPUTF8, header", PLAIN_HELLO "DONE\n", US, TRANSACTION_SMTPUTF8,
	    "Subject: \xc3\xa9\r\n\r\nx\r\n", ONE, 0,
	    "0 failed 0 5.6.7 the message has addresses or a header in UTF-8, "
	    "and this host takes no SMTPUTF8\n" },
	{ "BDAT",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250-PIPELINING\n"
	    "S 250-CHUNKING\nS 250 BINARYMIME\nSEND\n"
	    "C MAIL FROM:<me@here.test> BODY=BINARYMIME\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nS 250 ok\nC BDAT 20 LAST\n"
	    "C Subject: x\nC \nC .dot\nS 250 ok\nDONE\n",
	    US, TRANSACTION_BINARYMIME, NULL, ONE, 0, "0 delivered 250  ok\n" },
	{ "BDAT for nobody",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250-PIPELINING\nS 250-CHUNKING\nS 250 BINARYMIME\nSEND\n"
	    "C MAIL FROM:<me@here.test> BODY=BINARYMIME\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nS 550 no\nDONE\n",
	    US, TRANSACTION_BINARYMIME, NULL, ONE, 0, "0 failed 550  no\n" },
	{ "STARTTLS",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 STARTTLS\nC STARTTLS\nS 220 go\nTLS\nC EHLO here.test\n"
	    "S 250-there\nS 250 SIZE\nSEND\n"
	    "C MAIL FROM:<me@here.test> SIZE=20\nS 450 later\nDONE\n",
	    { .hello = { "here.test", 9 }, .tries_tls = true }, 0, NULL, ONE, 0,
	    "0 deferred 450  later\n" },
	{ "STARTTLS injected",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 STARTTLS\nC STARTTLS\n"
	    "S! 220 go~250 there~\nOVER 6\n",
	    { .hello = { "here.test", 9 }, .tries_tls = true }, 0, NULL, ONE, 0,
	    "" },
	{ "STARTTLS refused",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 STARTTLS\nC STARTTLS\nS 454 not now\nSEND\n"
	    "C MAIL FROM:<me@here.test>\nS 450 later\nDONE\n",
	    { .hello = { "here.test", 9 }, .tries_tls = true }, 0, NULL, ONE, 0,
	    "0 deferred 450  later\n" },
	{ "STARTTLS stripped",
	    "S 220 hi\nC EHLO here.test\nS 250 there\n"
	    "OVER 5\n",
	    { .hello = { "here.test", 9 }, .needs_tls = true }, 0, NULL, ONE, 0,
	    "" },
	{ "STARTTLS refused and needed",
	    "S 220 hi\nC EHLO here.test\n"
	    "S 250-there\nS 250 STARTTLS\nC STARTTLS\nS 454 not now\nOVER 5\n",
	    { .hello = { "here.test", 9 }, .needs_tls = true }, 0, NULL, ONE, 0,
	    "" },
	{ "EHLO refused and TLS needed",
	    "S 220 hi\nC EHLO here.test\n"
	    "S 500 what\nC HELO here.test\nS 250 ok\nOVER 5\n",
	    { .hello = { "here.test", 9 }, .needs_tls = true }, 0, NULL, ONE, 0,
	    "" },
	{ "REQUIRETLS",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 STARTTLS\nC STARTTLS\nS 220 go\nTLS+\nC EHLO here.test\n"
	    "S 250-there\nS 250 REQUIRETLS\nSEND\n"
	    "C MAIL FROM:<me@here.test> REQUIRETLS\nS 450 later\nDONE\n",
	    { .hello = { "here.test", 9 }, .tries_tls = true },
	    TRANSACTION_REQUIRETLS, NULL, ONE, 0, "0 deferred 450  later\n" },
	{ "MT-PRIORITY",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 MT-PRIORITY X\n"
	    "SEND\nC MAIL FROM:<me@here.test> MT-PRIORITY=-3\nS 450 later\n"
	    "DONE\n",
	    { .hello = { "here.test", 9 } }, 0xfd0000, NULL, ONE, 0,
	    "0 deferred 450  later\n" },
	{ "MT-PRIORITY that is not offered",
	    "S 220 hi\nC EHLO here.test\nS 250 there\n"
	    "SEND\nC MAIL FROM:<me@here.test>\nS 450 later\nDONE\n",
	    { .hello = { "here.test", 9 } }, 0x090000, NULL, ONE, 0,
	    "0 deferred 450  later\n" },
	{ "DELIVERBY passes the time on that is left",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 DELIVERBY 60\n"
	    "SEND\nC MAIL FROM:<me@here.test> BY=60;R\nS 450 later\nDONE\n",
	    { .hello = { "here.test", 9 } }, BY(60) | TRANSACTION_BY_RETURN,
	    NULL, ONE, 0, "0 deferred 450  later\n" },
	{ "DELIVERBY of one who only wants to know goes on when it is late",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 DELIVERBY\n"
	    "SEND\nC MAIL FROM:<me@here.test> BY=-5;NT\nS 450 later\nDONE\n",
	    { .hello = { "here.test", 9 } }, BY(-5) | TRANSACTION_BY_TRACE,
	    NULL, ONE, 0, "0 deferred 450  later\n" },
	{ "DELIVERBY with less time than the host needs",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 DELIVERBY 61,x\n"
	    "SEND\nDONE\n",
	    { .hello = { "here.test", 9 } }, BY(60) | TRANSACTION_BY_RETURN,
	    NULL, ONE, 0,
	    "0 failed 0 5.4.7 the sender wants the message back if it is late, "
	    "and this host needs more time than there is\n" },
	{ "DELIVERBY without time",
	    "S 220 hi\nC EHLO here.test\nS 250-there\nS 250 DELIVERBY\n"
	    "SEND\nDONE\n",
	    { .hello = { "here.test", 9 } }, BY(0) | TRANSACTION_BY_RETURN,
	    NULL, ONE, 0,
	    "0 failed 0 5.4.7 the time is over within which the sender wanted "
	    "the message delivered\n" },
	{ "DELIVERBY that is not offered",
	    "S 220 hi\nC EHLO here.test\nS 250 there\nSEND\nDONE\n",
	    { .hello = { "here.test", 9 } }, BY(60) | TRANSACTION_BY_RETURN,
	    NULL, ONE, 0,
	    "0 failed 0 5.4.7 the sender wants the message back if it is late "
	    "(DELIVERBY), and this host does not do so\n" },
	{ "DELIVERBY that is not offered, of one who only wants to know",
	    "S 220 hi\nC EHLO here.test\nS 250 there\n"
	    "SEND\nC MAIL FROM:<me@here.test>\nS 250 ok\n"
	    "C RCPT TO:<a@there.test>\nS 250 ok\nC DATA\nS 354 go\n"
	    "C Subject: x\nC \nC ..dot\nC .\nS 250 2.0.0 ok\nDONE\n",
	    { .hello = { "here.test", 9 } }, BY(60), NULL, ONE, 0,
	    "0 passed 250 2.0.0 ok\n" },
	{ "REQUIRETLS without proof",
	    "S 220 hi\nC EHLO here.test\n"
	    "S 250-there\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nTLS\n"
	    "C EHLO here.test\nS 250-there\nS 250 REQUIRETLS\nSEND\nDONE\n",
	    { .hello = { "here.test", 9 }, .tries_tls = true },
	    TRANSACTION_REQUIRETLS, NULL, ONE, 0,
	    "0 failed 0 5.7.30 the sender requires TLS all the way "
	    "(REQUIRETLS), and this host does not do so\n" },
	{ "AUTH PLAIN",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 AUTH LOGIN PLAIN\nC AUTH PLAIN AHUAcA==\nS 235 ok\nSEND\n"
	    "C MAIL FROM:<me@here.test>\nS 450 later\nDONE\n",
	    { .hello = { "here.test", 9 },
		.is_tls = true,
		.user = { "u", 1 },
		.password = { "p", 1 } },
	    0, NULL, ONE, 0, "0 deferred 450  later\n" },
	{ "AUTH LOGIN",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 VXNlcm5hbWU6\nC dQ==\n"
	    "S 334 UGFzc3dvcmQ6\nC cA==\nS 235 ok\nQUIT\nC QUIT\nS 221 bye\n"
	    "OVER 0\n",
	    { .hello = { "here.test", 9 },
		.is_tls = true,
		.user = { "u", 1 },
		.password = { "p", 1 } },
	    0, NULL, ONE, 0, "" },
	{ "AUTH LOGIN that asks on",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 x\nC dQ==\nS 334 x\nC cA==\n"
	    "S 334 x\nOVER 7\n",
	    { .hello = { "here.test", 9 },
		.is_tls = true,
		.user = { "u", 1 },
		.password = { "p", 1 } },
	    0, NULL, ONE, 0, "" },
	{ "AUTH in the clear",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 AUTH PLAIN\nOVER 5\n",
	    { .hello = { "here.test", 9 },
		.user = { "u", 1 },
		.password = { "p", 1 } },
	    0, NULL, ONE, 0, "" },
	{ "AUTH refused",
	    "S 220 hi\nC EHLO here.test\nS 250-there\n"
	    "S 250 AUTH PLAIN\nC AUTH PLAIN AHUAcA==\nS 535 no\nOVER 7\n",
	    { .hello = { "here.test", 9 },
		.is_tls = true,
		.user = { "u", 1 },
		.password = { "p", 1 } },
	    0, NULL, ONE, 0, "" },
	{ "LMTP",
	    "S 220 hi\nC LHLO here.test\nS 250-there\nS 250 PIPELINING\n"
	    "SEND\nC MAIL FROM:<me@here.test>\nC RCPT TO:<a@there.test>\n"
	    "C RCPT TO:<b@there.test>\nC RCPT TO:<c@there.test>\nC DATA\n"
	    "S 250 ok\nS 250 ok\nS 550 who?\nS 250 ok\nS 354 go\n" SENT
	    "S 250 2.0.0 kept\nS 452 4.2.2 full\nDONE\n",
	    { .hello = { "here.test", 9 }, .protocol = RELAY_LMTP }, 0, NULL,
	    { "a@there.test", "b@there.test", "c@there.test" }, 0,
	    "1 failed 550  who?\n0 delivered 250 2.0.0 kept\n"
	    "2 deferred 452 4.2.2 full\n" },
	{ "LMTP knows no HELO",
	    "S 220 hi\nC LHLO here.test\nS 500 what\n"
	    "OVER 1\n",
	    { .hello = { "here.test", 9 }, .protocol = RELAY_LMTP }, 0, NULL,
	    ONE, 0, "" },
	{ "line ends and dots",
	    HELLO
	    "C MAIL FROM:<me@here.test> SIZE=18\n"
	    "C RCPT TO:<a@there.test>\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\n"
	    "C a\nC ..\nC ..b\nC c\nC ..\nC d\nC \nC ..e\nC .\nS 250 "
	    "ok\nDONE\n",
	    US, 0, "a\n.\r\n.b\rc\r\n.\nd\r\r.e", ONE, 0,
	    "0 delivered 250  ok\n" },
	{ "an empty message",
	    HELLO
	    "C MAIL FROM:<me@here.test> SIZE=0\n"
	    "C RCPT TO:<a@there.test>\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\n"
	    "C .\nS 250 ok\nDONE\n",
	    US, 0, "", ONE, 0, "0 delivered 250  ok\n" },
	{ "ourselves",
	    "S 220 hi\nC EHLO here.test\nS 250-HERE.test hi\nOVER 8\n",
	    { .hello = { "here.test", 9 }, .knows_loops = true }, 0, NULL, ONE,
	    0, "" },
	{ "a changing code", "S 220-hi\nS 554 no\nOVER 4\n", US, 0, NULL, ONE,
	    0, "" },
};

static void
transcripts_are_followed(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		print_message("%s\n", table[i].name);
		play(&table[i], false);
		play(&table[i], true);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

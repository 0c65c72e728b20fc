/*
 * A server that says anything: the first byte chooses what the client wants,
 * the second in how large pieces it hears the rest.  What must hold: each
 * recipient is decided at most once, one is only delivered after a 2xx that
 * followed the end of the data, and a client that is not over waits for
 * something.
 */
#include "smtpd/relay_client.h"

#include "common/smtp_verdict.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	COUNT = 3,
	MAX_STEPS = 100000
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct relay_client *client;
static struct relay_recipient recipients[COUNT];
static uint16_t members[COUNT];
static bool was_decided[COUNT];
static struct relay_mail mail;
static struct relay_body body;
static struct buf in, out;

static void
decided(struct relay_mail *m, size_t recipient,
    const struct relay_verdict *verdict, void *context)
{
	if (recipient >= COUNT || was_decided[recipient])
		abort();
	was_decided[recipient] = true;
	if ((verdict->outcome == RELAY_DELIVERED ||
		verdict->outcome == RELAY_PASSED_ON) &&
	    (!relay_client_said_end(client) || verdict->code / 100 != 2))
		abort();
}

static void
make_mail(uint8_t choice)
{
	static const char bytes[] = "Subject: \xc3\xa9\r\n\r\n.\r\n";
	static int fd = -1;

	if (fd == -1) {
		fd = memfd_create("body", MFD_CLOEXEC);
		if (write(fd, bytes, sizeof(bytes) - 1) == -1)
			abort();
	}
	relay_body_init(&body, fd, sizeof(bytes) - 1);
	memset(recipients, 0, sizeof(recipients));
	memset(was_decided, 0, sizeof(was_decided));
	recipients[0].address = TEXT("a@there.test");
	recipients[1].address = TEXT("b@there.test");
	recipients[2].address = TEXT("\xc3\xa9@there.test");
	mail = (struct relay_mail){ .sender = TEXT("me@here.test"),
		.flags = choice & 8    ? TRANSACTION_SMTPUTF8
			 : choice & 16 ? TRANSACTION_BINARYMIME
				       : 0,
		.recipients = recipients,
		.members = members,
		.count = COUNT,
		.body = &body,
		.decided = decided };
}

static bool
run(void)
{
	for (int i = 0; i < MAX_STEPS; i++) {
		switch (relay_client_step(client, &in, &out)) {
		case RELAY_STEP_START_TLS:
			if (in.size > 0)
				return false;
			relay_client_tls_started(client, true);
			break;
		case RELAY_STEP_READY:
			if (client->mail_count > 0) {
				relay_client_quit(client);
				if (client->state == RELAY_CLIENT_QUIT)
					return true;
			} else {
				relay_client_send(client, &mail);
			}
			break;
		case RELAY_STEP_DONE:
			if (relay_mail_undecided(&mail) != 0)
				abort();
			break;
		case RELAY_STEP_OVER:
			return false;
		default:
			if (in.size > 0)
				abort(); /* it waits, and there is something */
			buf_reset(&out);
			if (client->state != RELAY_CLIENT_BODY)
				return true;
		}
	}
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct relay_client_setup setup = { .hello = TEXT("here.test") };
	size_t piece;

	if (size < 3 || size > 200000)
		return 0;
	setup.protocol = data[0] & 1 ? RELAY_LMTP : RELAY_SMTP;
	setup.tries_tls = (data[0] & 2) != 0;
	setup.is_tls = (data[0] & 4) != 0;
	if (data[0] & 32) {
		setup.user = TEXT("user");
		setup.password = TEXT("password");
	}
	piece = (size_t)data[1] + 1;
	client = relay_client_new(&setup);
	make_mail(data[0]);
	buf_init(&in, 65536);
	buf_init(&out, RELAY_CLIENT_OUTPUT);
	for (size_t i = 2; i < size; i += piece) {
		size_t n = size - i < piece ? size - i : piece;

		if (buf_put(&in, data + i, n) == -1)
			abort();
		if (!run())
			break;
	}
	relay_client_free(&client);
	relay_body_clear(&body);
	buf_clear(&in);
	buf_clear(&out);
	return 0;
}

/*
 * What a process that was taken over asks of the queue and of workers by an
 * URL, of keyd, and of master in the broker's name.
 */
#include "tests/redteam/intruder.h"

#include "common/codec.h"
#include "common/log.h"
#include "common/settings.h"
#include "common/smtp_verdict.h"
#include "common/status.h"
#include "tests/redteam/attacks.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -- Mail that an URL names -- */

/* A worker gives the queue what a token gives, whoever the queue is. */
static enum result
fetch_by_forged_url(void)
{
	struct message message = { .type = MESSAGE_fetch_url };

	if (intruder.self != ROLE_QUEUE || intruder.peers[ROLE_WORKER] == -1)
		return NO_PEER;
	message.fetch_url.max_size = UINT64_MAX;
	message.fetch_url.address = text_of("red1@demo.test");
	message.fetch_url.url = text_of(
	    "imap://red1%40demo.test@imap.demo.test/INBOX/;UID=1;URLAUTH="
	    "submit+red1%40demo.test:internal:"
	    "0100000000000000000000000000000000");
	if (!intruder_ask(ROLE_WORKER, &message, -1, MESSAGE_url_fetched)) {
		log_error("attack", "why=\"no answer: %s\"", intruder.why.text);
		return THROUGH;
	}
	return message.url_fetched.verdict == VERDICT_OK ? THROUGH : REFUSED;
}

/* Where nobody logged in there is no account whose mail could be handed in. */
static enum result
hand_in_without_grant(void)
{
	struct message message;

	if (intruder.self != ROLE_SMTPD || intruder.peers[ROLE_QUEUE] == -1)
		return NO_PEER;
	for (uint64_t i = 1; i <= 20; i++) {
		message = (struct message){ .type = MESSAGE_transaction_begin };
		message.transaction_begin.transaction = i;
		message.transaction_begin.connection = i;
		message.transaction_begin.service = SERVICE_SUBMIT;
		message.transaction_begin.sender = text_of("red1@demo.test");
		if (!intruder_ask(ROLE_QUEUE, &message, -1,
			MESSAGE_transaction_verdict) ||
		    message.transaction_verdict.verdict == VERDICT_OK)
			return THROUGH;
		message = (struct message){ .type = MESSAGE_transaction_url };
		message.transaction_url.transaction = i;
		message.transaction_url.is_last = 1;
		message.transaction_url.url = text_of("imap://a@b/c/;UID=1");
		if (!intruder_ask(ROLE_QUEUE, &message, -1,
			MESSAGE_transaction_verdict) ||
		    smtp_verdict_is_good(message.transaction_verdict.verdict))
			return THROUGH;
	}
	return REFUSED;
}

/* -- keyd -- */

/* Whether it signs that with the key; a channel that is shut is an answer. */
static bool
is_signed(uint32_t key, const void *block, size_t size)
{
	static const uint16_t schemes[] = { 0x0403, 0x0804, 0x0807 };
	struct message message = { 0 };
	struct text text = text_make(block, size);
	bool is_smtp = intruder.self == ROLE_SMTPD;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (is_smtp) {
			message.type = MESSAGE_smtp_sign;
			message.smtp_sign.key = key;
			message.smtp_sign.scheme = schemes[i];
			message.smtp_sign.to_sign = text;
		} else {
			message.type = MESSAGE_imap_sign;
			message.imap_sign.key = key;
			message.imap_sign.scheme = schemes[i];
			message.imap_sign.to_sign = text;
		}
		if (intruder_ask(ROLE_KEYD, &message, -1,
			is_smtp ? MESSAGE_smtp_signature
				: MESSAGE_imap_signature) &&
		    (is_smtp ? message.smtp_signature.status
			     : message.imap_signature.status) == STATUS_OK)
			return true;
	}
	return false;
}

/* As a TLS 1.3 server or client signs it. */
static size_t
handshake_block(uint8_t block[200], const char *side)
{
	struct writer w;

	memset(block, ' ', 64);
	writer_init(&w, block + 64, 136);
	writer_put_raw(&w, "TLS 1.3, ", 9);
	writer_put_raw(&w, side, strlen(side));
	writer_put_raw(&w, " CertificateVerify", 19);
	writer_put_raw(&w, "a hash of thirty-two bytes is it", 32);
	return 64 + w.size;
}

static bool
has_keyd(void)
{
	return intruder.peers[ROLE_KEYD] != -1 &&
	       (intruder.self == ROLE_SMTPD || intruder.self == ROLE_IMAPD);
}

/* A signature is worth something outside of TLS as well. */
static enum result
sign_anything(void)
{
	static const char dkim[] =
	    "from:root@demo.test\r\nsubject:give me money"
	    "\r\ndkim-signature:v=1; a=rsa-sha256";
	uint8_t block[200];
	bool is_through;

	if (!has_keyd())
		return NO_PEER;
	/* What it is there for, or else nothing is shown. */
	if (!is_signed(0, block, handshake_block(block, "server")))
		return THROUGH;
	is_through = is_signed(0, dkim, sizeof(dkim) - 1);
	is_through |= is_signed(0, block, handshake_block(block, "client"));
	is_through |= is_signed(0, block, 32);
	return is_through ? THROUGH : REFUSED;
}

static enum result
sign_with_no_key(void)
{
	uint8_t block[200];
	size_t size = handshake_block(block, "server");

	if (!has_keyd())
		return NO_PEER;
	return is_signed(4000, block, size) ||
		       is_signed(UINT32_MAX, block, size)
		   ? THROUGH
		   : REFUSED;
}

/* -- The broker, and master -- */

/* To have master kill who is no child of the broker's: the runner looks
 * whether it lives. */
static enum result
reap_the_keeper(void)
{
	struct message message = { .type = MESSAGE_reap };
	int pidfd;

	if (intruder.self != ROLE_BROKER)
		return NO_PEER;
	pidfd = (int)syscall(SYS_pidfd_open, target.keeper, 0);
	message.reap.pid = (uint32_t)target.keeper;
	if (pidfd == -1 ||
	    channel_send_now(PROCESS_STARTER_FD, intruder.self, ROLE_MASTER,
		&message, &pidfd, 1, &intruder.why) == -1)
		return THROUGH; /* nothing was shown */
	return REFUSED;
}

static enum result
home_of_nobody(void)
{
	struct message message = { .type = MESSAGE_make_home };

	if (intruder.self != ROLE_BROKER)
		return NO_PEER;
	message.make_home.account = 40000;
	return intruder_ask(ROLE_MASTER, &message, -1, MESSAGE_home_made) &&
		       message.home_made.status != STATUS_OK
		   ? REFUSED
		   : THROUGH;
}

const struct talk intruder_service_talks[] = {
	{ "fetch_by_forged_url", fetch_by_forged_url },
	{ "hand_in_without_grant", hand_in_without_grant },
	{ "sign_what_is_no_handshake", sign_anything },
	{ "sign_with_a_key_that_is_none", sign_with_no_key },
	{ "have_the_keeper_reaped", reap_the_keeper },
	{ "home_of_an_account_that_is_none", home_of_nobody },
	{ NULL, NULL },
};

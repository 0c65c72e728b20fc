/*
 * Answers the sign rows of messages.def, one at a time, in order.  A refused
 * block is logged as an alarm: libssl in a sound front never makes one.
 */
#include "keyd/key_requests.h"

#include "common/channel.h"
#include "common/log.h"
#include "common/memory.h"

#include <unistd.h>

struct signature {
	enum status status;
	uint8_t bytes[KEYS_MAX_SIGNATURE];
	size_t size;
};

static void
make_signature(struct keys *keys, enum role peer, uint32_t key, uint16_t scheme,
    struct text block, struct signature *signature)
{
	signature->status = keys_sign(
	    keys, key, scheme, block, signature->bytes, &signature->size);
	if (signature->status != STATUS_OK)
		signature->size = 0;
	if (signature->status == STATUS_REFUSED)
		log_alarm("sign-refused", "peer=%s key=%u scheme=%04x",
		    role_name(peer), key, scheme);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	enum role peer = channel_peer(channel);
	struct message answer = { 0 };
	struct signature signature = { 0 };

	if (message->type == MESSAGE_smtp_sign) {
		const struct message_smtp_sign *sign = &message->smtp_sign;

		make_signature(context, peer, sign->key, sign->scheme,
		    sign->to_sign, &signature);
		answer.type = MESSAGE_smtp_signature;
		answer.smtp_signature =
		    (struct message_smtp_signature){ sign->tag,
			    (uint8_t)signature.status,
			    text_make(signature.bytes, signature.size) };
	} else if (message->type == MESSAGE_imap_sign) {
		const struct message_imap_sign *sign = &message->imap_sign;

		make_signature(context, peer, sign->key, sign->scheme,
		    sign->to_sign, &signature);
		answer.type = MESSAGE_imap_signature;
		answer.imap_signature =
		    (struct message_imap_signature){ sign->tag,
			    (uint8_t)signature.status,
			    text_make(signature.bytes, signature.size) };
	} else {
		return;
	}
	if (channel_send(channel, &answer, NULL, 0) == -1)
		channel_free(&channel);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	log_info("front-gone", "peer=%s why=\"%s\"",
	    role_name(channel_peer(channel)), error->text);
	channel_free(&channel);
}

int
key_requests_serve(
    struct event_loop *loop, int fd, enum role peer, struct keys *keys)
{
	static const struct channel_handler handler = { received, closed };

	if (peer != ROLE_SMTPD && peer != ROLE_IMAPD) {
		close(fd);
		return -1;
	}
	(void)channel_new(loop, fd, ROLE_KEYD, peer, &handler, keys);
	return 0;
}

/*
 * Answers the sign rows of messages.def, one at a time, in order.  A refused
 * block is logged as an alarm: libssl in a sound front never makes one.
 */
#include "keyd/key_requests.h"

#include "common/channel.h"
#include "common/log.h"
#include "common/memory.h"

#include <unistd.h>

struct front {
	struct key_requests *requests;
	struct front *next;
	struct channel *channel;
	uint64_t instance;
};

struct key_requests {
	struct event_loop *loop;
	struct keys *keys;
	struct front *fronts;
	void (*misbehaved)(enum role role, uint64_t instance, void *context);
	void *context;
};

struct signature {
	enum status status;
	uint8_t bytes[KEYS_MAX_SIGNATURE];
	size_t size;
};

struct key_requests *
key_requests_new(struct event_loop *loop, struct keys *keys,
    void (*misbehaved)(enum role role, uint64_t instance, void *context),
    void *context)
{
	struct key_requests *requests = memory_new(1, sizeof(*requests));

	requests->loop = loop;
	requests->keys = keys;
	requests->misbehaved = misbehaved;
	requests->context = context;
	return requests;
}

static void
front_free(struct front *front)
{
	struct front **place = &front->requests->fronts;

	while (*place != front)
		place = &(*place)->next;
	*place = front->next;
	channel_free(&front->channel);
	memory_free(&front);
}

void
key_requests_free(struct key_requests **requests)
{
	if (*requests == NULL)
		return;
	while ((*requests)->fronts != NULL)
		front_free((*requests)->fronts);
	keys_free(&(*requests)->keys);
	memory_free(requests);
}

void
key_requests_set_keys(struct key_requests *requests, struct keys *keys)
{
	keys_free(&requests->keys);
	requests->keys = keys;
}

static void
make_signature(const struct front *front, uint32_t key, uint16_t scheme,
    struct text block, struct signature *signature)
{
	signature->status = keys_sign(front->requests->keys, key, scheme, block,
	    signature->bytes, &signature->size);
	if (signature->status != STATUS_OK)
		signature->size = 0;
	if (signature->status == STATUS_REFUSED)
		log_alarm("sign-refused", "peer=%s key=%u scheme=%04x",
		    role_name(channel_peer(front->channel)), key, scheme);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct front *front = context;
	struct message answer = { 0 };
	struct signature signature = { 0 };

	if (message->type == MESSAGE_smtp_sign) {
		const struct message_smtp_sign *sign = &message->smtp_sign;

		make_signature(
		    front, sign->key, sign->scheme, sign->to_sign, &signature);
		answer.type = MESSAGE_smtp_signature;
		answer.smtp_signature =
		    (struct message_smtp_signature){ sign->tag,
			    (uint8_t)signature.status,
			    text_make(signature.bytes, signature.size) };
	} else if (message->type == MESSAGE_imap_sign) {
		const struct message_imap_sign *sign = &message->imap_sign;

		make_signature(
		    front, sign->key, sign->scheme, sign->to_sign, &signature);
		answer.type = MESSAGE_imap_signature;
		answer.imap_signature =
		    (struct message_imap_signature){ sign->tag,
			    (uint8_t)signature.status,
			    text_make(signature.bytes, signature.size) };
	} else {
		return;
	}
	if (channel_send(channel, &answer, NULL, 0) == -1)
		front_free(front); /* takes no answers: is no front */
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct front *front = context;
	struct key_requests *requests = front->requests;
	enum role role = channel_peer(channel);
	uint64_t instance = front->instance;
	bool misbehaved = error->code == ERROR_INPUT;

	log_info(
	    "front-gone", "peer=%s why=\"%s\"", role_name(role), error->text);
	front_free(front); /* and `error` with it */
	if (misbehaved)
		requests->misbehaved(role, instance, requests->context);
}

int
key_requests_serve(
    struct key_requests *requests, int fd, enum role peer, uint64_t instance)
{
	static const struct channel_handler handler = { received, closed };
	struct front *front;

	if (peer != ROLE_SMTPD && peer != ROLE_IMAPD) {
		close(fd);
		return -1;
	}
	front = memory_new(1, sizeof(*front));
	front->requests = requests;
	front->instance = instance;
	front->next = requests->fronts;
	requests->fronts = front;
	front->channel =
	    channel_new(requests->loop, fd, ROLE_KEYD, peer, &handler, front);
	return 0;
}

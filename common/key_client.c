/*
 * Asks keyd for one signature at a time.  An answer with a foreign tag, a
 * descriptor or no answer in time ends the channel: every later signature
 * fails until the broker introduces a new keyd.
 */
#include "common/key_client.h"

#include "common/channel.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"

#include <string.h>
#include <unistd.h>

enum {
	ANSWER_TIMEOUT_MS = 5000
};

struct key_client {
	int fd;
	enum role self;
	uint64_t tag;
};

struct key_client *
key_client_new(int fd, enum role self)
{
	struct key_client *client = memory_new(1, sizeof(*client));

	client->fd = fd;
	client->self = self;
	return client;
}

static void
forget(struct key_client *client)
{
	if (client->fd != -1)
		close(client->fd);
	client->fd = -1;
}

void
key_client_free(struct key_client **client)
{
	if (*client == NULL)
		return;
	forget(*client);
	memory_free(client);
}

void
key_client_replace(struct key_client *client, int fd)
{
	forget(client);
	client->fd = fd;
}

static struct message
request(
    struct key_client *client, uint32_t key, uint16_t scheme, struct text block)
{
	struct message message = { 0 };

	if (client->self == ROLE_SMTPD) {
		message.type = MESSAGE_smtp_sign;
		message.smtp_sign = (struct message_smtp_sign){ ++client->tag,
			key, scheme, block };
	} else {
		message.type = MESSAGE_imap_sign;
		message.imap_sign = (struct message_imap_sign){ ++client->tag,
			key, scheme, block };
	}
	return message;
}

/* The signature in an answer to the last request, or nothing. */
static struct text
signature_of(const struct key_client *client, const struct message *answer)
{
	struct text none = { NULL, 0 };

	if (answer->type == MESSAGE_smtp_signature &&
	    answer->smtp_signature.tag == client->tag &&
	    answer->smtp_signature.status == STATUS_OK)
		return answer->smtp_signature.signature;
	if (answer->type == MESSAGE_imap_signature &&
	    answer->imap_signature.tag == client->tag &&
	    answer->imap_signature.status == STATUS_OK)
		return answer->imap_signature.signature;
	return none;
}

static int
ask(struct key_client *client, const struct message *message, uint8_t *storage,
    struct message *answer, struct error *error)
{
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t fd_count = 0;

	if (channel_send_now(client->fd, client->self, ROLE_KEYD, message, NULL,
		0, error) == -1)
		return -1;
	return channel_receive_now(client->fd, client->self, ROLE_KEYD,
	    ANSWER_TIMEOUT_MS, storage, answer, fds, &fd_count, error);
}

static int
key_client_sign(uint32_t key, uint16_t scheme, const void *data, size_t size,
    uint8_t *signature, size_t *signature_size, void *context)
{
	struct key_client *client = context;
	static uint8_t storage[MESSAGE_MAX_SIZE];
	struct error error = { 0 };
	struct message message;
	struct message answer;
	struct text signed_text;

	if (client->fd == -1)
		return -1;
	message = request(client, key, scheme, text_make(data, size));
	if (ask(client, &message, storage, &answer, &error) == -1) {
		log_error("key-unavailable", "why=\"%s\"", error.text);
		forget(client);
		return -1;
	}
	signed_text = signature_of(client, &answer);
	if (signed_text.size == 0 || signed_text.size > *signature_size)
		return -1;
	memcpy(signature, signed_text.data, signed_text.size);
	*signature_size = signed_text.size;
	return 0;
}

struct tls_signer
key_client_signer(struct key_client *client)
{
	return (struct tls_signer){ key_client_sign, client };
}

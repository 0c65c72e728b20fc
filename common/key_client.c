/* See key_client.h. */
#include "common/key_client.h"

#include "common/channel.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"

#include <string.h>
#include <unistd.h>

enum {
	KEY_CLIENT_TIMEOUT_MS = 2000
};

struct key_client {
	enum role self;
	int fd; /* -1: keyd is away */
	uint64_t last_tag;
};

struct key_client *
key_client_new(enum role self)
{
	struct key_client *client = memory_new(1, sizeof(*client));

	client->self = self;
	client->fd = -1;
	return client;
}

void
key_client_free(struct key_client **client)
{
	if (*client == NULL)
		return;
	key_client_set_channel(*client, -1);
	memory_free(client);
}

void
key_client_set_channel(struct key_client *client, int fd)
{
	if (client->fd != -1)
		close(client->fd);
	client->fd = fd;
}

static int
ask(struct key_client *client, uint32_t key, uint16_t scheme, struct text block,
    struct error *error)
{
	struct message message = { 0 };

	if (client->self == ROLE_SMTPD) {
		message.type = MESSAGE_smtp_sign;
		message.smtp_sign.tag = ++client->last_tag;
		message.smtp_sign.key = key;
		message.smtp_sign.scheme = scheme;
		message.smtp_sign.to_sign = block;
	} else {
		message.type = MESSAGE_imap_sign;
		message.imap_sign.tag = ++client->last_tag;
		message.imap_sign.key = key;
		message.imap_sign.scheme = scheme;
		message.imap_sign.to_sign = block;
	}
	return channel_send_now(
	    client->fd, client->self, ROLE_KEYD, &message, NULL, 0, error);
}

/* The answer to the last question; late ones to earlier questions, whose wait
 * had ended, are passed over. */
static int
receive(struct key_client *client, uint8_t *storage, struct text *signature,
    struct error *error)
{
	struct message message;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t fd_count;
	uint64_t tag;
	uint8_t status;

	do {
		if (channel_receive_now(client->fd, client->self, ROLE_KEYD,
			KEY_CLIENT_TIMEOUT_MS, storage, &message, fds,
			&fd_count, error) == -1)
			return -1;
		if (message.type == MESSAGE_smtp_signature) {
			tag = message.smtp_signature.tag;
			status = message.smtp_signature.status;
			*signature = message.smtp_signature.signature;
		} else if (message.type == MESSAGE_imap_signature) {
			tag = message.imap_signature.tag;
			status = message.imap_signature.status;
			*signature = message.imap_signature.signature;
		} else {
			return error_set(
			    error, ERROR_INPUT, "keyd said something else");
		}
	} while (tag != client->last_tag);
	if (status != STATUS_OK)
		return error_set(
		    error, ERROR_REFUSED, "keyd: %s", status_name(status));
	return 0;
}

static int
sign(uint32_t key, uint16_t scheme, const void *data, size_t size,
    uint8_t *signature, size_t *signature_size, void *context)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	struct key_client *client = context;
	struct text answer;
	struct error error;

	if (client->fd == -1) {
		log_warning("sign-failed", "why=\"keyd is away\"");
		return -1;
	}
	if (ask(client, key, scheme, text_make(data, size), &error) == -1 ||
	    receive(client, storage, &answer, &error) == -1) {
		log_warning("sign-failed", "why=\"%s\"", error.text);
		return -1;
	}
	if (answer.size > *signature_size)
		return -1;
	memcpy(signature, answer.data, answer.size);
	*signature_size = answer.size;
	return 0;
}

struct tls_signer
key_client_signer(struct key_client *client)
{
	return (struct tls_signer){ .sign = sign, .context = client };
}

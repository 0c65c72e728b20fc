/*
 * See url_access.h.
 */
#include "imapd/url_access.h"

#include "common/codec.h"
#include "common/mailbox_name.h"
#include "common/table.h"

#include <stdlib.h>
#include <string.h>

enum {
	TOKEN_FORM = 1,
	TOKEN_BYTES = (URL_TOKEN_SIZE - 1) / 2
};

/* ---- Tokens ---- */

static void
make_token(const uint8_t key[MAILBOX_KEY_SIZE], struct text rump,
    uint8_t token[TOKEN_BYTES])
{
	struct writer w;

	writer_init(&w, token, TOKEN_BYTES);
	writer_put_u8(&w, TOKEN_FORM);
	writer_put_u64(&w, table_siphash(key, rump.data, rump.size));
	writer_put_u64(&w, table_siphash(key + 16, rump.data, rump.size));
}

void
url_token_make(const uint8_t key[MAILBOX_KEY_SIZE], struct text rump,
    char token[URL_TOKEN_SIZE])
{
	uint8_t bytes[TOKEN_BYTES];

	make_token(key, rump, bytes);
	text_format_hex(bytes, sizeof(bytes), token);
}

bool
url_token_is_right(
    const uint8_t key[MAILBOX_KEY_SIZE], struct text rump, struct text token)
{
	uint8_t said[TOKEN_BYTES] = { 0 }, right[TOKEN_BYTES];
	volatile uint8_t differences = 0;

	make_token(key, rump, right);
	if (token.size != URL_TOKEN_SIZE - 1 ||
	    text_parse_hex(token, said, sizeof(said)) == -1)
		return false;
	for (size_t i = 0; i < sizeof(said); i++)
		differences |= said[i] ^ right[i];
	return differences == 0;
}

/* ---- Whose it is ---- */

uint64_t
url_access_mailbox(struct account_store *account, const struct imap_url *url)
{
	char *name = mailbox_name_normal(url->mailbox);
	const struct mailbox_info *info = NULL;

	if (name != NULL)
		info = mailbox_list_find(account, text_of(name));
	free(name);
	return info != NULL ? info->id : 0;
}

bool
url_access_is_owned(
    const struct account_store *account, const struct imap_url *url)
{
	struct text owner = account_store_owner(account);

	return owner.size > 0 && text_equal_nocase(url->user, owner);
}

/* "mail.example.org:143" without its port. */
static struct text
host_of(struct text server)
{
	size_t size = server.size;

	while (size > 0 && text_is_digit(server.data[size - 1]))
		size--;
	if (size > 0 && server.data[size - 1] == ':')
		server.size = size - 1;
	return server;
}

/* Clients call us by the name they were told: our own, or one in the domain of
 * the account's address. */
bool
url_access_is_here(
    const struct account_store *account, const struct imap_url *url)
{
	struct text owner = account_store_owner(account), domain;
	struct text host = host_of(url->server);
	ptrdiff_t at = text_find_byte(owner, '@');

	if (text_equal_nocase(host, account_store_host(account)))
		return true;
	if (at == -1)
		return false;
	domain = text_skip(owner, (size_t)at + 1);
	if (host.size > domain.size &&
	    host.data[host.size - domain.size - 1] == '.')
		host = text_skip(host, host.size - domain.size);
	return text_equal_nocase(host, domain);
}

/* ---- What it gives ---- */

/* A key that nobody has takes the place of one that is not there: it takes as
 * long to refuse (RFC 4467 section 6). */
static bool
has_right_token(struct account_store *account, const struct imap_url *url)
{
	uint64_t mailbox = url_access_mailbox(account, url);
	uint8_t key[MAILBOX_KEY_SIZE] = { 0 };
	bool has_key = mailbox_key_find(account, mailbox, key) == STATUS_OK;
	bool is_right = url_token_is_right(key, url->rump, url->token);

	explicit_bzero(key, sizeof(key));
	return is_right && has_key && mailbox != 0;
}

/* Everybody who has a session here has logged in, so "anonymous" is no wider
 * than "authuser". */
static bool
is_for(const struct account_store *account, const struct imap_url *url,
    enum url_use use)
{
	struct text owner = account_store_owner(account);

	switch (url->access) {
	case URL_ACCESS_SUBMIT:
		return use == URL_USE_SUBMIT &&
		       text_equal_nocase(url->access_user, owner);
	case URL_ACCESS_USER:
		return use == URL_USE_FETCH &&
		       text_equal_nocase(url->access_user, owner);
	case URL_ACCESS_AUTHUSER:
	case URL_ACCESS_ANONYMOUS:
		return true;
	default:
		return false;
	}
}

bool
url_access_is_given(struct account_store *account, const struct imap_url *url,
    enum url_use use, int64_t now)
{
	return url->has_server && url_access_is_owned(account, url) &&
	       text_is_nocase(url->mechanism, "INTERNAL") &&
	       has_right_token(account, url) &&
	       (!url->expires || now <= url->expire_time) &&
	       is_for(account, url, use);
}

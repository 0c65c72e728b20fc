/*
 * See imap_url.h.  Of RFC 5092's grammar it takes imessagepart, absolute and
 * relative, with iurlauth or its rump; URLs of servers, of lists of messages
 * and of searches are none of a message.
 */
#include "imapd/imap_url.h"

#include "common/timestamp.h"

#include <string.h>

enum {
	URL_MIN_TOKEN_SIZE = 32 /* digits: RFC 4467 section 2.5 */
};

/* Unreserved and "sub-delims-sh", "%" and what else a path may have. */
static bool
is_url_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       text_is_digit(c) ||
	       (c != '\0' && strchr("-._~!$'()*+,&=:@/%", c) != NULL);
}

/* Takes bytes off `rest` up to `stop` or to the first that is no character of a
 * component: there ends the URL, or begins what may not be in it. */
static struct text
take(struct text *rest, char stop)
{
	size_t size = 0;
	struct text taken;

	while (size < rest->size && rest->data[size] != stop &&
	       is_url_char(rest->data[size]))
		size++;
	taken = text_make(rest->data, size);
	*rest = text_skip(*rest, size);
	return taken;
}

static bool
skip_word(struct text *rest, const char *word)
{
	if (!text_starts_nocase(*rest, word))
		return false;
	*rest = text_skip(*rest, strlen(word));
	return true;
}

/* Without its "%xx"; none may stand for a control byte. */
static int
decode(struct text raw, struct pool *pool, struct text *decoded)
{
	char *to = pool_alloc(pool, raw.size + 1, 1);
	size_t size = 0;

	for (size_t i = 0; i < raw.size; i++) {
		char c = raw.data[i];

		if (c == '%') {
			if (raw.size - i < 3 ||
			    text_parse_hex(
				text_make(raw.data + i + 1, 2), &c, 1) == -1)
				return -1;
			i += 2;
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return -1;
		to[size++] = c;
	}
	*decoded = text_make(to, size);
	return text_is_utf8(*decoded) ? 0 : -1;
}

/* nz-number */
static int
take_number(struct text *rest, uint64_t max, uint64_t *number)
{
	size_t size = 0;

	while (size < rest->size && text_is_digit(rest->data[size]))
		size++;
	if (text_parse_number(text_make(rest->data, size), max, number) == -1)
		return -1;
	*rest = text_skip(*rest, size);
	return 0;
}

static int
take_uid(struct text *rest, uint32_t *uid)
{
	uint64_t number;

	if (take_number(rest, UINT32_MAX, &number) == -1 || number == 0)
		return -1;
	*uid = (uint32_t)number;
	return 0;
}

/* "user;AUTH=*@host:143" */
static int
parse_server(struct text *rest, struct pool *pool, struct imap_url *url)
{
	size_t size = 0;
	struct text server, user;
	ptrdiff_t at;

	while (size < rest->size && rest->data[size] != '/')
		size++;
	server = text_make(rest->data, size);
	*rest = text_skip(*rest, size);
	url->has_server = true;
	at = text_find_byte(server, '@');
	if (at >= 0) {
		struct text userinfo = text_make(server.data, (size_t)at);

		server = text_skip(server, (size_t)at + 1);
		user = take(&userinfo, '/');
		if ((userinfo.size > 0 &&
			!text_starts_nocase(userinfo, ";AUTH=")) ||
		    decode(user, pool, &url->user) == -1)
			return -1;
	}
	url->server = server;
	return server.size > 0 && rest->size > 0 ? 0 : -1;
}

static bool
has_scheme(struct text path)
{
	struct text level;

	return text_next(&path, '/', &level) &&
	       text_find_byte(level, ':') != -1;
}

/* "Drafts;UIDVALIDITY=385759045/" or "Drafts/", in front of ";UID=". */
static int
parse_mailbox(struct text *rest, struct pool *pool, struct imap_url *url)
{
	struct text raw = take(rest, ';');
	bool has_slash = raw.size > 0 && raw.data[raw.size - 1] == '/';

	/* What looks like another scheme is no relative path (RFC 3986 4.2). */
	if (url->is_relative && has_scheme(raw))
		return -1;
	if (has_slash)
		raw.size--;
	if (skip_word(rest, ";UIDVALIDITY=")) {
		if (has_slash || raw.size == 0 ||
		    take_uid(rest, &url->uidvalidity) == -1 ||
		    !skip_word(rest, "/"))
			return -1;
	} else if (raw.size > 0 && !has_slash) {
		return -1;
	}
	return decode(raw, pool, &url->mailbox);
}

static int
parse_partial(struct text *rest, struct imap_url *url)
{
	url->is_partial = true;
	url->count = UINT64_MAX;
	if (take_number(rest, UINT32_MAX, &url->first) == -1)
		return -1;
	if (!skip_word(rest, "."))
		return 0;
	return take_number(rest, UINT32_MAX, &url->count) == -1 ||
		       url->count == 0
		   ? -1
		   : 0;
}

/* Behind the UID: "/;SECTION=1.2/;PARTIAL=0.1024" */
static int
parse_part(struct text *rest, struct pool *pool, struct imap_url *url)
{
	struct text raw;

	if (skip_word(rest, "/;SECTION=")) {
		raw = take(rest, ';');
		/* The "/" of "/;PARTIAL" looks like its last character. */
		if (rest->size > 0 && raw.size > 0 &&
		    raw.data[raw.size - 1] == '/') {
			raw.size--;
			*rest = text_make(rest->data - 1, rest->size + 1);
		}
		if (raw.size == 0 || decode(raw, pool, &url->section) == -1)
			return -1;
	}
	return skip_word(rest, "/;PARTIAL=") ? parse_partial(rest, url) : 0;
}

/* ---- URLAUTH ---- */

static int
take_access(struct text *rest, struct pool *pool, struct imap_url *url)
{
	static const struct {
		const char *word;
		enum url_access access;
		bool has_user;
	} rows[] = {
		{ "submit+", URL_ACCESS_SUBMIT, true },
		{ "user+", URL_ACCESS_USER, true },
		{ "authuser", URL_ACCESS_AUTHUSER, false },
		{ "anonymous", URL_ACCESS_ANONYMOUS, false },
	};
	struct text user;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!skip_word(rest, rows[i].word))
			continue;
		url->access = rows[i].access;
		if (!rows[i].has_user)
			return 0;
		user = take(rest, ':');
		return user.size == 0 ? -1
				      : decode(user, pool, &url->access_user);
	}
	return -1;
}

static bool
is_mechanism(struct text word)
{
	for (size_t i = 0; i < word.size; i++)
		if (!is_url_char(word.data[i]) ||
		    strchr("_~!$'()*+,&=:@/%", word.data[i]) != NULL)
			return false;
	return word.size > 0;
}

static bool
is_token(struct text word)
{
	for (size_t i = 0; i < word.size; i++)
		if (word.data[i] == '\0' ||
		    strchr("0123456789abcdefABCDEF", word.data[i]) == NULL)
			return false;
	return word.size >= URL_MIN_TOKEN_SIZE;
}

/* ";EXPIRE=date-time;URLAUTH=access", and ":mechanism:token", at the end. */
static int
parse_urlauth(struct text whole, struct text rest, struct pool *pool,
    struct imap_url *url)
{
	struct text date;

	if (skip_word(&rest, ";EXPIRE=")) {
		date = take(&rest, ';');
		if (timestamp_parse(date, &url->expire_time) == -1)
			return -1;
		url->expires = true;
	}
	if (!skip_word(&rest, ";URLAUTH=") ||
	    take_access(&rest, pool, url) == -1)
		return -1;
	url->rump = text_make(whole.data, whole.size - rest.size);
	if (rest.size == 0)
		return 0;
	if (!skip_word(&rest, ":"))
		return -1;
	url->mechanism = take(&rest, ':');
	if (!is_mechanism(url->mechanism) || !skip_word(&rest, ":"))
		return -1;
	url->token = rest;
	return is_token(rest) ? 0 : -1;
}

int
imap_url_parse(struct text text, struct pool *pool, struct imap_url *url)
{
	struct text rest = text;

	memset(url, 0, sizeof(*url));
	if (text.size == 0 || text.size > IMAP_URL_MAX_SIZE)
		return -1;
	if ((skip_word(&rest, "imap://") || skip_word(&rest, "//")) &&
	    parse_server(&rest, pool, url) == -1)
		return -1;
	url->is_relative = !skip_word(&rest, "/");
	if (parse_mailbox(&rest, pool, url) == -1 ||
	    (url->mailbox.size == 0 && !url->is_relative) ||
	    !skip_word(&rest, ";UID=") || take_uid(&rest, &url->uid) == -1)
		return -1;
	if (parse_part(&rest, pool, url) == -1)
		return -1;
	return rest.size == 0 ? 0 : parse_urlauth(text, rest, pool, url);
}

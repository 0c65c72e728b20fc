/*
 * See mail_address.h.  The tolerant reader: a list is read with what is
 * there, and the gaps are filled with words that cannot be taken for an
 * address.  It reads odd lists as Dovecot does, so that an ENVELOPE means
 * the same before and after a move to this server.
 */
#include "common/mail_address.h"

#include "common/mail_token.h"

#include <string.h>

struct list_reader {
	struct mail_tokens tokens;
	struct pool *pool;
	struct buf word;
	struct buf comment;
	struct mail_address *first;
	struct mail_address **end;
	uint32_t count;
	struct mail_address address; /* being read */
	bool is_invalid;             /* it has a syntax error */
};

static struct text
keep(struct list_reader *r, const struct buf *buf)
{
	return text_make(
	    pool_text(r->pool, (const char *)buf->data, buf->size), buf->size);
}

static void
add(struct list_reader *r)
{
	struct mail_address *a;

	if (r->count++ < MAIL_ADDRESS_MAX_COUNT) {
		a = pool_copy(r->pool, &r->address, sizeof(*a));
		*r->end = a;
		r->end = &a->next;
	}
	memset(&r->address, 0, sizeof(r->address));
	r->is_invalid = false;
}

static void
add_filled(struct list_reader *r)
{
	if (r->address.mailbox.data == NULL)
		r->address.mailbox = TEXT("MISSING_MAILBOX");
	if (r->address.host.size == 0)
		r->address.host = TEXT("MISSING_DOMAIN");
	add(r);
}

/* Dots may stand anywhere in the local part. */
static int
get_loose_local(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;
	int result;

	do {
		result = -1;
		while (mail_tokens_at(t, '.')) {
			buf_put_byte(&r->word, '.');
			if (++t->next == t->end)
				return 0;
			result = 1;
		}
		if (mail_tokens_at(t, '@'))
			break;
		result = mail_tokens_get_atom(t, &r->word);
	} while (result > 0 && mail_tokens_at(t, '.'));
	return result;
}

static int
get_local(struct list_reader *r)
{
	int result;

	buf_reset(&r->word);
	if (mail_tokens_at(&r->tokens, '"'))
		result = mail_tokens_get_quoted(&r->tokens, &r->word);
	else
		result = get_loose_local(r);
	if (result >= 0)
		r->address.mailbox = keep(r, &r->word);
	return result;
}

static int
get_domain(struct list_reader *r)
{
	int result;

	buf_reset(&r->word);
	result = mail_tokens_get_domain(&r->tokens, &r->word);
	if (result >= 0)
		r->address.host = keep(r, &r->word);
	return result;
}

/* "@a,@b:" of RFC 822; 1 if it was read up to its colon. */
static int
get_route(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;

	buf_reset(&r->word);
	while (mail_tokens_at(t, '@')) {
		int result;

		buf_put_text(&r->word, r->word.size > 0 ? ",@" : "@");
		result = mail_tokens_get_domain(t, &r->word);
		if (result <= 0)
			return result;
		while (mail_tokens_skip_space(t) > 0 && *t->next == ',')
			t->next++;
	}
	if (t->next == t->end)
		return 0;
	r->address.route = keep(r, &r->word);
	return 1;
}

static int
get_angle(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;

	t->next++;
	if (mail_tokens_skip_space(t) <= 0)
		return -1;
	if (*t->next == '@') {
		if (get_route(r) > 0 && mail_tokens_at(t, ':'))
			t->next++;
		else
			r->address.route = TEXT("INVALID_ROUTE");
		if (mail_tokens_skip_space(t) <= 0)
			return -1;
	}
	if (*t->next != '>') {
		if (get_local(r) <= 0)
			return -1;
		if (mail_tokens_at(t, '@') && get_domain(r) <= 0)
			return -1;
	}
	if (!mail_tokens_at(t, '>'))
		return -1;
	t->next++;
	return mail_tokens_skip_space(t);
}

/* [display-name] <address>; -1 if it is not of that form. */
static int
get_name_address(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;

	buf_reset(&r->word);
	if (mail_tokens_get_phrase(t, &r->word) <= 0 || *t->next != '<')
		return -1;
	if (r->word.size > 0)
		r->address.name = keep(r, &r->word);
	if (get_angle(r) < 0) {
		r->address.host = TEXT("SYNTAX_ERROR");
		r->is_invalid = true;
	}
	return t->next < t->end;
}

/* A lone word is a mailbox, several are somebody's name. */
static int
get_bare_name(struct list_reader *r, bool is_quoted)
{
	size_t size;

	buf_put_byte(&r->word, ' ');
	size = r->word.size;
	(void)mail_tokens_get_phrase(&r->tokens, &r->word);
	if (r->word.size != size) {
		r->address.mailbox = text_make(NULL, 0);
		r->address.name = keep(r, &r->word);
	} else if (!is_quoted)
		r->address.host = TEXT("");
	r->is_invalid = true;
	return -1;
}

static int
get_bare_address(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;
	bool is_quoted = mail_tokens_at(t, '"'), has_domain = false;
	int result;

	buf_reset(&r->comment);
	result = get_local(r);
	if (result <= 0)
		r->is_invalid = true;
	if (result != 0 && mail_tokens_at(t, '@')) {
		int domain_result = get_domain(r);

		has_domain = true;
		if (domain_result <= 0)
			result = domain_result;
	}
	if (r->comment.size > 0)
		r->address.name = keep(r, &r->comment);
	else if (!has_domain)
		result = get_bare_name(r, is_quoted);
	return result;
}

static int
get_mailbox(struct list_reader *r)
{
	const char *start = r->tokens.next;
	struct mail_address *a = &r->address;
	int result = get_name_address(r);

	if (result < 0) {
		r->tokens.next = start;
		result = get_bare_address(r);
		if (r->is_invalid && a->name.data == NULL &&
		    a->mailbox.data != NULL && a->host.data == NULL) {
			a->name = a->mailbox;
			a->mailbox = text_make(NULL, 0);
		}
	}
	add_filled(r);
	return result;
}

static void
get_members(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;

	for (;;) {
		if (t->next >= t->end) /* a lone mailbox may end the text */
			break;
		(void)get_mailbox(r);
		if (!mail_tokens_at(t, ','))
			break;
		t->next++;
		if (mail_tokens_skip_space(t) <= 0)
			break;
	}
}

/* name ":" members ";" -- -1 if it is not a group. */
static int
get_group(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;
	int result;

	buf_reset(&r->word);
	if (mail_tokens_get_phrase(t, &r->word) <= 0 || *t->next != ':')
		return -1;
	t->next++;
	result = mail_tokens_skip_space(t);
	r->address.mailbox = keep(r, &r->word);
	add(r);
	if (result > 0 && *t->next != ';')
		get_members(r);
	result = -1;
	if (mail_tokens_at(t, ';')) {
		t->next++;
		result = mail_tokens_skip_space(t);
	}
	add(r);
	return result == 0 ? 0 : 1;
}

static void
get_list(struct list_reader *r)
{
	struct mail_tokens *t = &r->tokens;

	while (r->count < MAIL_ADDRESS_MAX_COUNT) {
		const char *start = t->next;
		int result = get_group(r);

		if (result < 0) {
			t->next = start;
			result = get_mailbox(r);
		}
		if (result == 0 || !mail_tokens_at(t, ','))
			break;
		t->next++;
		result = mail_tokens_skip_space(t);
		if (result < 0)
			add_filled(r);
		if (result <= 0)
			break;
	}
}

struct mail_address *
mail_address_parse_list(struct text value, struct pool *pool)
{
	struct list_reader r = { .pool = pool };

	r.end = &r.first;
	buf_init(&r.word, MAIL_MAX_VALUE);
	buf_init(&r.comment, MAIL_MAX_VALUE);
	mail_tokens_init(&r.tokens, value, &r.comment);
	if (mail_tokens_skip_space(&r.tokens) > 0)
		get_list(&r);
	else if (value.size > 0 && r.tokens.next < r.tokens.end)
		add_filled(&r);
	buf_clear(&r.word);
	buf_clear(&r.comment);
	return r.first;
}

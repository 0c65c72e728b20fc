/*
 * The strict half of mail_address.h: Mailbox, Path and Domain exactly as RFC
 * 5321 4.1.2 and 4.1.3 with the UTF-8 of RFC 6531 have them, for what comes
 * in MAIL and RCPT and for configured addresses.
 */
#include "common/mail_address.h"

#include <arpa/inet.h>
#include <string.h>

static bool
is_alphanumeric(char c)
{
	char lower = text_lower_byte(c);

	return text_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

static bool
is_atom_byte(char c)
{
	return is_alphanumeric(c) || (unsigned char)c >= 0x80 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_label(struct text label)
{
	if (label.size == 0 || label.size > 63 || label.data[0] == '-' ||
	    label.data[label.size - 1] == '-')
		return false;
	for (size_t i = 0; i < label.size; i++)
		if (!is_alphanumeric(label.data[i]) && label.data[i] != '-' &&
		    (unsigned char)label.data[i] < 0x80)
			return false;
	return true;
}

bool
mail_address_is_domain(struct text a, bool allow_utf8)
{
	struct text label;

	if (a.size == 0 || a.size > MAIL_ADDRESS_MAX_DOMAIN ||
	    a.data[a.size - 1] == '.' ||
	    (allow_utf8 ? !text_is_utf8(a) : !text_is_ascii(a)))
		return false;
	while (text_next(&a, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

/* What stands between the brackets: an IPv4 address or IPv6:address. */
static bool
is_literal(struct text a)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t binary[16];
	int family = AF_INET;

	if (text_starts_nocase(a, "IPv6:")) {
		a = text_skip(a, 5);
		family = AF_INET6;
	}
	return text_copy(a, address, sizeof(address)) == 0 &&
	       inet_pton(family, address, binary) == 1;
}

static int
set_domain(struct mailbox_address *address, struct text domain, bool allow_utf8,
    struct error *error)
{
	if (domain.size > 2 && domain.data[0] == '[' &&
	    domain.data[domain.size - 1] == ']') {
		domain = text_make(domain.data + 1, domain.size - 2);
		address->is_literal = true;
		if (!is_literal(domain))
			return error_set(
			    error, ERROR_INPUT, "malformed address literal");
	} else if (!mail_address_is_domain(domain, allow_utf8))
		return error_set(error, ERROR_INPUT, "malformed domain");
	address->domain = domain;
	return 0;
}

/* Takes "..." off `rest`, unquoted into local_space. */
static int
get_quoted_local(struct text *rest, struct mailbox_address *address)
{
	size_t i = 1, size = 0;

	for (; i < rest->size && rest->data[i] != '"'; i++) {
		if (rest->data[i] == '\\' && ++i == rest->size)
			return -1;
		if ((unsigned char)rest->data[i] < ' ' ||
		    rest->data[i] == 0x7f || size == MAIL_ADDRESS_MAX_LOCAL)
			return -1;
		address->local_space[size++] = rest->data[i];
	}
	if (i >= rest->size || size == 0)
		return -1;
	address->is_quoted = true;
	address->local = text_make(address->local_space, size);
	*rest = text_skip(*rest, i + 1);
	return 0;
}

/* Takes a dot-string off `rest`. */
static int
get_dot_local(struct text *rest, struct mailbox_address *address)
{
	size_t i = 0;

	for (; i < rest->size; i++) {
		if (is_atom_byte(rest->data[i]))
			continue;
		if (rest->data[i] != '.' || i == 0 || rest->data[i - 1] == '.')
			break;
	}
	if (i == 0 || i > MAIL_ADDRESS_MAX_LOCAL || rest->data[i - 1] == '.')
		return -1;
	address->local = text_make(rest->data, i);
	*rest = text_skip(*rest, i);
	return 0;
}

static int
get_local(struct text *rest, bool allow_utf8, char separator,
    struct mailbox_address *address, struct error *error)
{
	ptrdiff_t split;
	int result = rest->size > 0 && rest->data[0] == '"'
			 ? get_quoted_local(rest, address)
			 : get_dot_local(rest, address);

	if (result < 0)
		return error_set(error, ERROR_INPUT, "malformed local part");
	if (!text_is_ascii(address->local) &&
	    (!allow_utf8 || !text_is_utf8(address->local)))
		return error_set(error, ERROR_INPUT, "local part is not ASCII");
	address->user = address->local;
	split = separator == 0 ? -1 : text_find_byte(address->local, separator);
	if (split > 0) {
		address->user = text_make(address->local.data, (size_t)split);
		address->detail = text_skip(address->local, (size_t)split + 1);
	}
	return 0;
}

int
mail_address_parse_mailbox(struct text a, bool allow_utf8, char separator,
    struct mailbox_address *address, struct error *error)
{
	struct text rest = a;

	memset(address, 0, sizeof(*address));
	if (a.size > MAIL_ADDRESS_MAX_PATH)
		return error_set(error, ERROR_LIMIT, "address too long");
	if (get_local(&rest, allow_utf8, separator, address, error) < 0)
		return -1;
	if (rest.size == 0 || rest.data[0] != '@')
		return error_set(error, ERROR_INPUT, "address without domain");
	if (set_domain(address, text_skip(rest, 1), allow_utf8, error) < 0)
		return -1;
	address->address = a;
	address->is_utf8 = !text_is_ascii(a);
	return 0;
}

/* Position of the '>' that ends the path at `rest`, or -1. */
static ptrdiff_t
find_end(struct text rest)
{
	bool in_quotes = false;

	for (size_t i = 1; i < rest.size; i++) {
		if (rest.data[i] == '\\' && in_quotes)
			i++;
		else if (rest.data[i] == '"')
			in_quotes = !in_quotes;
		else if (rest.data[i] == '>' && !in_quotes)
			return (ptrdiff_t)i;
	}
	return -1;
}

/* Drops "@a,@b:" (RFC 5321 4.1.1.3: to be accepted and ignored). */
static int
skip_route(struct text *a, bool allow_utf8)
{
	struct text route, hop;
	ptrdiff_t colon = text_find_byte(*a, ':');

	if (a->size == 0 || a->data[0] != '@')
		return 0;
	if (colon < 0)
		return -1;
	route = text_make(a->data, (size_t)colon);
	while (text_next(&route, ',', &hop))
		if (hop.size < 2 || hop.data[0] != '@' ||
		    !mail_address_is_domain(text_skip(hop, 1), allow_utf8))
			return -1;
	*a = text_skip(*a, (size_t)colon + 1);
	return 0;
}

int
mail_address_parse_path(struct text *rest, enum mail_path kind, bool allow_utf8,
    char separator, struct mailbox_address *address, struct error *error)
{
	ptrdiff_t end;
	struct text inner;

	memset(address, 0, sizeof(*address));
	if (rest->size == 0 || rest->data[0] != '<' ||
	    (end = find_end(*rest)) < 0)
		return error_set(
		    error, ERROR_INPUT, "path is not in angle brackets");
	inner = text_make(rest->data + 1, (size_t)end - 1);
	*rest = text_skip(*rest, (size_t)end + 1);
	address->address = inner;
	if (inner.size == 0 && kind == MAIL_PATH_REVERSE)
		return 0;
	if (kind == MAIL_PATH_FORWARD && text_is_nocase(inner, "postmaster")) {
		address->local = address->user = inner;
		return 0;
	}
	if (skip_route(&inner, allow_utf8) < 0)
		return error_set(error, ERROR_INPUT, "malformed source route");
	return mail_address_parse_mailbox(
	    inner, allow_utf8, separator, address, error);
}

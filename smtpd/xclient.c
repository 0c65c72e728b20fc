/* See xclient.h. */
#include "smtpd/xclient.h"

#include "smtpd/smtp_command.h"

#include <string.h>

enum {
	VALUE_SIZE = 256
};

/* `value` is decoded, and not one of those that say nothing. */
typedef int take_function(struct text value, struct xclient *xclient);

/* An IPv6 address has a word before it, as in an address literal. */
static int
format_ip(struct text value, char ip[NETWORK_TEXT_SIZE])
{
	uint8_t bytes[NETWORK_BYTES];
	bool is_v6 = text_starts_nocase(value, "IPV6:");

	if (text_copy(text_skip(value, is_v6 ? 5 : 0), ip, NETWORK_TEXT_SIZE) ==
		-1 ||
	    (strchr(ip, ':') != NULL) != is_v6 ||
	    network_address(ip, bytes) == -1)
		return -1;
	network_format_address(bytes, ip);
	return 0;
}

static int
take_address(struct text value, struct xclient *xclient)
{
	return format_ip(value, xclient->ip);
}

static int
take_server_address(struct text value, struct xclient *xclient)
{
	char ip[NETWORK_TEXT_SIZE];

	(void)xclient;
	return format_ip(value, ip);
}

static int
take_port(struct text value, struct xclient *xclient)
{
	uint64_t port;

	(void)xclient;
	return text_parse_number(value, UINT16_MAX, &port);
}

static int
take_protocol(struct text value, struct xclient *xclient)
{
	xclient->is_esmtp = text_is_nocase(value, "ESMTP");
	return xclient->is_esmtp || text_is_nocase(value, "SMTP") ? 0 : -1;
}

/* Names of hosts, as their owners write them. */
static int
take_name(struct text value, struct xclient *xclient)
{
	(void)xclient;
	return smtp_command_is_hello(value) ? 0 : -1;
}

static int
take_hello(struct text value, struct xclient *xclient)
{
	return smtp_command_is_hello(value)
		   ? text_copy(value, xclient->hello, sizeof(xclient->hello))
		   : -1;
}

static int
take_login(struct text value, struct xclient *xclient)
{
	(void)value;
	xclient->has_login = true;
	return 0;
}

static const struct {
	const char *name;
	take_function *take;
} attributes[] = { { "NAME", take_name }, { "ADDR", take_address },
	{ "PORT", take_port }, { "PROTO", take_protocol },
	{ "HELO", take_hello }, { "LOGIN", take_login },
	{ "DESTADDR", take_server_address }, { "DESTPORT", take_port } };

enum {
	ATTRIBUTES = sizeof(attributes) / sizeof(attributes[0])
};

/* RFC 3461 section 4: +XX is a byte. -1: it is not xtext, or too long. */
static int
decode(struct text xtext, char value[VALUE_SIZE], size_t *size)
{
	*size = 0;
	for (size_t i = 0; i < xtext.size; i++) {
		char c = xtext.data[i];

		if (c <= ' ' || c > '~' || c == '=' || *size == VALUE_SIZE)
			return -1;
		if (c == '+') {
			if (xtext.size - i < 3 ||
			    text_parse_hex(
				text_make(xtext.data + i + 1, 2), &c, 1) == -1)
				return -1;
			i += 2;
		}
		value[(*size)++] = c;
	}
	return *size > 0 ? 0 : -1;
}

static int
parse_attribute(struct text word, struct xclient *xclient, unsigned int *seen)
{
	struct text name;
	char value[VALUE_SIZE];
	size_t size, i;

	if (!text_next(&word, '=', &name) || word.data == NULL)
		return -1;
	for (i = 0; i < ATTRIBUTES; i++)
		if (text_is_nocase(name, attributes[i].name))
			break;
	if (i == ATTRIBUTES || (*seen & 1U << i) != 0)
		return -1;
	*seen |= 1U << i;
	if (text_is_nocase(word, "[UNAVAILABLE]") ||
	    text_is_nocase(word, "[TEMPUNAVAIL]"))
		return 0;
	return decode(word, value, &size) == -1
		   ? -1
		   : attributes[i].take(text_make(value, size), xclient);
}

int
xclient_parse(struct text arguments, struct xclient *xclient)
{
	unsigned int seen = 0;
	struct text word;

	memset(xclient, 0, sizeof(*xclient));
	while (text_next(&arguments, ' ', &word))
		if (word.size > 0 &&
		    parse_attribute(word, xclient, &seen) == -1)
			return -1;
	return seen != 0 ? 0 : -1;
}

/* See https_uri.h. */
#include "fetcher/https_uri.h"

#include <string.h>

static bool
is_host_byte(char c)
{
	char lower = text_lower_byte(c);

	return (lower >= 'a' && lower <= 'z') || text_is_digit(c) || c == '-' ||
	       c == '_';
}

static bool
is_label(struct text label)
{
	if (label.size == 0 || label.size > 63 || label.data[0] == '-' ||
	    label.data[label.size - 1] == '-')
		return false;
	for (size_t i = 0; i < label.size; i++)
		if (!is_host_byte(label.data[i]))
			return false;
	return true;
}

bool
https_uri_is_host(struct text host)
{
	struct text rest = host, label = { NULL, 0 };
	size_t labels = 0;

	if (host.size == 0 || host.size >= HTTPS_HOST_SIZE)
		return false;
	while (text_next(&rest, '.', &label)) {
		if (!is_label(label))
			return false;
		labels++;
	}
	return labels >= 2 && !text_is_digit(label.data[0]);
}

static int
take_host(struct text host, struct https_uri *uri)
{
	if (host.size > 0 && host.data[host.size - 1] == '.')
		host.size--;
	if (!https_uri_is_host(host))
		return -1;
	for (size_t i = 0; i < host.size; i++)
		uri->host[i] = text_lower_byte(host.data[i]);
	uri->host[host.size] = '\0';
	return 0;
}

static int
take_port(struct text port, struct https_uri *uri)
{
	uint64_t number = HTTPS_PORT;

	if (port.size > 0 &&
	    (text_parse_number(port, UINT16_MAX, &number) == -1 || number == 0))
		return -1;
	uri->port = (uint16_t)number;
	return 0;
}

/* RFC 3986's bytes of a path and a query. */
static int
take_path(struct text path, struct https_uri *uri)
{
	for (size_t i = 0; i < path.size; i++)
		if (!text_is_digit(path.data[i]) &&
		    !(text_lower_byte(path.data[i]) >= 'a' &&
			text_lower_byte(path.data[i]) <= 'z') &&
		    (path.data[i] == '\0' ||
			strchr("/?-._~%!$&'()*+,;=:@", path.data[i]) == NULL))
			return -1;
	if (path.size == 0)
		path = TEXT("/");
	if (path.data[0] != '/')
		return -1;
	return text_copy(path, uri->path, sizeof(uri->path));
}

int
https_uri_parse(struct text text, struct https_uri *uri)
{
	struct text host, port = { NULL, 0 };
	ptrdiff_t colon;
	size_t end;

	if (!text_starts_nocase(text, "https://"))
		return -1;
	text = text_skip(text, 8);
	for (end = 0; end < text.size; end++)
		if (text.data[end] == '/' || text.data[end] == '?')
			break;
	host = text_make(text.data, end);
	colon = text_find_byte(host, ':');
	if (colon >= 0) {
		port = text_skip(host, (size_t)colon + 1);
		host.size = (size_t)colon;
	}
	if (take_host(host, uri) == -1 || take_port(port, uri) == -1)
		return -1;
	return take_path(text_skip(text, end), uri);
}

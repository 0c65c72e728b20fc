/* See domain_name.h. */
#include "common/domain_name.h"

#include <stdio.h>

int
domain_name_to_ascii(struct text domain, char to[DOMAIN_NAME_SIZE])
{
	to[0] = '\0';
	if (!text_is_ascii(domain))
		return domain_name_from_unicode(domain, to);
	if (text_copy(domain, to, DOMAIN_NAME_SIZE) == -1)
		return -1;
	for (size_t i = 0; i < domain.size; i++)
		to[i] = text_lower_byte(to[i]);
	return 0;
}

int
domain_name_of_address(struct text address, char *to, size_t size)
{
	char domain[DOMAIN_NAME_SIZE];
	size_t at = address.size;

	while (at > 0 && address.data[at - 1] != '@')
		at--;
	if (at == 0 ||
	    domain_name_to_ascii(text_skip(address, at), domain) == -1)
		return -1;
	return (size_t)snprintf(
		   to, size, "%.*s%s", (int)at, address.data, domain) < size
		   ? 0
		   : -1;
}

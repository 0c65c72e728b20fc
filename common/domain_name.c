/* See domain_name.h. The only user of libidn2. */
#include "common/domain_name.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

enum {
	UNICODE_MAX = 1000 /* bytes that can become 255 */
};

static int
convert(struct text domain, char to[DOMAIN_NAME_SIZE])
{
	uint8_t unicode[UNICODE_MAX], *ascii = NULL;
	int result = -1;

	if (text_copy(domain, (char *)unicode, sizeof(unicode)) == -1 ||
	    !text_is_utf8(domain) ||
	    idn2_lookup_u8(unicode, &ascii,
		IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	if (strlen((char *)ascii) < DOMAIN_NAME_SIZE) {
		memcpy(to, ascii, strlen((char *)ascii) + 1);
		result = 0;
	}
	idn2_free(ascii);
	return result;
}

int
domain_name_to_ascii(struct text domain, char to[DOMAIN_NAME_SIZE])
{
	to[0] = '\0';
	if (!text_is_ascii(domain))
		return convert(domain, to);
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

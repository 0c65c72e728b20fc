/*
 * See domain_name.h.  The only user of libidn2, by itself: a program that links
 * another domain_name_from_unicode does not load it.
 */
#include "common/domain_name.h"

#include <idn2.h>
#include <string.h>

enum {
	UNICODE_MAX = 1000 /* bytes that can become 255 */
};

int
domain_name_from_unicode(struct text domain, char to[DOMAIN_NAME_SIZE])
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

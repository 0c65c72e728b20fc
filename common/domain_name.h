/*
 * Domains as DNS has them: names in other scripts (U-labels, RFC 5890) become
 * A-labels, which is the form that is compared, looked up and kept.
 */
#ifndef COMMON_DOMAIN_NAME_H
#define COMMON_DOMAIN_NAME_H

#include "common/text.h"

enum {
	DOMAIN_NAME_SIZE = 256 /* with its NUL */
};

/* In lower case, by IDNA 2008 with the mapping of UTS 46 (non-transitional). 0;
 * -1, and to = "", if it is none that fits. What is ASCII is not looked at
 * further. */
int domain_name_to_ascii(struct text domain, char to[DOMAIN_NAME_SIZE]);

/* The same of what is not ASCII (domain_unicode.c). */
int domain_name_from_unicode(struct text domain, char to[DOMAIN_NAME_SIZE]);

/* local@domain with the domain in that form, cut at the last "@"; 0, or -1 if
 * there is none, or no room in `size` bytes. */
int domain_name_of_address(struct text address, char *to, size_t size);

#endif

/* snapctl: see dispatch.c. */
#include "snapctl/dispatch.h"

#include "common/domain_name.h"

#include <stddef.h>

/* Names of accounts are read before anything is asked, and almost all of them
 * are ASCII: snapctl-more, which has libidn2, begins anew. */
int
domain_name_from_unicode(struct text domain, char to[DOMAIN_NAME_SIZE])
{
	(void)domain;
	to[0] = '\0';
	elsewhere_start();
	return -1;
}

int
main(int argc, char **argv)
{
	return dispatch(argc, argv, NULL);
}

/* The firnmail.conf that `firnmail setup` writes where there is none. */
#ifndef FIRNMAIL_CONFIG_TEMPLATE_H
#define FIRNMAIL_CONFIG_TEMPLATE_H

#include "common/buf.h"

struct config_template {
	const char *host;
	const char *domain;
	const char *directory; /* where it will lie; users and aliases too */
	const char *state;     /* where mail and snap will lie */
};

/* 0, or -1 if a name would not stand as one word of the file. */
int config_template_write(const struct config_template *values, struct buf *to);

#endif

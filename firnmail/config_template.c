/* See config_template.h. */
#include "firnmail/config_template.h"

#include <stdbool.h>

static bool
is_plain_word(const char *word)
{
	if (*word == '\0')
		return false;
	for (; *word != '\0'; word++)
		if (*word <= ' ' || *word == '"' || *word == '#' ||
		    *word == '\\' || *word == 0x7f)
			return false;
	return true;
}

int
config_template_write(const struct config_template *values, struct buf *to)
{
	const char *d = values->directory;
	const char *s = values->state;

	if (!is_plain_word(values->host) || !is_plain_word(values->domain) ||
	    !is_plain_word(d) || !is_plain_word(s))
		return -1;
	return buf_put_format(to,
	    "# All of Firnmail's configuration: see firnmail.conf(5).  Try a\n"
	    "# change with `firnmail check`, bring it in force with\n"
	    "# `firnmail reload`.\n"
	    "host %s\n"
	    "domain %s\n"
	    "listen smtp   on * port 25  tls\n"
	    "listen submit on * port 465 tls-required auth\n"
	    "listen submit on * port 587 starttls-required auth\n"
	    "listen imap   on * port 993 tls-required\n"
	    "tls auto\n"
	    "users file %s/users\n"
	    "aliases file %s/aliases\n"
	    "store maildir %s/mail\n"
	    "snapshot every 15m dir %s/snap\n"
	    "keep 15m for 24h, 1h for 7d, 1d for 90d, 1w for 2y  minimum 30d\n"
	    "drill every 7d\n"
	    "match from auth for any relay\n"
	    "limit send 200/day\n",
	    values->host, values->domain, d, d, s, s);
}

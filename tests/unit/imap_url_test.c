/*
 * URLs of messages (RFC 5092): what each names, and what is none.
 */
#include "imapd/imap_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct url_case {
	const char *url;
	const char *means; /* NULL: it is none of a message */
};

static const struct url_case cases[] = {
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
	    "mailbox=Drafts uidvalidity=385759045 uid=20 section=HEADER" },
	{ "/INBOX/;UID=3", "mailbox=INBOX uid=3" },
	{ "/INBOX/;uid=3/;Partial=5", "mailbox=INBOX uid=3 from=5" },
	{ "/a/b%20c/;UID=4294967295/;SECTION=1.2/;PARTIAL=0.1024",
	    "mailbox=a/b c uid=4294967295 section=1.2 from=0 count=1024" },
	{ "/%C3%BC/;UID=1/;SECTION=HEADER.FIELDS%20(To)",
	    "mailbox=\xc3\xbc uid=1 section=HEADER.FIELDS (To)" },
	{ "/x/;UID=1/;SECTION=HEADER.FIELDS%20(A/B)/;PARTIAL=1",
	    "mailbox=x uid=1 section=HEADER.FIELDS (A/B) from=1" },
	{ ";UID=7/;SECTION=TEXT", "relative mailbox= uid=7 section=TEXT" },
	{ "sub/;UID=7", "relative mailbox=sub uid=7" },
	{ "imap://ann%40example.org@mail.example.org/INBOX/;UID=1",
	    "user=ann@example.org server=mail.example.org mailbox=INBOX "
	    "uid=1" },
	{ "IMAP://ann;AUTH=*@[::1]:143/INBOX/;UID=1",
	    "user=ann server=[::1]:143 mailbox=INBOX uid=1" },
	{ "//host/INBOX/;UID=1", "user= server=host mailbox=INBOX uid=1" },
	/* RFC 4467 */
	{ "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+"
	  "fred",
	    "user=joe server=example.com mailbox=INBOX uid=20 section=1.2 "
	    "access=1 for=fred rump=69" },
	{ "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+"
	  "fred:internal:91354a473744909de610943775f92038",
	    "user=joe server=example.com mailbox=INBOX uid=20 section=1.2 "
	    "access=1 for=fred rump=69 mechanism=internal "
	    "token=91354a473744909de610943775f92038" },
	{ "/x/;UID=1/;PARTIAL=0.5;EXPIRE=2026-11-26T09:28:00+02:00;URLAUTH="
	  "user+joe%40a.b",
	    "mailbox=x uid=1 from=0 count=5 access=2 for=joe@a.b rump=78 "
	    "until=1795678080" },
	{ "/x/;UID=1;URLAUTH=AuthUser:X-1.2:00112233445566778899AABBCCddeeff00",
	    "mailbox=x uid=1 access=3 for= rump=26 mechanism=X-1.2 "
	    "token=00112233445566778899AABBCCddeeff00" },
	{ "/x/;UID=1;URLAUTH=anonymous",
	    "mailbox=x uid=1 access=4 for= rump=27" },
	{ "/x/;UID=1;URLAUTH=", NULL },
	{ "/x/;UID=1;URLAUTH=submit+", NULL },
	{ "/x/;UID=1;URLAUTH=user+:internal:00112233445566778899aabbccddeeff",
	    NULL },
	{ "/x/;UID=1;URLAUTH=anyone", NULL },
	{ "/x/;UID=1;URLAUTH=authusers", NULL },
	{ "/x/;UID=1;URLAUTH=authuser:internal", NULL },
	{ "/x/;UID=1;URLAUTH=authuser::00112233445566778899aabbccddeeff",
	    NULL },
	{ "/x/;UID=1;URLAUTH=authuser:a_b:00112233445566778899aabbccddeeff",
	    NULL },
	{ "/x/;UID=1;URLAUTH=authuser:internal:00112233445566778899aabbccddeef",
	    NULL },
	{ "/x/;UID=1;URLAUTH=authuser:internal:"
	  "00112233445566778899aabbccddeegg",
	    NULL },
	{ "/x/;UID=1;EXPIRE=2026-11-26T07:28:00Z", NULL },
	{ "/x/;UID=1;EXPIRE=2026-11-26;URLAUTH=anonymous", NULL },
	{ "/x/;UID=1;URLAUTH=anonymous;EXPIRE=2026-11-26T07:28:00Z", NULL },
	{ "imap://joe@example.com/;URLAUTH=anonymous", NULL },
	{ "imap://joe@example.com/INBOX;URLAUTH=anonymous", NULL },
	/* Not of a message. */
	{ "", NULL },
	{ "/", NULL },
	{ "imap://host", NULL },
	{ "imap:///INBOX/;UID=1", NULL },
	{ "imap://ann;x@host/INBOX/;UID=1", NULL },
	{ "imap://host;UID=1", NULL },
	{ "http://host/INBOX/;UID=1", NULL },
	{ "/INBOX", NULL },
	{ "/INBOX;UID=1", NULL },
	{ "/INBOX/;UID=0", NULL },
	{ "/INBOX/;UID=", NULL },
	{ "/INBOX/;UID=4294967296", NULL },
	{ "/INBOX/;UID=1:2", NULL },
	{ "/INBOX?SUBJECT%20x", NULL },
	{ "/;UID=1", NULL },
	{ "/INBOX;UIDVALIDITY=0/;UID=1", NULL },
	{ "/INBOX/;UIDVALIDITY=1/;UID=1", NULL },
	{ "/INBOX;UIDVALIDITY=1;UID=1", NULL },
	{ ";UIDVALIDITY=1/;UID=1", NULL },
	{ "/INBOX/;UID=1/;SECTION=", NULL },
	{ "/INBOX/;UID=1/;SECTION=/;PARTIAL=1", NULL },
	{ "/INBOX/;UID=1/;PARTIAL=", NULL },
	{ "/INBOX/;UID=1/;PARTIAL=1.0", NULL },
	{ "/INBOX/;UID=1/;PARTIAL=1.", NULL },
	{ "/INBOX/;UID=1/;PARTIAL=1/;SECTION=1", NULL },
	{ "/INBOX/;UID=1/", NULL },
	{ "/INBOX/;UID=1;URLAUTH=anonymous:internal:00", NULL },
	{ "/IN BOX/;UID=1", NULL },
	{ "/IN%0aBOX/;UID=1", NULL },
	{ "/IN%00BOX/;UID=1", NULL },
	{ "/IN%4/;UID=1", NULL },
	{ "/IN%zz/;UID=1", NULL },
	{ "/%ff/;UID=1", NULL },
	{ "/\xc3\xbc/;UID=1", NULL },
	{ "/x]/;UID=1", NULL },
};

static void
describe(const struct imap_url *url, char *to, size_t size)
{
	int n = 0;

	if (url->is_relative)
		n += snprintf(to + n, size - (size_t)n, "relative ");
	if (url->has_server)
		n +=
		    snprintf(to + n, size - (size_t)n, "user=%.*s server=%.*s ",
			TEXT_FMT(url->user), TEXT_FMT(url->server));
	n += snprintf(
	    to + n, size - (size_t)n, "mailbox=%.*s", TEXT_FMT(url->mailbox));
	if (url->uidvalidity != 0)
		n += snprintf(to + n, size - (size_t)n, " uidvalidity=%u",
		    url->uidvalidity);
	n += snprintf(to + n, size - (size_t)n, " uid=%u", url->uid);
	if (url->section.size > 0)
		n += snprintf(to + n, size - (size_t)n, " section=%.*s",
		    TEXT_FMT(url->section));
	if (url->is_partial)
		n += snprintf(to + n, size - (size_t)n, " from=%llu",
		    (unsigned long long)url->first);
	if (url->is_partial && url->count != UINT64_MAX)
		n += snprintf(to + n, size - (size_t)n, " count=%llu",
		    (unsigned long long)url->count);
	if (url->access != URL_ACCESS_NONE)
		n += snprintf(to + n, size - (size_t)n,
		    " access=%d for=%.*s rump=%zu", (int)url->access,
		    TEXT_FMT(url->access_user), url->rump.size);
	if (url->expires)
		n += snprintf(to + n, size - (size_t)n, " until=%lld",
		    (long long)url->expire_time);
	if (url->mechanism.size > 0)
		snprintf(to + n, size - (size_t)n, " mechanism=%.*s token=%.*s",
		    TEXT_FMT(url->mechanism), TEXT_FMT(url->token));
}

static void
an_url_names_a_message_or_nothing(void **state)
{
	struct pool *pool = pool_new();
	unsigned int failed = 0;
	struct imap_url url;
	char means[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct url_case *c = &cases[i];

		snprintf(means, sizeof(means), "nothing");
		if (imap_url_parse(text_of(c->url), pool, &url) == 0)
			describe(&url, means, sizeof(means));
		if (strcmp(means, c->means != NULL ? c->means : "nothing") == 0)
			continue;
		print_error("%s: %s\n", c->url, means);
		failed++;
	}
	pool_free(&pool);
	assert_int_equal(failed, 0);
}

static void
a_long_url_is_none(void **state)
{
	static const char end[] = "/;UID=1";
	struct pool *pool = pool_new();
	char text[IMAP_URL_MAX_SIZE + 2];
	struct imap_url url;

	memset(text, 'x', sizeof(text));
	text[0] = '/';
	memcpy(text + IMAP_URL_MAX_SIZE - 7, end, sizeof(end));
	assert_int_equal(imap_url_parse(text_of(text), pool, &url), 0);
	text[IMAP_URL_MAX_SIZE - 7] = 'x';
	memcpy(text + IMAP_URL_MAX_SIZE - 6, end, sizeof(end));
	assert_int_equal(imap_url_parse(text_of(text), pool, &url), -1);
	pool_free(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_url_names_a_message_or_nothing),
		cmocka_unit_test(a_long_url_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Lookup of recipients in the account table.  Pure: nothing is kept.
 */
#include "common/route.h"

#include "common/domain_name.h"
#include "common/mail_address.h"
#include "common/smtp_verdict.h"

#include <stdio.h>
#include <string.h>

/* One recipient on his way. */
struct search {
	const struct settings *settings;
	const struct account_table *accounts;
	const struct route_trace *trace; /* NULL: nobody looks */
	struct mailbox_address mailbox;
	struct text domain; /* in which he is looked for */
	struct route *route;
};

static void
tell(const struct search *search, enum route_step step, struct text name)
{
	if (search->trace != NULL)
		search->trace->step(search->trace->context, step, name);
}

static bool
is_empty(const struct route *route)
{
	return route->count == 0 && route->remote_count == 0;
}

static void
add_account(struct route *route, const struct account *account)
{
	size_t i;

	for (i = 0; i < route->count; i++)
		if (route->accounts[i] == account)
			return;
	if (account != NULL && route->count < ROUTE_MAX_TARGETS)
		route->accounts[route->count++] = account;
}

static bool
is_elsewhere(const struct settings *settings, const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL && !settings_is_domain(settings, text_of(at + 1));
}

/* The parser has flattened them: no name stands among the targets, and none
 * twice. */
static void
add_aliases(struct search *search, enum route_step step, struct text name)
{
	struct route *route = search->route;
	const struct account_alias *alias =
	    account_find_alias(search->accounts, name);

	if (alias != NULL)
		tell(search, step, name);
	for (; alias != NULL;
	     alias = account_next_alias(search->accounts, alias))
		if (!is_elsewhere(search->settings, alias->target))
			add_account(
			    route, account_find_address(search->accounts,
				       text_of(alias->target)));
		else if (route->remote_count < ROUTE_MAX_TARGETS)
			route->remotes[route->remote_count++] = alias->target;
}

/* The account of that very address, if it is one of ours. */
static void
add_own(struct search *search, struct text address)
{
	const struct account *account =
	    account_find_address(search->accounts, address);

	if (account == NULL)
		return;
	tell(search, ROUTE_ACCOUNT, address);
	add_account(search->route, account);
}

static struct text
join(struct text local, struct text domain, char to[ROUTE_ADDRESS_SIZE])
{
	snprintf(to, ROUTE_ADDRESS_SIZE, "%.*s@%.*s", TEXT_FMT(local),
	    TEXT_FMT(domain));
	return text_of(to);
}

static void
find_local(struct search *search, struct text local)
{
	char name[ROUTE_ADDRESS_SIZE];
	struct text address = join(local, search->domain, name);

	add_aliases(search, ROUTE_ALIAS, address);
	if (is_empty(search->route))
		add_own(search, address);
	if (is_empty(search->route))
		add_aliases(search, ROUTE_ALIAS, local);
}

static bool
is_for_everybody(struct text local)
{
	return text_is_nocase(local, "postmaster") ||
	       text_is_nocase(local, "abuse");
}

/* What nobody has: postmaster's, or the catch-all's. */
static void
find_rest(struct search *search, struct text local, bool with_catch_all)
{
	char name[ROUTE_ADDRESS_SIZE];
	const struct account *first = account_table_at(search->accounts, 0);

	if (is_for_everybody(local) && first != NULL) {
		tell(search, ROUTE_EVERYBODY, local);
		add_account(search->route, first);
	} else if (with_catch_all) {
		add_aliases(search, ROUTE_CATCH_ALL,
		    join(text_make(NULL, 0), search->domain, name));
	}
}

static void
find_all(struct search *search, bool with_catch_all)
{
	const struct mailbox_address *mailbox = &search->mailbox;
	struct text local = mailbox->local;
	char name[ROUTE_ADDRESS_SIZE];

	find_local(search, local);
	if (is_empty(search->route) && mailbox->detail.data != NULL) {
		local = mailbox->user;
		tell(search, ROUTE_SUBADDRESS,
		    join(local, search->domain, name));
		find_local(search, local);
	}
	if (is_empty(search->route))
		find_rest(search, local, with_catch_all);
}

/* VERDICT_OK if it is an address in one of our domains. */
static unsigned int
begin(struct search *search, struct text address)
{
	const struct settings *settings = search->settings;
	struct mailbox_address *mailbox = &search->mailbox;
	char name[ROUTE_ADDRESS_SIZE];
	char ascii[DOMAIN_NAME_SIZE];
	const char *domain = NULL;

	search->route->count = search->route->remote_count = 0;
	if (text_is_nocase(address, "postmaster")) {
		mailbox->local = address;
		mailbox->detail = (struct text){ NULL, 0 };
		search->domain =
		    text_of(settings->domain_count > 0 ? settings->domains[0]
						       : settings->host);
		return VERDICT_OK;
	}
	if (mail_address_parse_mailbox(address, true, '+', mailbox, NULL) == -1)
		return VERDICT_BAD_RECIPIENT;
	if (!mailbox->is_literal &&
	    domain_name_to_ascii(mailbox->domain, ascii) == 0)
		domain = settings_find_domain(settings, text_of(ascii));
	if (domain == NULL)
		return VERDICT_RELAYING;
	search->domain = text_of(domain);
	if (!text_equal_nocase(mailbox->domain, search->domain))
		tell(search, ROUTE_OTHER_DOMAIN,
		    join(mailbox->local, search->domain, name));
	return VERDICT_OK;
}

unsigned int
route_look(const struct settings *settings,
    const struct account_table *accounts, struct text address,
    struct route *route, const struct route_trace *trace)
{
	struct search search = { .settings = settings,
		.accounts = accounts,
		.trace = trace,
		.route = route };
	unsigned int verdict = begin(&search, address);

	if (verdict != VERDICT_OK)
		return verdict;
	find_all(&search, true);
	return is_empty(route) ? VERDICT_UNKNOWN_USER : VERDICT_OK;
}

unsigned int
route_find(const struct settings *settings,
    const struct account_table *accounts, struct text address,
    struct route *route)
{
	return route_look(settings, accounts, address, route, NULL);
}

bool
route_is_owner(const struct settings *settings,
    const struct account_table *accounts, struct text address, uint32_t account)
{
	const struct account *own = account_find_number(accounts, account);
	struct route route = { 0 };
	struct search search = {
		.settings = settings, .accounts = accounts, .route = &route
	};

	if (own != NULL && text_is_nocase(address, own->address))
		return true;
	if (begin(&search, address) != VERDICT_OK)
		return false;
	find_all(&search, false);
	for (size_t i = 0; i < route.count; i++)
		if (route.accounts[i]->number == account)
			return true;
	return false;
}

/*
 * Lookup of recipients in the account table.  Pure: nothing is kept.
 */
#include "smtpd/route.h"

#include "common/mail_address.h"
#include "common/smtp_verdict.h"

#include <stdio.h>
#include <string.h>

static bool
is_our_domain(const struct settings *settings, struct text domain)
{
	size_t i;

	for (i = 0; i < settings->domain_count; i++)
		if (text_is_nocase(domain, settings->domains[i]))
			return true;
	return false;
}

static void
add_account(struct route *route, const struct account *account)
{
	size_t i;

	for (i = 0; i < route->count; i++)
		if (route->accounts[i] == account)
			return;
	if (account != NULL && route->count < ROUTE_MAX_ACCOUNTS)
		route->accounts[route->count++] = account;
}

static void
add_aliases(
    struct route *route, const struct account_table *accounts, struct text name)
{
	const struct account_alias *alias;

	for (alias = account_find_alias(accounts, name); alias != NULL;
	     alias = account_next_alias(accounts, alias))
		add_account(route,
		    account_find_address(accounts, text_of(alias->target)));
}

static void
find_local(struct route *route, const struct account_table *accounts,
    struct text local, struct text domain)
{
	char name[MAIL_ADDRESS_MAX_LOCAL + MAIL_ADDRESS_MAX_DOMAIN + 2];
	struct text address;

	snprintf(
	    name, sizeof(name), "%.*s@%.*s", TEXT_FMT(local), TEXT_FMT(domain));
	address = text_of(name);
	add_account(route, account_find_address(accounts, address));
	if (route->count == 0)
		add_aliases(route, accounts, address);
	if (route->count == 0)
		add_aliases(route, accounts, local);
}

unsigned int
route_find(const struct settings *settings,
    const struct account_table *accounts, struct text address,
    struct route *route)
{
	struct mailbox_address mailbox;
	struct text local;

	memset(route, 0, sizeof(*route));
	if (text_is_nocase(address, "postmaster")) {
		mailbox.local = address;
		mailbox.detail = (struct text){ NULL, 0 };
		mailbox.domain =
		    text_of(settings->domain_count > 0 ? settings->domains[0]
						       : settings->host);
	} else if (mail_address_parse_mailbox(
		       address, true, '+', &mailbox, NULL) == -1) {
		return VERDICT_BAD_RECIPIENT;
	} else if (mailbox.is_literal ||
		   !is_our_domain(settings, mailbox.domain)) {
		return VERDICT_RELAYING;
	}
	local = mailbox.local;
	find_local(route, accounts, local, mailbox.domain);
	if (route->count == 0 && mailbox.detail.data != NULL) {
		local = mailbox.user;
		find_local(route, accounts, local, mailbox.domain);
	}
	if (route->count == 0 && account_table_count(accounts) > 0 &&
	    (text_is_nocase(local, "postmaster") ||
		text_is_nocase(local, "abuse")))
		add_account(route, account_table_at(accounts, 0));
	return route->count > 0 ? VERDICT_OK : VERDICT_UNKNOWN_USER;
}

bool
route_is_owner(const struct settings *settings,
    const struct account_table *accounts, struct text address, uint32_t account)
{
	struct route route;
	size_t i;

	if (route_find(settings, accounts, address, &route) != VERDICT_OK)
		return false;
	for (i = 0; i < route.count; i++)
		if (route.accounts[i]->number == account)
			return true;
	return false;
}

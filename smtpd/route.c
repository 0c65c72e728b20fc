/*
 * Lookup of recipients in the account table.  Pure: nothing is kept.
 */
#include "smtpd/route.h"

#include "common/mail_address.h"
#include "common/smtp_verdict.h"

#include <stdio.h>
#include <string.h>

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
add_aliases(const struct settings *settings,
    const struct account_table *accounts, struct text name, struct route *route)
{
	const struct account_alias *alias;

	for (alias = account_find_alias(accounts, name); alias != NULL;
	     alias = account_next_alias(accounts, alias))
		if (!is_elsewhere(settings, alias->target))
			add_account(route, account_find_address(accounts,
					       text_of(alias->target)));
		else if (route->remote_count < ROUTE_MAX_TARGETS)
			route->remotes[route->remote_count++] = alias->target;
}

static void
find_local(const struct settings *settings,
    const struct account_table *accounts, struct text local, struct text domain,
    struct route *route)
{
	char name[MAIL_ADDRESS_MAX_LOCAL + MAIL_ADDRESS_MAX_DOMAIN + 2];
	struct text address;

	snprintf(
	    name, sizeof(name), "%.*s@%.*s", TEXT_FMT(local), TEXT_FMT(domain));
	address = text_of(name);
	add_aliases(settings, accounts, address, route);
	if (is_empty(route))
		add_account(route, account_find_address(accounts, address));
	if (is_empty(route))
		add_aliases(settings, accounts, local, route);
}

static bool
is_for_everybody(struct text local)
{
	return text_is_nocase(local, "postmaster") ||
	       text_is_nocase(local, "abuse");
}

/* By an alias, an account or a tag; what is left is the catch-all's. */
static void
find_all(const struct settings *settings, const struct account_table *accounts,
    const struct mailbox_address *mailbox, bool with_catch_all,
    struct route *route)
{
	char catch_all[MAIL_ADDRESS_MAX_DOMAIN + 2];
	struct text local = mailbox->local;

	find_local(settings, accounts, local, mailbox->domain, route);
	if (is_empty(route) && mailbox->detail.data != NULL) {
		local = mailbox->user;
		find_local(settings, accounts, local, mailbox->domain, route);
	}
	if (!is_empty(route))
		return;
	if (is_for_everybody(local) && account_table_count(accounts) > 0) {
		add_account(route, account_table_at(accounts, 0));
	} else if (with_catch_all) {
		snprintf(catch_all, sizeof(catch_all), "@%.*s",
		    TEXT_FMT(mailbox->domain));
		add_aliases(settings, accounts, text_of(catch_all), route);
	}
}

/* VERDICT_OK if it is an address in one of our domains. */
static unsigned int
parse(const struct settings *settings, struct text address,
    struct mailbox_address *mailbox)
{
	if (text_is_nocase(address, "postmaster")) {
		mailbox->local = address;
		mailbox->detail = (struct text){ NULL, 0 };
		mailbox->domain =
		    text_of(settings->domain_count > 0 ? settings->domains[0]
						       : settings->host);
		return VERDICT_OK;
	}
	if (mail_address_parse_mailbox(address, true, '+', mailbox, NULL) == -1)
		return VERDICT_BAD_RECIPIENT;
	if (mailbox->is_literal ||
	    !settings_is_domain(settings, mailbox->domain))
		return VERDICT_RELAYING;
	return VERDICT_OK;
}

unsigned int
route_find(const struct settings *settings,
    const struct account_table *accounts, struct text address,
    struct route *route)
{
	struct mailbox_address mailbox;
	unsigned int verdict;

	route->count = route->remote_count = 0;
	verdict = parse(settings, address, &mailbox);
	if (verdict != VERDICT_OK)
		return verdict;
	find_all(settings, accounts, &mailbox, true, route);
	return is_empty(route) ? VERDICT_UNKNOWN_USER : VERDICT_OK;
}

bool
route_is_owner(const struct settings *settings,
    const struct account_table *accounts, struct text address, uint32_t account)
{
	const struct account *own = account_find_number(accounts, account);
	struct mailbox_address mailbox;
	struct route route = { 0 };

	if (own != NULL && text_is_nocase(address, own->address))
		return true;
	if (parse(settings, address, &mailbox) != VERDICT_OK)
		return false;
	find_all(settings, accounts, &mailbox, false, &route);
	for (size_t i = 0; i < route.count; i++)
		if (route.accounts[i]->number == account)
			return true;
	return false;
}

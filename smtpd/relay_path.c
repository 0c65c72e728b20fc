/* See relay_path.h. */
#include "smtpd/relay_path.h"

#include "common/memory.h"
#include "smtpd/sts_policy.h"

#include <stdio.h>
#include <string.h>

enum {
	MAX_BASES = 2 /* names that TLSA records may stand under */
};

enum path_state {
	PATH_RESTS, /* relay_path_next was not called */
	PATH_HOSTS,
	PATH_POLICY,
	PATH_ADDRESSES,
	PATH_ALIAS,
	PATH_TLSA,
	PATH_ENDED
};

/* Answers for both families of addresses. */
struct address_answers {
	struct relay_addresses v4;
	struct relay_addresses v6;
	bool is_secure;
	bool has_failed;
	char canonical[256];
};

struct relay_path {
	struct relay_path_setup setup;
	const struct relay_path_handler *handler;
	void *context;
	enum path_state state;
	struct timer *timer; /* a step's deadline, and what is due at once */
	bool has_hosts;
	bool is_list_secure; /* of hosts */
	struct relay_hosts hosts;
	size_t next; /* host whose turn comes */
	uint64_t questions[2];
	uint64_t policy_question;
	char *policy; /* the domain's, as it came; NULL: none */
	size_t policy_size;
	struct address_answers answers;
	char bases[MAX_BASES][256];
	size_t base_count;
	size_t base;
	enum relay_tlsa tlsa;
	uint8_t tlsa_data[RELAY_MAX_TLSA][1024];
	struct relay_target target;
	/* Why, if no host takes it. */
	struct relay_verdict verdict;
	char why[300];
};

static void next_host(struct relay_path *path);

static void
forget_questions(struct relay_path *path)
{
	for (size_t i = 0; i < 2; i++)
		if (path->questions[i] != 0)
			relay_names_forget(
			    path->setup.names, &path->questions[i]);
	if (path->policy_question != 0)
		relay_policies_forget(
		    path->setup.policies, &path->policy_question);
}

static void
enter_state(struct relay_path *path, enum path_state state)
{
	forget_questions(path);
	path->state = state;
	timer_start(path->timer, path->setup.deadline_ms);
}

/* What was said last is what is told, but "later" before "never". */
static void
note(struct relay_path *path, enum relay_outcome outcome, const char *enhanced,
    const char *host, const char *text)
{
	if (outcome == RELAY_FAILED && path->verdict.text != NULL &&
	    path->verdict.outcome == RELAY_DEFERRED)
		return;
	path->verdict.outcome = outcome;
	path->verdict.enhanced = enhanced;
	path->verdict.text = path->why;
	(void)snprintf(
	    path->why, sizeof(path->why), "%.200s: %.90s", host, text);
}

static void
end(struct relay_path *path)
{
	enter_state(path, PATH_ENDED);
	timer_stop(path->timer);
	if (path->verdict.text == NULL)
		note(path, RELAY_FAILED, "5.4.4", "no host",
		    "none takes mail for it");
	path->handler->ended(&path->verdict, path->context);
}

static void
end_with(struct relay_path *path, enum relay_outcome outcome,
    const char *enhanced, const char *text)
{
	char domain[256];

	relay_reply_clean(path->setup.domain, domain, sizeof(domain));
	note(path, outcome, enhanced, domain, text);
	end(path);
}

static bool
takes_dane(const struct relay_path *path)
{
	enum relay_tls wanted = path->setup.route->tls;

	return path->setup.route->protocol == RELAY_SMTP &&
	       (wanted == RELAY_TLS_DEFAULT || wanted == RELAY_TLS_DANE);
}

static bool
takes_policy(const struct relay_path *path)
{
	return path->setup.policies != NULL && path->target.is_mx &&
	       path->setup.route->protocol == RELAY_SMTP &&
	       path->setup.route->tls == RELAY_TLS_DEFAULT;
}

/* -- What reports hear of -- */

static void
tell_unsafe(struct relay_path *path, enum tls_policy policy, const char *domain,
    enum tls_result result)
{
	path->target.policy_type = policy;
	path->target.policy_domain = domain;
	path->target.policy = text_make(path->policy, path->policy_size);
	path->handler->unsafe(&path->target, result, path->context);
}

static enum tls_result
why_refused(const struct relay_path *path)
{
	if (path->tlsa == RELAY_TLSA_FAILED)
		return TLS_RESULT_DNSSEC;
	return path->target.policy_type == TLS_POLICY_TLSA
		   ? TLS_RESULT_DANE_REQUIRED
		   : TLS_RESULT_OTHER;
}

/* -- A target stands -- */

static enum relay_policy
policy_of_host(struct relay_path *path)
{
	struct sts_policy policy;

	path->target.is_unlisted = false;
	if (path->policy == NULL ||
	    sts_policy_parse(text_make(path->policy, path->policy_size),
		&policy, NULL) == -1 ||
	    policy.mode == STS_NONE)
		return RELAY_POLICY_NONE;
	path->target.is_unlisted =
	    !sts_policy_matches(&policy, text_of(path->target.name));
	if (policy.mode == STS_TESTING)
		return RELAY_POLICY_TESTING;
	return path->target.is_unlisted ? RELAY_POLICY_UNLISTED
					: RELAY_POLICY_ENFORCED;
}

static void
set_tls_names(struct relay_path *path)
{
	struct relay_target *target = &path->target;
	bool is_dane = target->security.proof == TLS_PROOF_DANE;

	(void)snprintf(target->tls_name, sizeof(target->tls_name), "%s",
	    is_dane ? path->bases[path->base] : target->name);
	target->tls_other_name[0] = '\0';
	/* RFC 7672 section 3.2.2: the next-hop domain is good as well. */
	if (is_dane && target->is_mx)
		(void)text_copy(path->setup.domain, target->tls_other_name,
		    sizeof(target->tls_other_name));
}

static void
set_policy(struct relay_path *path, const struct relay_facts *facts)
{
	struct relay_target *target = &path->target;

	target->policy_type = relay_security_policy(facts);
	target->policy = text_make(path->policy, path->policy_size);
	target->policy_domain = NULL;
	if (target->policy_type == TLS_POLICY_TLSA)
		target->policy_domain = path->base_count > 0
					    ? path->bases[path->base]
					    : target->name;
}

static void
give_target(struct relay_path *path)
{
	const struct relay_route *route = path->setup.route;
	const struct relay_facts facts = {
		.wanted = route->tls,
		.policy = policy_of_host(path),
		.tlsa = path->tlsa,
		.is_implicit_tls = route->is_implicit_tls,
		.has_login = route->user.size > 0,
	};

	relay_security_decide(&facts, &path->target.security);
	set_policy(path, &facts);
	if (path->target.security.level == RELAY_LEVEL_REFUSED) {
		path->handler->unsafe(
		    &path->target, why_refused(path), path->context);
		note(path, RELAY_DEFERRED, "4.7.5", path->target.name,
		    path->target.security.why);
		next_host(path);
		return;
	}
	set_tls_names(path);
	enter_state(path, PATH_RESTS);
	timer_stop(path->timer);
	path->handler->target(&path->target, path->context);
}

/* -- TLSA -- */

static void ask_tlsa(struct relay_path *path);

/* The answer's bytes are gone when it was told. */
static void
keep_records(struct relay_path *path)
{
	struct relay_target *target = &path->target;
	size_t kept = 0;

	for (size_t i = 0; i < target->tlsa_count; i++) {
		struct tls_tlsa *record = &target->tlsa[i];

		if (record->data.size > sizeof(path->tlsa_data[0]))
			continue;
		memcpy(path->tlsa_data[kept], record->data.data,
		    record->data.size);
		record->data =
		    text_make(path->tlsa_data[kept], record->data.size);
		target->tlsa[kept++] = *record;
	}
	target->tlsa_count = kept;
	if (kept == 0 && path->tlsa == RELAY_TLSA_USABLE)
		path->tlsa = RELAY_TLSA_UNUSABLE;
}

static void
tlsa_found(const struct message_relay_found *found, void *context)
{
	struct relay_path *path = context;

	path->questions[0] = 0;
	path->tlsa = relay_security_records(
	    found, path->target.tlsa, &path->target.tlsa_count);
	keep_records(path);
	if (path->tlsa == RELAY_TLSA_NONE &&
	    path->base + 1 < path->base_count) {
		path->base++;
		ask_tlsa(path);
		return;
	}
	give_target(path);
}

static void
ask_tlsa(struct relay_path *path)
{
	char name[300];

	(void)snprintf(name, sizeof(name), "_%u._tcp.%s", path->target.port,
	    path->bases[path->base]);
	enter_state(path, PATH_TLSA);
	path->questions[0] = relay_names_ask(
	    path->setup.names, DNS_TLSA, text_of(name), tlsa_found, path);
}

static void
add_base(struct relay_path *path, const char *name)
{
	(void)snprintf(path->bases[path->base_count++], sizeof(path->bases[0]),
	    "%s", name);
}

/* The name is an alias into a zone that is not signed: the alias itself may
 * be (RFC 7672 section 2.2.2). */
static void
alias_found(const struct message_relay_found *found, void *context)
{
	struct relay_path *path = context;

	path->questions[0] = 0;
	if (found->result == DNS_FAILED || found->security == DNS_BOGUS) {
		path->tlsa = RELAY_TLSA_FAILED;
	} else if (found->security == DNS_SECURE) {
		add_base(path, path->target.name);
		ask_tlsa(path);
		return;
	}
	give_target(path);
}

static void
look_for_dane(struct relay_path *path)
{
	const struct address_answers *answers = &path->answers;
	const char *name = path->target.name;
	bool is_alias = answers->canonical[0] != '\0' &&
			strcmp(answers->canonical, name) != 0;

	path->base_count = path->base = 0;
	path->tlsa = RELAY_TLSA_NONE;
	path->target.tlsa_count = 0;
	if (!takes_dane(path) || !path->is_list_secure) {
		give_target(path);
	} else if (answers->is_secure) {
		if (is_alias)
			add_base(path, answers->canonical);
		add_base(path, name);
		ask_tlsa(path);
	} else if (is_alias) {
		enter_state(path, PATH_ALIAS);
		path->questions[0] = relay_names_ask(path->setup.names,
		    DNS_CNAME, text_of(name), alias_found, path);
	} else {
		give_target(path);
	}
}

/* -- Addresses -- */

static void
addresses_known(struct relay_path *path)
{
	struct address_answers *answers = &path->answers;

	relay_addresses_join(
	    &path->target.addresses, &answers->v6, &answers->v4);
	if (path->target.addresses.count > 0) {
		look_for_dane(path);
		return;
	}
	if (answers->has_failed)
		note(path, RELAY_DEFERRED, "4.4.3", path->target.name,
		    "its address cannot be learned now");
	else
		note(path, RELAY_FAILED, "5.4.4", path->target.name,
		    "it has no address");
	next_host(path);
}

static void
address_found(struct relay_path *path, int place, enum dns_type type,
    const struct message_relay_found *found)
{
	struct address_answers *answers = &path->answers;

	path->questions[place] = 0;
	if (found->result == DNS_FAILED || found->security == DNS_BOGUS)
		answers->has_failed = true;
	else
		answers->is_secure &= found->security == DNS_SECURE;
	relay_addresses_add(
	    type == DNS_A ? &answers->v4 : &answers->v6, type, found);
	if (found->result == DNS_FOUND && relay_hosts_is_name(found->canonical))
		(void)text_copy(found->canonical, answers->canonical,
		    sizeof(answers->canonical));
	if (path->questions[!place] == 0)
		addresses_known(path);
}

static void
v4_found(const struct message_relay_found *found, void *context)
{
	address_found(context, 0, DNS_A, found);
}

static void
v6_found(const struct message_relay_found *found, void *context)
{
	address_found(context, 1, DNS_AAAA, found);
}

static void
next_host(struct relay_path *path)
{
	struct text name;

	if (path->next >= path->hosts.count) {
		end(path);
		return;
	}
	memcpy(path->target.name, path->hosts.hosts[path->next].name,
	    sizeof(path->target.name));
	path->target.preference = path->hosts.hosts[path->next++].preference;
	name = text_of(path->target.name);
	memset(&path->answers, 0, sizeof(path->answers));
	path->tlsa = RELAY_TLSA_NONE;
	path->target.tlsa_count = 0;
	path->base_count = path->base = 0;
	if (relay_address_parse(name, &path->target.addresses.all[0])) {
		path->target.addresses.count = 1;
		give_target(path);
		return;
	}
	path->answers.is_secure = true;
	enter_state(path, PATH_ADDRESSES);
	path->questions[0] =
	    relay_names_ask(path->setup.names, DNS_A, name, v4_found, path);
	path->questions[1] =
	    relay_names_ask(path->setup.names, DNS_AAAA, name, v6_found, path);
}

/* -- The hosts, and the policy of the domain -- */

static void
policy_found(struct text policy, enum tls_result result, void *context)
{
	struct relay_path *path = context;

	path->policy_question = 0;
	if (policy.size > 0)
		path->policy = memory_copy(policy.data, policy.size);
	path->policy_size = policy.size;
	if (result != TLS_RESULT_SUCCESS)
		tell_unsafe(path, TLS_POLICY_STS, NULL, result);
	next_host(path);
}

static void
hosts_known(struct relay_path *path)
{
	path->has_hosts = true;
	if (!takes_policy(path)) {
		next_host(path);
		return;
	}
	enter_state(path, PATH_POLICY);
	path->policy_question = relay_policies_ask(
	    path->setup.policies, path->setup.domain, policy_found, path);
}

static void
mx_found(const struct message_relay_found *found, void *context)
{
	struct relay_path *path = context;

	path->questions[0] = 0;
	path->target.is_mx = true;
	path->is_list_secure = found->security == DNS_SECURE;
	switch (relay_hosts_from_mx(&path->hosts, path->setup.domain, found,
	    path->setup.own, path->setup.own_count, path->setup.seed)) {
	case RELAY_HOSTS_FOUND:
		hosts_known(path);
		break;
	case RELAY_HOSTS_NO_DOMAIN:
		end_with(path, RELAY_FAILED, "5.1.2", "no such domain");
		break;
	case RELAY_HOSTS_NULL_MX:
		end_with(path, RELAY_FAILED, "5.1.10",
		    "the domain takes no mail (null MX)");
		break;
	case RELAY_HOSTS_LOOP:
		end_with(path, RELAY_FAILED, "5.4.6",
		    "mail for it loops back to this host");
		break;
	case RELAY_HOSTS_BOGUS:
		tell_unsafe(path, TLS_POLICY_TLSA, NULL, TLS_RESULT_DNSSEC);
		end_with(path, RELAY_DEFERRED, "4.4.3",
		    "DNSSEC: its MX records are not what was signed");
		break;
	default:
		end_with(path, RELAY_DEFERRED, "4.4.3",
		    "its MX records cannot be learned now");
		break;
	}
}

static void
find_hosts(struct relay_path *path)
{
	const struct relay_route *route = path->setup.route;

	if (route->host.size > 0) {
		path->is_list_secure = true; /* the administrator's word */
		path->hosts.count = 1;
		if (text_copy(route->host, path->hosts.hosts[0].name,
			sizeof(path->hosts.hosts[0].name)) == -1)
			path->hosts.count = 0;
		hosts_known(path);
	} else if (path->setup.domain.size > 0 &&
		   path->setup.domain.data[0] == '[') {
		if (relay_hosts_from_literal(&path->hosts, path->setup.domain))
			hosts_known(path);
		else
			end_with(path, RELAY_FAILED, "5.1.2",
			    "a malformed address literal");
	} else if (!relay_hosts_is_name(path->setup.domain)) {
		end_with(
		    path, RELAY_FAILED, "5.1.2", "not the name of a domain");
	} else {
		enter_state(path, PATH_HOSTS);
		path->questions[0] = relay_names_ask(path->setup.names, DNS_MX,
		    path->setup.domain, mx_found, path);
	}
}

/* Begins at once, or is a step's deadline. */
static void
on_timer(void *context)
{
	struct relay_path *path = context;

	switch (path->state) {
	case PATH_RESTS:
		if (path->has_hosts)
			next_host(path);
		else
			find_hosts(path);
		break;
	case PATH_POLICY: /* one that does not come, but for that of before */
		relay_policies_hurry(
		    path->setup.policies, path->policy_question);
		break;
	case PATH_ENDED:
		end(path);
		break;
	default:
		end_with(path, RELAY_DEFERRED, "4.4.3",
		    "the resolver does not answer");
		break;
	}
}

struct relay_path *
relay_path_new(const struct relay_path_setup *setup,
    const struct relay_path_handler *handler, void *context)
{
	struct relay_path *path = memory_new(1, sizeof(*path));

	path->setup = *setup;
	path->handler = handler;
	path->context = context;
	path->target.port = setup->route->port != 0 ? setup->route->port : 25;
	path->timer = timer_new(setup->loop, on_timer, path);
	return path;
}

void
relay_path_free(struct relay_path **path)
{
	if (*path == NULL)
		return;
	forget_questions(*path);
	timer_free(&(*path)->timer);
	memory_free(&(*path)->policy);
	memory_free(path);
}

void
relay_path_next(struct relay_path *path)
{
	timer_start(path->timer, 0);
}

void
relay_path_cut(struct relay_path *path)
{
	relay_hosts_cut(&path->hosts, path->next, path->target.preference);
	note(path, RELAY_FAILED, "5.4.6", path->target.name,
	    "mail for it loops back to this host");
}

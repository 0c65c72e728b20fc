/*
 * `firnmail check --explain`: the settings in force as lines of firnmail.conf,
 * each with where it comes from.
 */
#include "common/buf.h"
#include "common/settings_grammar.h"
#include "common/span.h"

#include <string.h>

static void
explain_from(struct buf *to, const char *name, unsigned int line)
{
	if (line == 0)
		(void)buf_put_text(to, "  # default\n");
	else
		(void)buf_put_format(to, "  # %s:%u\n", name, line);
}

/* In quotes where it must be. */
static void
put_path(struct buf *to, const char *what, const char *path)
{
	const char *quote = strpbrk(path, " \t\r#") != NULL ? "\"" : "";

	(void)buf_put_format(to, "%s %s%s%s", what, quote, path, quote);
}

static void
put_span(struct buf *to, uint64_t seconds)
{
	char text[SPAN_SIZE];

	span_format(seconds, text);
	(void)buf_put_text(to, text);
}

static void
put_networks(
    struct buf *to, const char *what, const struct network_list *networks)
{
	char text[NETWORK_TEXT_SIZE];

	if (networks->count > 0)
		(void)buf_put_text(to, what);
	for (size_t i = 0; i < networks->count; i++) {
		network_format(&networks->list[i], text);
		(void)buf_put_format(to, "%s%s", i > 0 ? "," : " ", text);
	}
}

static void
put_rate(struct buf *to, const char *what, const struct rate_setting *rate)
{
	const char *unit = rate->address.window_s == 60     ? "minute"
			   : rate->address.window_s == 3600 ? "hour"
							    : "day";

	(void)buf_put_format(to, "limit %s %u/%s per-network %u", what,
	    rate->address.most, unit, rate->network.most);
}

static void
explain_budgets(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	char text[NETWORK_TEXT_SIZE];

	for (size_t i = 0; i < settings->trusted.count; i++) {
		network_format(&settings->trusted.list[i], text);
		(void)buf_put_format(to, "trusted %s", text);
		explain_from(to, name, origin->directive[DIRECTIVE_TRUSTED]);
	}
	(void)buf_put_format(to,
	    "max-connections %u per-address %u per-network %u",
	    settings->max_connections, settings->max_connections_per_address,
	    settings->max_connections_per_network);
	explain_from(to, name, origin->directive[DIRECTIVE_CONNECTIONS]);
	put_rate(to, "connections", &settings->connections_rate);
	explain_from(to, name, origin->directive[DIRECTIVE_LIMIT]);
	put_rate(to, "errors", &settings->errors_rate);
	explain_from(to, name, origin->directive[DIRECTIVE_LIMIT]);
}

static void
explain_lists(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	static const char *const tls[] = { "", " tls", " starttls-required",
		" tls-required" };

	for (size_t i = 0; i < settings->domain_count; i++) {
		(void)buf_put_format(to, "domain %s", settings->domains[i]);
		if (settings->domain_is[i] != 0)
			(void)buf_put_format(to, " is %s",
			    settings->domains[settings->domain_is[i] - 1]);
		explain_from(to, name, origin->domain[i]);
	}
	for (size_t i = 0; i < settings->listener_count; i++) {
		const struct listen_setting *l = &settings->listeners[i];

		(void)buf_put_format(
		    to, "listen %s", settings_services[l->service]);
		if (l->path[0] != '\0')
			put_path(to, " unix", l->path);
		else
			(void)buf_put_format(
			    to, " on %s port %u", l->address, l->port);
		(void)buf_put_format(to, "%s%s", tls[l->tls],
		    l->is_plain_login ? " plain-login" : "");
		if (l->pause_s > 0) {
			(void)buf_put_text(to, " pause ");
			put_span(to, l->pause_s);
		}
		if (l->path[0] == '\0')
			put_networks(to, " from", &l->clients);
		put_networks(to, " proxy from", &l->proxies);
		put_networks(to, " xclient from", &l->xclients);
		explain_from(to, name, origin->listener[i]);
	}
	for (size_t i = 0; i < settings->key_count; i++) {
		put_path(
		    to, "tls certificate", settings->keys[i].certificate_path);
		put_path(to, " key", settings->keys[i].key_path);
		explain_from(to, name, origin->key[i]);
	}
}

/* What a file says that a line names is not told again. */
static void
explain_resolver(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	unsigned int line = origin->directive[DIRECTIVE_RESOLVER];

	if (settings->is_system_resolver) {
		(void)buf_put_text(to, "resolver system");
		explain_from(to, name, line);
	}
	for (size_t i = 0; i < settings->forwarder_count; i++) {
		if (origin->forwarder[i] == 0)
			continue;
		(void)buf_put_format(to, "resolver forward %s@%u",
		    settings->forwarders[i].address,
		    settings->forwarders[i].port);
		explain_from(to, name, origin->forwarder[i]);
	}
	for (size_t i = 0; i < settings->anchor_count; i++) {
		if (origin->anchor[i] == 0)
			continue;
		(void)buf_put_format(
		    to, "resolver trust-anchor \"%s\"", settings->anchors[i]);
		explain_from(to, name, origin->anchor[i]);
	}
	if (settings->anchor_path[0] != '\0') {
		put_path(
		    to, "resolver trust-anchor-file", settings->anchor_path);
		explain_from(to, name, line);
	}
	for (size_t i = 0; i < settings->insecure_count; i++) {
		(void)buf_put_format(
		    to, "resolver insecure %s", settings->insecure_zones[i]);
		explain_from(to, name, origin->insecure[i]);
	}
	put_path(to, "ca-certificates file", settings->ca_path);
	explain_from(to, name, origin->directive[DIRECTIVE_CA]);
}

static void
put_host(struct buf *to, const struct transport_setting *transport)
{
	if (transport->host[0] != '\0')
		(void)buf_put_format(to, " via %s", transport->host);
	if (transport->port != 0)
		(void)buf_put_format(to, " port %u", transport->port);
	if (transport->is_lmtp)
		(void)buf_put_text(to, " lmtp");
	(void)buf_put_format(
	    to, " tls %s", settings_relay_level(transport->tls));
}

static void
explain_relay(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_text(to, "relay");
	put_host(to, &settings->relay);
	if (settings->relay_auth_path[0] != '\0')
		put_path(to, " auth", settings->relay_auth_path);
	if (settings->relay_source[0] != '\0')
		(void)buf_put_format(to, " from %s", settings->relay_source);
	(void)buf_put_format(to, " hello %s",
	    settings->relay_hello[0] != '\0' ? settings->relay_hello
					     : settings->host);
	explain_from(to, name, origin->directive[DIRECTIVE_RELAY]);
	for (size_t i = 0; i < settings->transport_count; i++) {
		(void)buf_put_format(
		    to, "transport %s", settings->transports[i].domain);
		put_host(to, &settings->transports[i]);
		explain_from(to, name, origin->transport[i]);
	}
}

static void
explain_senders(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_text(to, "srs");
	if (settings->srs_secret_count == 0) {
		(void)buf_put_text(to, " off");
	} else {
		(void)buf_put_format(to, " domain %s", settings->srs_domain);
		put_path(to, " secret", settings->srs_path);
		(void)buf_put_text(to, " valid ");
		put_span(to, settings->srs_valid_s);
	}
	explain_from(to, name, origin->directive[DIRECTIVE_SRS]);
	if (settings->trusted_user_count == 0)
		return;
	(void)buf_put_text(to, "trusted users");
	for (size_t i = 0; i < settings->trusted_user_count; i++)
		(void)buf_put_format(to, " %s", settings->trusted_users[i]);
	explain_from(to, name, origin->directive[DIRECTIVE_TRUSTED]);
}

static void
explain_tls_reports(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_format(to,
	    "tls-reports %s contact %s organization \"%s\"",
	    settings->sends_tls_reports ? "on" : "off",
	    settings->tls_report_contact, settings->tls_report_organization);
	explain_from(to, name, origin->directive[DIRECTIVE_TLS_REPORTS]);
}

static void
explain_quotas(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	for (size_t i = 0; i < settings->quota_count; i++) {
		const struct quota_setting *quota = &settings->quotas[i];

		(void)buf_put_text(to, "limit");
		if (quota->bytes > 0)
			(void)buf_put_format(to, " quota %llu",
			    (unsigned long long)quota->bytes);
		if (quota->messages > 0)
			(void)buf_put_format(to, " messages %llu",
			    (unsigned long long)quota->messages);
		if (quota->class[0] != '\0')
			(void)buf_put_format(to, " class %s", quota->class);
		explain_from(to, name, origin->directive[DIRECTIVE_LIMIT]);
	}
}

static void
explain_snapshots(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_text(to, "snapshot every ");
	put_span(to, settings->snapshot_every_s);
	(void)buf_put_format(to, " segment %lluM seal ",
	    (unsigned long long)(settings->segment_bytes >> 20));
	put_span(to, settings->seal_after_s);
	put_path(to, " dir", settings->snap_path);
	explain_from(to, name, origin->directive[DIRECTIVE_SNAPSHOT]);
}

static void
explain_queue(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_text(to, "queue");
	put_path(to, " dir", settings->queue_path);
	(void)buf_put_text(to, " retry ");
	put_span(to, settings->queue_retry_s);
	(void)buf_put_text(to, " retry-most ");
	put_span(to, settings->queue_retry_most_s);
	(void)buf_put_text(to, " expire ");
	put_span(to, settings->queue_expire_s);
	(void)buf_put_text(to, " delay-notice ");
	put_span(to, settings->queue_notice_s);
	explain_from(to, name, origin->directive[DIRECTIVE_QUEUE]);
}

static void
explain_keep(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_text(to, "keep ");
	for (size_t i = 0; i < settings->keep_count; i++) {
		put_span(to, settings->keep[i].every_s);
		(void)buf_put_text(to, " for ");
		put_span(to, settings->keep[i].span_s);
		(void)buf_put_text(
		    to, i + 1 < settings->keep_count ? ", " : " ");
	}
	(void)buf_put_text(to, "minimum ");
	put_span(to, settings->keep_minimum_s);
	explain_from(to, name, origin->directive[DIRECTIVE_KEEP]);
}

static void
explain_drill(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_text(to, "drill ");
	if (settings->drill_every_s > 0) {
		(void)buf_put_text(to, "every ");
		put_span(to, settings->drill_every_s);
		(void)buf_put_text(to, " ");
	}
	if (settings->drill_sample > 0)
		(void)buf_put_format(to, "sample %u", settings->drill_sample);
	else
		(void)buf_put_text(to, "all");
	put_path(to, " dir", settings->drill_path);
	explain_from(to, name, origin->directive[DIRECTIVE_DRILL]);
}

static void
explain_workers(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_format(to, "max-workers %u", settings->max_workers);
	explain_from(to, name, origin->directive[DIRECTIVE_WORKERS]);
	if (settings->hibernate_after_s == 0) {
		(void)buf_put_text(to, "hibernate off");
	} else {
		(void)buf_put_text(to, "hibernate after ");
		put_span(to, settings->hibernate_after_s);
	}
	explain_from(to, name, origin->directive[DIRECTIVE_HIBERNATE]);
}

static unsigned int
count_bits(uint32_t mask)
{
	unsigned int bits = 0;

	while (bits < 32 && (mask & (1U << bits)) == 0)
		bits++;
	return bits;
}

static void
explain_store(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	put_path(to, "store maildir", settings->mail_path);
	(void)buf_put_format(to, " external-deletes %s",
	    settings->takes_external_deletes ? "accept" : "heal");
	explain_from(to, name, origin->directive[DIRECTIVE_STORE]);
	(void)buf_put_text(to, "reconcile every ");
	put_span(to, settings->reconcile_every_s);
	explain_from(to, name, origin->directive[DIRECTIVE_RECONCILE]);
}

static void
explain_send_limits(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	for (size_t i = 0; i < settings->send_limit_count; i++) {
		const struct send_limit_setting *limit =
		    &settings->send_limits[i];

		(void)buf_put_format(to, "limit send %u/day%s%s",
		    limit->per_day, limit->class[0] != '\0' ? " class " : "",
		    limit->class);
		explain_from(to, name, origin->directive[DIRECTIVE_LIMIT]);
	}
}

static void
explain_message_limits(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	(void)buf_put_format(to, "max-message-size %llu",
	    (unsigned long long)settings->max_message_bytes);
	explain_from(to, name, origin->directive[DIRECTIVE_MESSAGE_SIZE]);
	(void)buf_put_format(to, "max-recipients %u", settings->max_recipients);
	explain_from(to, name, origin->directive[DIRECTIVE_RECIPIENTS]);
}

void
settings_explain(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to)
{
	const unsigned int *line = origin->directive;

	(void)buf_put_format(to, "host %s", settings->host);
	explain_from(to, name, line[DIRECTIVE_HOST]);
	explain_lists(name, settings, origin, to);
	put_path(to, "users file", settings->users_path);
	explain_from(to, name, line[DIRECTIVE_USERS]);
	if (settings->aliases_path[0] != '\0') {
		put_path(to, "aliases file", settings->aliases_path);
		explain_from(to, name, line[DIRECTIVE_ALIASES]);
	}
	explain_store(name, settings, origin, to);
	explain_snapshots(name, settings, origin, to);
	explain_queue(name, settings, origin, to);
	explain_keep(name, settings, origin, to);
	explain_drill(name, settings, origin, to);
	explain_resolver(name, settings, origin, to);
	explain_relay(name, settings, origin, to);
	explain_senders(name, settings, origin, to);
	explain_tls_reports(name, settings, origin, to);
	(void)buf_put_text(to, "match from any for domain <domains> deliver");
	explain_from(to, name, line[DIRECTIVE_MATCH]);
	explain_send_limits(name, settings, origin, to);
	explain_quotas(name, settings, origin, to);
	if (settings->is_relaying) {
		(void)buf_put_text(to, "match from auth for any relay");
		explain_from(to, name, line[DIRECTIVE_MATCH]);
	}
	(void)buf_put_format(to,
	    "uid-range services 0x%x accounts 0x%x bits %u",
	    settings->uid_service_base, settings->uid_account_base,
	    count_bits(settings->uid_account_mask));
	explain_from(to, name, line[DIRECTIVE_UID_RANGE]);
	explain_message_limits(name, settings, origin, to);
	explain_budgets(name, settings, origin, to);
	explain_workers(name, settings, origin, to);
	(void)buf_put_format(to, "max-account-changes %u bytes %llu",
	    settings->max_account_changes,
	    (unsigned long long)settings->max_account_bytes);
	explain_from(to, name, line[DIRECTIVE_ACCOUNT_CHANGES]);
}

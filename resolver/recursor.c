/*
 * See recursor.h.  No file is read and no thread started: the anchors come as
 * text, the addresses of the root's servers are libunbound's own.  What it
 * keeps in memory has limits; queries beyond its table push out the slowest.
 */
#include "resolver/recursor.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdio.h>
#include <unbound.h>
#include <unbound-event.h>

struct recursor {
	struct ub_ctx *context;
	struct recursor_query *queries;
};

struct recursor_query {
	struct recursor *recursor;
	struct recursor_query *next;
	int id;
	bool is_asking; /* recursor_ask has not returned yet */
	bool is_done;
	recursor_callback callback;
	void *context;
};

/* IANA's keys of the root, of 2017 and of 2024 (root-anchors.xml). */
static const char *const root_anchors[] = {
	". IN DS 20326 8 2 "
	"E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
	". IN DS 38696 8 2 "
	"683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

/* Sizes for a mail host; a query needs several sockets while it runs. */
static const char *const options[][2] = {
	{ "msg-cache-size:", "16m" },
	{ "rrset-cache-size:", "32m" },
	{ "key-cache-size:", "4m" },
	{ "neg-cache-size:", "1m" },
	{ "cache-max-ttl:", "86400" },
	{ "cache-max-negative-ttl:", "3600" },
	{ "outgoing-range:", "2048" },
	{ "num-queries-per-thread:", "2048" },
	{ "outgoing-num-tcp:", "32" },
	{ "qname-minimisation:", "yes" },
	{ "harden-dnssec-stripped:", "yes" },
	{ "harden-algo-downgrade:", "no" },
	{ "aggressive-nsec:", "yes" },
};

static int
failed(struct error *error, const char *what, const char *value, int code)
{
	return error_set(error, ERROR_INPUT, "resolver: %s %s: %s", what, value,
	    ub_strerror(code));
}

static int
set_option(struct ub_ctx *context, const char *name, const char *value,
    struct error *error)
{
	int code = ub_ctx_set_option(context, name, value);

	return code == 0 ? 0 : failed(error, name, value, code);
}

static int
set_anchors(struct ub_ctx *context, const struct settings *settings,
    struct error *error)
{
	bool has_root = false;
	int code;

	for (size_t i = 0; i < settings->anchor_count; i++) {
		const char *anchor = settings->anchors[i];

		has_root |= anchor[0] == '.';
		code = ub_ctx_add_ta(context, anchor);
		if (code != 0)
			return failed(error, "trust anchor", anchor, code);
	}
	for (size_t i = 0; !has_root && i < 2; i++) {
		code = ub_ctx_add_ta(context, root_anchors[i]);
		if (code != 0)
			return failed(
			    error, "trust anchor", root_anchors[i], code);
	}
	return 0;
}

/* Names of one's own network are for whoever is asked there to answer. */
static int
set_forwarders(struct ub_ctx *context, const struct settings *settings,
    struct error *error)
{
	char address[80];
	int code;

	if (settings->forwarder_count == 0)
		return 0;
	if (set_option(context, "do-not-query-localhost:", "no", error) == -1 ||
	    set_option(context, "unblock-lan-zones:", "yes", error) == -1)
		return -1;
	for (size_t i = 0; i < settings->forwarder_count; i++) {
		snprintf(address, sizeof(address), "%s@%u",
		    settings->forwarders[i].address,
		    settings->forwarders[i].port);
		code = ub_ctx_set_fwd(context, address);
		if (code != 0)
			return failed(error, "forward", address, code);
	}
	return 0;
}

static int
configure(struct ub_ctx *context, const struct settings *settings,
    struct error *error)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (set_option(context, options[i][0], options[i][1], error) ==
		    -1)
			return -1;
	for (size_t i = 0; i < settings->insecure_count; i++)
		if (set_option(context, "domain-insecure:",
			settings->insecure_zones[i], error) == -1)
			return -1;
	if (set_anchors(context, settings, error) == -1)
		return -1;
	return set_forwarders(context, settings, error);
}

static void
ignore(void *context, int rcode, void *packet, int size, int security,
    char *why, int was_ratelimited)
{
}

/* Settings are looked at with the first question: one to which there is an
 * answer here. */
static int
try_settings(struct ub_ctx *context, struct error *error)
{
	int code = ub_resolve_event(
	    context, "localhost.", DNS_A, 1, NULL, ignore, NULL);

	return code == 0 ? 0 : failed(error, "trust anchor", "or zone", code);
}

struct recursor *
recursor_new(struct event_loop *loop, const struct settings *settings,
    struct error *error)
{
	struct recursor *recursor = memory_new(1, sizeof(*recursor));

	recursor->context = ub_ctx_create_event(event_loop_base(loop));
	if (recursor->context == NULL)
		fatal("what=\"libunbound does not start\"");
	/* It would write to stderr, which nobody reads. */
	ub_ctx_debugout(recursor->context, NULL);
	if (configure(recursor->context, settings, error) == -1 ||
	    try_settings(recursor->context, error) == -1)
		recursor_free(&recursor);
	return recursor;
}

static void
unlink_query(struct recursor_query *query)
{
	struct recursor_query **place = &query->recursor->queries;

	while (*place != query)
		place = &(*place)->next;
	*place = query->next;
}

void
recursor_free(struct recursor **recursor)
{
	struct recursor_query *query;

	if (*recursor == NULL)
		return;
	while ((query = (*recursor)->queries) != NULL)
		recursor_cancel(&query);
	ub_ctx_delete((*recursor)->context);
	memory_free(recursor);
}

/* libunbound's callback: `security` is 0 insecure, 1 bogus, 2 secure. */
static void
answered(void *context, int rcode, void *packet, int size, int security,
    char *why, int was_ratelimited)
{
	struct recursor_query *query = context;
	struct recursor_reply reply = { .security = DNS_INSECURE };

	if (security == 2)
		reply.security = DNS_SECURE;
	else if (security != 0)
		reply.security = DNS_BOGUS;
	reply.why = why;
	if (rcode == 0 && packet != NULL && size > 0) {
		reply.packet = packet;
		reply.size = (size_t)size;
	}
	query->is_done = true;
	query->callback(&reply, query->context);
	if (query->is_asking)
		return; /* recursor_ask frees it */
	unlink_query(query);
	memory_free(&query);
}

struct recursor_query *
recursor_ask(struct recursor *recursor, const char *name, enum dns_type type,
    recursor_callback callback, void *context)
{
	struct recursor_query *query = memory_new(1, sizeof(*query));
	const struct recursor_reply none = { .security = DNS_INSECURE };

	query->recursor = recursor;
	query->callback = callback;
	query->context = context;
	query->is_asking = true;
	if (ub_resolve_event(recursor->context, name, (int)type, 1, query,
		answered, &query->id) != 0 &&
	    !query->is_done) {
		query->is_done = true;
		callback(&none, context);
	}
	query->is_asking = false;
	if (query->is_done) {
		memory_free(&query);
		return NULL;
	}
	query->next = recursor->queries;
	recursor->queries = query;
	return query;
}

void
recursor_cancel(struct recursor_query **query)
{
	if (*query == NULL)
		return;
	(void)ub_cancel((*query)->recursor->context, (*query)->id);
	unlink_query(*query);
	memory_free(query);
}

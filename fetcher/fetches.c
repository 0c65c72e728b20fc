/*
 * See fetches.h.  A policy is believed because of the host's certificate, so
 * any address will do; where reports go is somebody's free choice, so that only
 * the public Internet will.
 */
#include "fetcher/fetches.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "fetcher/addresses.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POLICY_PATH "/.well-known/mta-sts.txt"
#define POLICY_TYPE "text/plain"
#define REPORT_TYPE "application/tlsrpt+gzip"

enum {
	LOOKUPS = 2, /* A and AAAA */
	MAX_WHY = 200
};

struct peer {
	struct fetches *fetches;
	enum role role;
	uint64_t instance;
	struct channel *channel; /* NULL: there is none */
};

struct fetch {
	struct fetches *fetches;
	struct fetch *next;
	struct peer *asker;
	uint64_t tag;
	uint64_t number; /* of its lookups, but for the last bit */
	bool is_pending[LOOKUPS];
	bool has_failed; /* a lookup: the host may be there all the same */
	struct transfer_request request;
	char *body; /* of a report */
	struct transfer *transfer;
	struct timer *deadline;
};

struct fetches {
	struct event_loop *loop;
	struct transfers *transfers;
	int64_t deadline_ms;
	uint64_t number;
	struct peer relay;
	struct peer spool;
	struct peer resolver;
	struct fetch *all;
	size_t count;
};

/* -- Answers -- */

static void
answer(struct peer *asker, uint64_t tag, const struct transfer_result *result)
{
	struct message message = { 0 };
	struct text why = text_of(result->why);

	if (why.size > MAX_WHY)
		why.size = MAX_WHY;
	if (asker->role == ROLE_RELAY) {
		message.type = MESSAGE_policy_fetched;
		message.policy_fetched = (struct message_policy_fetched){ tag,
			(uint8_t)result->status, why, result->body };
	} else {
		message.type = MESSAGE_report_posted;
		message.report_posted = (struct message_report_posted){ tag,
			(uint8_t)result->status, why };
	}
	/* One who takes no answers has closed his end: `closed` is next. */
	(void)channel_send(asker->channel, &message, NULL, 0);
}

static void
fetch_free(struct fetch *fetch)
{
	struct fetch **place = &fetch->fetches->all;

	while (*place != fetch)
		place = &(*place)->next;
	*place = fetch->next;
	fetch->fetches->count--;
	transfer_cancel(&fetch->transfer);
	timer_free(&fetch->deadline);
	memory_free(&fetch->body);
	memory_free(&fetch);
}

static void
finish(struct fetch *fetch, const struct transfer_result *result)
{
	if (result->status != STATUS_OK)
		log_info("fetch-failed", "host=%s status=%s why=\"%s\"",
		    fetch->request.uri.host, status_name(result->status),
		    result->why);
	answer(fetch->asker, fetch->tag, result);
	fetch_free(fetch);
}

static void
fail(struct fetch *fetch, enum status status, const char *why)
{
	const struct transfer_result result = { .status = status, .why = why };

	finish(fetch, &result);
}

static void
transferred(const struct transfer_result *result, void *context)
{
	struct fetch *fetch = context;

	fetch->transfer = NULL; /* over, not to be cancelled */
	finish(fetch, result);
}

static void
deadline_passed(void *context)
{
	fail(context, STATUS_UNAVAILABLE, "no answer in time");
}

/* -- Names -- */

static void
begin(struct fetch *fetch)
{
	struct message message = { .type = MESSAGE_fetcher_lookup };
	struct channel *resolver = fetch->fetches->resolver.channel;

	if (fetch->fetches->count > FETCHES_MAX_PENDING) {
		fail(fetch, STATUS_BUSY, "too many fetches at once");
		return;
	}
	message.fetcher_lookup.name = text_of(fetch->request.uri.host);
	for (uint64_t i = 0; i < LOOKUPS; i++) {
		message.fetcher_lookup.tag = fetch->number + i;
		message.fetcher_lookup.type = i == 0 ? DNS_AAAA : DNS_A;
		if (resolver == NULL ||
		    channel_send(resolver, &message, NULL, 0) == -1) {
			fail(fetch, STATUS_UNAVAILABLE, "the resolver is away");
			return;
		}
		fetch->is_pending[i] = true;
	}
}

/* All is known that will be. */
static void
names_found(struct fetch *fetch)
{
	if (fetch->request.address_count > 0)
		fetch->transfer = transfer_start(fetch->fetches->transfers,
		    &fetch->request, transferred, fetch);
	else if (fetch->has_failed)
		fail(fetch, STATUS_UNAVAILABLE, "the name cannot be found now");
	else
		fail(fetch, STATUS_MISSING, "the host has no address");
}

static void
take_found(struct fetch *fetch, const struct message_fetcher_found *found)
{
	size_t i = found->tag & 1;

	if (!fetch->is_pending[i])
		return;
	fetch->is_pending[i] = false;
	if (found->result == DNS_FOUND)
		addresses_take(&fetch->request, i == 0 ? DNS_AAAA : DNS_A,
		    found->records, fetch->request.body_type != NULL);
	else if (found->result == DNS_FAILED)
		fetch->has_failed = true;
	if (!fetch->is_pending[0] && !fetch->is_pending[1])
		names_found(fetch);
}

/* -- Requests -- */

static struct fetch *
fetch_new(struct peer *asker, uint64_t tag)
{
	struct fetches *fetches = asker->fetches;
	struct fetch *fetch = memory_new(1, sizeof(*fetch));

	fetch->fetches = fetches;
	fetch->next = fetches->all;
	fetches->all = fetch;
	fetches->count++;
	fetch->asker = asker;
	fetch->tag = tag;
	fetch->number = fetches->number;
	fetches->number += LOOKUPS;
	fetch->deadline = timer_new(fetches->loop, deadline_passed, fetch);
	timer_start(fetch->deadline, fetches->deadline_ms);
	return fetch;
}

static void
fetch_policy(struct peer *relay, const struct message_fetch_policy *wish)
{
	struct fetch *fetch = fetch_new(relay, wish->tag);
	char uri[400];

	snprintf(uri, sizeof(uri), "https://mta-sts.%.*s" POLICY_PATH,
	    TEXT_FMT(wish->domain));
	fetch->request.wanted_type = POLICY_TYPE;
	if (!https_uri_is_host(wish->domain) ||
	    https_uri_parse(text_of(uri), &fetch->request.uri) == -1)
		fail(fetch, STATUS_MISSING, "the domain has no policy host");
	else
		begin(fetch);
}

static void
post_report(struct peer *spool, const struct message_post_report *wish)
{
	struct fetch *fetch = fetch_new(spool, wish->tag);
	struct transfer_request *request = &fetch->request;

	request->body_type = REPORT_TYPE;
	fetch->body = memory_copy(wish->data.data, wish->data.size);
	request->body = text_make(fetch->body, wish->data.size);
	if (https_uri_parse(wish->uri, &request->uri) == -1)
		fail(fetch, STATUS_INVALID, "not an https URI of a host");
	else
		begin(fetch);
}

static void
resolver_says(
    struct fetches *fetches, const struct message_fetcher_found *found)
{
	for (struct fetch *one = fetches->all; one != NULL; one = one->next) {
		if (one->number != (found->tag & ~UINT64_C(1)))
			continue;
		take_found(one, found);
		return;
	}
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct peer *peer = context;

	if (message->type == MESSAGE_fetch_policy)
		fetch_policy(peer, &message->fetch_policy);
	else if (message->type == MESSAGE_post_report)
		post_report(peer, &message->post_report);
	else if (message->type == MESSAGE_fetcher_found)
		resolver_says(peer->fetches, &message->fetcher_found);
}

/* -- Peers -- */

/* Whether it waits for names, which nobody will tell now. */
static bool
waits_for_names(const struct fetch *fetch)
{
	return fetch->is_pending[0] || fetch->is_pending[1];
}

static void
drop_peer(struct peer *peer)
{
	struct fetch *next;

	channel_free(&peer->channel);
	for (struct fetch *one = peer->fetches->all; one != NULL; one = next) {
		next = one->next;
		if (one->asker == peer)
			fetch_free(one);
		else if (peer->role == ROLE_RESOLVER && waits_for_names(one))
			fail(one, STATUS_UNAVAILABLE, "the resolver is away");
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct peer *peer = context;

	process_peer_closed(error, peer->role, 0, peer->instance);
	drop_peer(peer);
}

int
fetches_meet(struct fetches *fetches, int fd, enum role role, uint64_t instance)
{
	static const struct channel_handler handler = { received, closed };
	struct peer *const peers[] = { &fetches->relay, &fetches->spool,
		&fetches->resolver };

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		if (peers[i]->role != role)
			continue;
		drop_peer(peers[i]);
		peers[i]->instance = instance;
		peers[i]->channel = channel_new(
		    fetches->loop, fd, ROLE_FETCHER, role, &handler, peers[i]);
		return 0;
	}
	close(fd);
	return -1;
}

struct fetches *
fetches_new(
    struct event_loop *loop, struct transfers *transfers, int64_t deadline_ms)
{
	struct fetches *fetches = memory_new(1, sizeof(*fetches));

	fetches->loop = loop;
	fetches->transfers = transfers;
	fetches->deadline_ms = deadline_ms;
	fetches->relay = (struct peer){ fetches, ROLE_RELAY, 0, NULL };
	fetches->spool = (struct peer){ fetches, ROLE_SPOOL, 0, NULL };
	fetches->resolver = (struct peer){ fetches, ROLE_RESOLVER, 0, NULL };
	return fetches;
}

void
fetches_free(struct fetches **fetches)
{
	if (*fetches == NULL)
		return;
	drop_peer(&(*fetches)->relay);
	drop_peer(&(*fetches)->spool);
	drop_peer(&(*fetches)->resolver);
	transfers_free(&(*fetches)->transfers);
	memory_free(fetches);
}

/* See lookups.h. */
#include "resolver/lookups.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "resolver/dns_reply.h"

#include <string.h>
#include <unistd.h>

enum {
	MAX_RECORDS_BYTES = 60000, /* as the rows of messages.def */
	MAX_PENDING = 2000,        /* of one who asks */
	/* Places: the administrator's come last. */
	ASKER_RELAY = 0,
	ASKER_FETCHER = 1,
	ASKER_ADMIN = 2,
	ASKER_COUNT = ASKER_ADMIN + LOOKUPS_MAX_ADMINS
};

struct asker {
	struct lookups *lookups;
	enum role role;
	uint64_t instance;
	struct channel *channel; /* NULL: there is none */
	struct lookup *pending;
	size_t pending_count;
};

struct lookup {
	struct asker *asker;
	struct lookup *next;
	uint64_t tag;
	enum dns_type type;
	char name[DNS_MAX_NAME + 1]; /* lower case, without the last dot */
	struct recursor_query *query;
	struct timer *deadline;
};

struct lookups {
	struct event_loop *loop;
	struct recursor *recursor;
	int64_t deadline_ms;
	struct asker askers[ASKER_COUNT];
};

/* -- Answers -- */

static void
send_answer(struct asker *asker, uint64_t tag, const struct dns_reply *reply,
    enum dns_security security, struct text records)
{
	struct message message = { 0 };

	if (asker->role == ROLE_FIRNMAIL) {
		message.type = MESSAGE_admin_found;
		message.admin_found = (struct message_admin_found){ tag,
			(uint8_t)reply->result, (uint8_t)security, reply->ttl_s,
			text_of(reply->canonical), records };
	} else if (asker->role == ROLE_RELAY) {
		message.type = MESSAGE_relay_found;
		message.relay_found = (struct message_relay_found){ tag,
			(uint8_t)reply->result, (uint8_t)security, reply->ttl_s,
			text_of(reply->canonical), records };
	} else {
		message.type = MESSAGE_fetcher_found;
		message.fetcher_found = (struct message_fetcher_found){ tag,
			(uint8_t)reply->result, (uint8_t)security, reply->ttl_s,
			text_of(reply->canonical), records };
	}
	/* One who takes no answers has closed his end: `closed` is next. */
	(void)channel_send(asker->channel, &message, NULL, 0);
}

static void
lookup_free(struct lookup *lookup)
{
	struct lookup **place = &lookup->asker->pending;

	while (*place != lookup)
		place = &(*place)->next;
	*place = lookup->next;
	lookup->asker->pending_count--;
	recursor_cancel(&lookup->query);
	timer_free(&lookup->deadline);
	memory_free(&lookup);
}

static void
fail(struct lookup *lookup, enum dns_security security, const char *why)
{
	struct dns_reply reply = { .result = DNS_FAILED };

	log_info("lookup-failed", "name=%s type=%u security=%s why=\"%s\"",
	    lookup->name, lookup->type,
	    security == DNS_BOGUS ? "bogus" : "none", why);
	send_answer(lookup->asker, lookup->tag, &reply, security,
	    (struct text){ NULL, 0 });
	lookup_free(lookup);
}

static void
replied(const struct recursor_reply *from, void *context)
{
	static uint8_t records[MAX_RECORDS_BYTES];
	struct lookup *lookup = context;
	struct dns_reply reply;
	struct writer writer;
	struct error error;

	lookup->query = NULL; /* over, not to be cancelled */
	if (from->security == DNS_BOGUS || from->packet == NULL) {
		fail(lookup, from->security,
		    from->why != NULL ? from->why : "no answer");
		return;
	}
	writer_init(&writer, records, sizeof(records));
	if (dns_reply_parse(from->packet, from->size, text_of(lookup->name),
		lookup->type, &reply, &writer, &error) == -1) {
		fail(lookup, from->security, error.text);
		return;
	}
	send_answer(lookup->asker, lookup->tag, &reply, from->security,
	    text_make(records, writer.size));
	lookup_free(lookup);
}

static void
deadline_passed(void *context)
{
	fail(context, DNS_INSECURE, "no answer in time");
}

/* -- Questions -- */

static bool
is_type(uint16_t type)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_CNAME,
		DNS_MX, DNS_PTR, DNS_SRV, DNS_TLSA, DNS_TXT };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* Labels of 1 to 63 bytes of those that dns_reply.h has in its names: what
 * libunbound would read as something else, such as an escape, is no name. */
static bool
is_name(struct text name)
{
	struct text rest = name, label;

	if (name.size == 0 || name.size > DNS_MAX_NAME - 2)
		return false;
	while (text_next(&rest, '.', &label)) {
		if (label.size == 0 || label.size > 63)
			return false;
		for (size_t i = 0; i < label.size; i++)
			if (!dns_reply_is_name_byte(
				text_lower_byte(label.data[i])))
				return false;
	}
	return true;
}

/* False if it could be answered at once: the lookup is gone. */
static bool
ask(struct lookup *lookup)
{
	struct lookups *lookups = lookup->asker->lookups;
	struct recursor_query *query;

	lookup->deadline = timer_new(lookups->loop, deadline_passed, lookup);
	timer_start(lookup->deadline, lookups->deadline_ms);
	query = recursor_ask(
	    lookups->recursor, lookup->name, lookup->type, replied, lookup);
	if (query == NULL)
		return false;
	lookup->query = query;
	return true;
}

static void
take_question(
    struct asker *asker, uint64_t tag, uint16_t type, struct text name)
{
	const struct dns_reply none = { .result = DNS_NO_NAME };
	struct lookup *lookup;

	if (name.size > 0 && name.data[name.size - 1] == '.')
		name.size--;
	if (!is_type(type) || !is_name(name)) {
		send_answer(
		    asker, tag, &none, DNS_INSECURE, (struct text){ NULL, 0 });
		return;
	}
	lookup = memory_new(1, sizeof(*lookup));
	lookup->asker = asker;
	lookup->tag = tag;
	lookup->type = (enum dns_type)type;
	for (size_t i = 0; i < name.size; i++)
		lookup->name[i] = text_lower_byte(name.data[i]);
	lookup->next = asker->pending;
	asker->pending = lookup;
	asker->pending_count++;
	if (ask(lookup) && asker->pending_count > MAX_PENDING)
		fail(lookup, DNS_INSECURE, "too many lookups at once");
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_relay_lookup)
		take_question(context, message->relay_lookup.tag,
		    message->relay_lookup.type, message->relay_lookup.name);
	else if (message->type == MESSAGE_fetcher_lookup)
		take_question(context, message->fetcher_lookup.tag,
		    message->fetcher_lookup.type, message->fetcher_lookup.name);
	else if (message->type == MESSAGE_admin_lookup)
		take_question(context, message->admin_lookup.tag,
		    message->admin_lookup.type, message->admin_lookup.name);
}

/* -- Askers -- */

static void
drop_asker(struct asker *asker)
{
	while (asker->pending != NULL)
		lookup_free(asker->pending);
	channel_free(&asker->channel);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct asker *asker = context;

	/* A command is nobody whom master could start again. */
	if (asker->role != ROLE_FIRNMAIL)
		process_peer_closed(error, asker->role, 0, asker->instance);
	drop_asker(asker);
}

static struct asker *
find_place(struct lookups *lookups, enum role peer)
{
	if (peer == ROLE_RELAY)
		return &lookups->askers[ASKER_RELAY];
	if (peer == ROLE_FETCHER)
		return &lookups->askers[ASKER_FETCHER];
	for (size_t i = ASKER_ADMIN; peer == ROLE_FIRNMAIL && i < ASKER_COUNT;
	     i++)
		if (lookups->askers[i].channel == NULL)
			return &lookups->askers[i];
	return NULL;
}

int
lookups_serve(
    struct lookups *lookups, int fd, enum role peer, uint64_t instance)
{
	static const struct channel_handler handler = { received, closed };
	struct asker *asker = find_place(lookups, peer);

	if (asker == NULL) {
		close(fd);
		return -1;
	}
	drop_asker(asker);
	asker->instance = instance;
	asker->channel = channel_new(
	    lookups->loop, fd, ROLE_RESOLVER, peer, &handler, asker);
	return 0;
}

struct lookups *
lookups_new(
    struct event_loop *loop, struct recursor *recursor, int64_t deadline_ms)
{
	struct lookups *lookups = memory_new(1, sizeof(*lookups));

	lookups->loop = loop;
	lookups->recursor = recursor;
	lookups->deadline_ms = deadline_ms;
	for (size_t i = 0; i < ASKER_COUNT; i++) {
		lookups->askers[i].lookups = lookups;
		lookups->askers[i].role = ROLE_FIRNMAIL;
	}
	lookups->askers[ASKER_RELAY].role = ROLE_RELAY;
	lookups->askers[ASKER_FETCHER].role = ROLE_FETCHER;
	return lookups;
}

void
lookups_free(struct lookups **lookups)
{
	if (*lookups == NULL)
		return;
	for (size_t i = 0; i < ASKER_COUNT; i++)
		drop_asker(&(*lookups)->askers[i]);
	recursor_free(&(*lookups)->recursor);
	memory_free(lookups);
}

/* Each is answered at once, or pending as before: then it is at the front, and
 * those behind it were there already. */
static void
ask_again(struct asker *asker)
{
	struct lookup *old = asker->pending;

	asker->pending = NULL;
	while (old != NULL) {
		struct lookup *next = old->next;

		recursor_cancel(&old->query);
		timer_free(&old->deadline);
		old->next = asker->pending;
		asker->pending = old;
		(void)ask(old);
		old = next;
	}
}

void
lookups_set_recursor(struct lookups *lookups, struct recursor *recursor)
{
	struct recursor *old = lookups->recursor;

	lookups->recursor = recursor;
	for (size_t i = 0; i < ASKER_COUNT; i++)
		ask_again(&lookups->askers[i]);
	recursor_free(&old);
}

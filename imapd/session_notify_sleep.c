/*
 * Sessions with NOTIFY that sleep (session_notify.h): which news wake them, and
 * what was told of other mailboxes, so that who goes on tells what is otherwise
 * by then.  Of each mailbox that is watched two numbers are kept, which say
 * whether anything happened to its messages; names only where they are watched.
 * Who was awake might have told more than one thing of it; both know the same
 * in the end.
 */
#include "imapd/session_notify.h"

#include "common/codec.h"
#include "common/process.h"
#include "imapd/sleep_state.h"

#include <stdlib.h>

enum {
	OF_MESSAGES = HAPPENED_NEW | HAPPENED_EXPUNGE | HAPPENED_FLAGS
};

bool
session_notify_rests(const struct imap_session *session)
{
	const struct session_notify *notify = session->notify;

	return notify->name_count == 0 && notify->changed_count == 0 &&
	       notify->fetch_first == 0 && !notify->is_fetching &&
	       !notify->has_overflowed;
}

/* ---- What wakes it ---- */

void
session_put_topic(struct writer *topics, uint64_t mailbox, unsigned int what)
{
	writer_put_u64(topics, mailbox);
	writer_put_u8(topics, (uint8_t)what);
}

unsigned int
session_notify_of_selected(const struct imap_session *session)
{
	const struct notify_group *group =
	    notify_request_selected(&session->notify->request);
	unsigned int what;

	if (group == NULL || group->events == 0)
		return 0;
	what = group->events | HAPPENED_KEY | HAPPENED_GONE;
	return session_notify_wants_expunges(session)
		   ? what
		   : what & ~(unsigned int)HAPPENED_EXPUNGE;
}

/* Of the messages of one that is not selected. */
static unsigned int
wanted(const struct imap_session *session, const struct mailbox_info *info)
{
	if (session_notify_is_selected(session, info->id))
		return 0;
	return OF_MESSAGES &
	       notify_request_events(&session->notify->request, info->name,
		   mailbox_list_is_subscribed(session->account, info->name));
}

/* Of all groups, those of the selected mailbox aside. */
static unsigned int
wanted_anywhere(const struct notify_request *request)
{
	unsigned int what = 0;

	for (size_t i = 0; i < request->group_count; i++)
		if (request->groups[i].filter != NOTIFY_SELECTED &&
		    request->groups[i].filter != NOTIFY_SELECTED_DELAYED)
			what |= request->groups[i].events;
	return what;
}

/* Of messages, where it is subscriptions that decide. */
static unsigned int
wanted_of_subscribed(const struct notify_request *request)
{
	for (size_t i = 0; i < request->group_count; i++)
		if (request->groups[i].filter == NOTIFY_SUBSCRIBED)
			return request->groups[i].events & OF_MESSAGES;
	return 0;
}

static const struct mailbox_info *
first_mailbox(const struct imap_session *session)
{
	return mailbox_list_next(session->account, text_make(NULL, 0));
}

static const struct mailbox_info *
next_mailbox(
    const struct imap_session *session, const struct mailbox_info *info)
{
	return mailbox_list_next(session->account, info->name);
}

/* Names and subscriptions also decide which mailboxes are watched. Where these
 * are too many, news of any wake it. */
void
session_notify_put_topics(
    const struct imap_session *session, struct writer *topics)
{
	const struct notify_request *request = &session->notify->request;
	unsigned int what = wanted_anywhere(request), names = HAPPENED_NAME;
	size_t room = TOPICS_MAX - topics->size / TOPIC_SIZE - 1, count = 0;
	const struct mailbox_info *info;

	if (what == 0)
		return;
	if ((what & HAPPENED_SUBSCRIPTION) || wanted_of_subscribed(request))
		names |= HAPPENED_SUBSCRIPTION;
	session_put_topic(topics, 0, names);
	for (info = first_mailbox(session); info != NULL;
	     info = next_mailbox(session, info))
		count += wanted(session, info) != 0;
	if (count > room) {
		session_put_topic(topics, 0, what & OF_MESSAGES);
		return;
	}
	for (info = first_mailbox(session); info != NULL;
	     info = next_mailbox(session, info))
		if (wanted(session, info) != 0)
			session_put_topic(
			    topics, info->id, wanted(session, info));
}

/* ---- To sleep ---- */

/* Who hears of flags hears of all that a MODSEQ counts. */
static void
mark(struct notify_known *known, const struct mailbox_info *info,
    unsigned int what)
{
	known->mailbox = info->id;
	if (what & HAPPENED_FLAGS) {
		known->mark = info->highest_modseq;
	} else if (what != 0) {
		known->mark = info->uidnext;
		known->count = (uint32_t)info->message_count;
	}
}

static int
compare_known(const void *a, const void *b)
{
	const struct notify_known *left = a, *right = b;

	return left->mailbox < right->mailbox   ? -1
	       : left->mailbox > right->mailbox ? 1
						: 0;
}

static void
remember_mailboxes(const struct imap_session *session, struct pool *pool,
    struct notify_memory *memory)
{
	unsigned int if_subscribed =
	    wanted_of_subscribed(&session->notify->request);
	const struct mailbox_info *info;
	size_t count = 0;

	for (info = first_mailbox(session); info != NULL;
	     info = next_mailbox(session, info))
		count++;
	memory->known = pool_alloc(pool, count, sizeof(*memory->known));
	for (info = first_mailbox(session); info != NULL;
	     info = next_mailbox(session, info)) {
		struct notify_known *known =
		    &memory->known[memory->known_count];
		unsigned int what = wanted(session, info);

		if (what == 0 && !session_notify_is_selected(session, info->id))
			what = if_subscribed;
		if (what == 0 && (memory->bits & KNOWN_NAMES) == 0)
			continue;
		mark(known, info, what);
		known->name = info->name;
		memory->known_count++;
	}
	if (memory->known_count > 1)
		qsort(memory->known, memory->known_count,
		    sizeof(*memory->known), compare_known);
}

static void
remember_subscriptions(const struct imap_session *session, struct pool *pool,
    struct notify_memory *memory)
{
	struct account_store *account = session->account;
	struct text name = { NULL, 0 };
	size_t count = 0;

	while (mailbox_list_next_subscribed(account, name, &name))
		count++;
	memory->subscribed =
	    pool_alloc(pool, count, sizeof(*memory->subscribed));
	name = text_make(NULL, 0);
	while (mailbox_list_next_subscribed(account, name, &name))
		memory->subscribed[memory->subscribed_count++] = name;
}

void
session_notify_remember(const struct imap_session *session, struct pool *pool,
    struct notify_memory *memory)
{
	const struct session_notify *notify = session->notify;
	unsigned int what = wanted_anywhere(&notify->request);

	memory->arguments = notify->arguments;
	if (notify->is_utf8_names)
		memory->bits |= KNOWN_IN_UTF8;
	if (what & HAPPENED_NAME)
		memory->bits |= KNOWN_NAMES;
	if (what & HAPPENED_SUBSCRIPTION)
		memory->bits |= KNOWN_SUBSCRIBED;
	if (what != 0)
		remember_mailboxes(session, pool, memory);
	if (what & HAPPENED_SUBSCRIPTION)
		remember_subscriptions(session, pool, memory);
}

/* ---- And back ---- */

/* As if it had just happened. {NULL, 0}: there was, or is, no name. */
static void
tell(struct imap_session *session, enum happening what, uint64_t mailbox,
    struct text name, struct text old_name)
{
	const struct account_event event = { what, mailbox, name, old_name };
	struct account_listener *listener = &session->notify->listener;

	listener->heard(&event, listener->context);
}

/* One that it did not know is a new one, or is watched only now. */
static bool
has_news(const struct imap_session *session, const struct notify_known *known,
    const struct mailbox_info *info)
{
	unsigned int what = wanted(session, info);
	struct notify_known now = { 0 };

	if (what == 0)
		return false;
	if (known == NULL)
		return info->uidnext > 1;
	mark(&now, info, what);
	return known->mark != 0 &&
	       (known->mark != now.mark || known->count != now.count);
}

static void
tell_mailboxes(struct imap_session *session, const struct notify_memory *memory)
{
	const struct text none = { NULL, 0 };
	const struct mailbox_info *info;

	for (info = first_mailbox(session); info != NULL;
	     info = next_mailbox(session, info)) {
		const struct notify_known wanted_one = { .mailbox = info->id };
		const struct notify_known *known =
		    memory->known_count == 0
			? NULL
			: bsearch(&wanted_one, memory->known,
			      memory->known_count, sizeof(*memory->known),
			      compare_known);

		if ((memory->bits & KNOWN_NAMES) != 0 &&
		    (known == NULL || !text_equal(known->name, info->name)))
			tell(session, HAPPENED_NAME, 0, info->name,
			    known == NULL ? none : known->name);
		if (has_news(session, known, info))
			tell(session, HAPPENED_NEW, info->id, info->name, none);
	}
	for (size_t i = 0; i < memory->known_count; i++)
		if ((memory->bits & KNOWN_NAMES) != 0 &&
		    mailbox_list_find_id(
			session->account, memory->known[i].mailbox) == NULL)
			tell(session, HAPPENED_NAME, 0, none,
			    memory->known[i].name);
}

static bool
was_subscribed(const struct notify_memory *memory, struct text name)
{
	for (size_t i = 0; i < memory->subscribed_count; i++)
		if (text_equal(memory->subscribed[i], name))
			return true;
	return false;
}

static void
tell_subscriptions(
    struct imap_session *session, const struct notify_memory *memory)
{
	const struct text none = { NULL, 0 };
	struct text name = none;

	while (mailbox_list_next_subscribed(session->account, name, &name))
		if (!was_subscribed(memory, name))
			tell(session, HAPPENED_SUBSCRIPTION, 0, name, none);
	for (size_t i = 0; i < memory->subscribed_count; i++)
		if (!mailbox_list_is_subscribed(
			session->account, memory->subscribed[i]))
			tell(session, HAPPENED_SUBSCRIPTION, 0,
			    memory->subscribed[i], none);
}

int
session_notify_recall(
    struct imap_session *session, const struct notify_memory *memory)
{
	struct session_notify *notify = session_notify_new(memory->arguments);
	struct imap_parser parser;

	imap_parser_init(&parser, notify->arguments, notify->pool);
	parser.limits = session->limits;
	parser.is_utf8_names = (memory->bits & KNOWN_IN_UTF8) != 0;
	notify->is_utf8_names = parser.is_utf8_names;
	if (notify_request_parse(&parser, &notify->request) != 0 ||
	    notify->request.is_none) {
		session_notify_free(&notify);
		return -1;
	}
	session_notify_set(session, notify);
	if (wanted_anywhere(&notify->request) != 0)
		tell_mailboxes(session, memory);
	if (memory->bits & KNOWN_SUBSCRIBED)
		tell_subscriptions(session, memory);
	return 0;
}

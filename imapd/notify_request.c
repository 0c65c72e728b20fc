/*
 * See notify_request.h.  The grammar is that of RFC 5465 section 8.
 */
#include "imapd/notify_request.h"

#include <string.h>

static const struct {
	const char *name;
	enum notify_filter filter;
	bool has_names;
} filters[] = {
	{ "selected", NOTIFY_SELECTED, false },
	{ "selected-delayed", NOTIFY_SELECTED_DELAYED, false },
	{ "inboxes", NOTIFY_PERSONAL, false },
	{ "personal", NOTIFY_PERSONAL, false },
	{ "subscribed", NOTIFY_SUBSCRIBED, false },
	{ "subtree", NOTIFY_SUBTREE, true },
	{ "mailboxes", NOTIFY_MAILBOXES, true },
};

static const struct {
	const char *name;
	unsigned int event;
} events[] = {
	{ "MessageNew", HAPPENED_NEW },
	{ "MessageExpunge", HAPPENED_EXPUNGE },
	{ "FlagChange", HAPPENED_FLAGS },
	{ "MailboxName", HAPPENED_NAME },
	{ "SubscriptionChange", HAPPENED_SUBSCRIPTION },
};

static bool
is_selected(const struct notify_group *group)
{
	return group->filter == NOTIFY_SELECTED ||
	       group->filter == NOTIFY_SELECTED_DELAYED;
}

/* ---- Mailboxes ---- */

static int
parse_name(struct imap_parser *parser, struct notify_request *request,
    struct notify_group *group)
{
	const char *name;

	if (request->name_count++ == NOTIFY_MAX_NAMES)
		return imap_parse_error(parser, "Too many mailboxes");
	if (imap_parse_mailbox(parser, &name) == -1)
		return -1;
	/* Room doubles: 1, 2, 4 ... */
	if ((group->name_count & (group->name_count - 1)) == 0) {
		struct text *larger = pool_alloc(parser->pool,
		    group->name_count == 0 ? 1 : 2 * group->name_count,
		    sizeof(*larger));

		if (group->name_count > 0)
			memcpy(larger, group->names,
			    group->name_count * sizeof(*larger));
		group->names = larger;
	}
	group->names[group->name_count++] = text_of(name);
	return 0;
}

static int
parse_names(struct imap_parser *parser, struct notify_request *request,
    struct notify_group *group)
{
	if (imap_parse_space(parser) == -1)
		return -1;
	if (!imap_parse_skip(parser, '('))
		return parse_name(parser, request, group);
	do {
		if (parse_name(parser, request, group) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

static int
parse_filter(struct imap_parser *parser, struct notify_request *request,
    struct notify_group *group)
{
	struct text word;

	if (imap_parse_atom(parser, &word) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!text_is_nocase(word, filters[i].name))
			continue;
		group->filter = filters[i].filter;
		if (is_selected(group) &&
		    notify_request_selected(request) != NULL)
			return imap_parse_error(
			    parser, "The selected mailbox is there twice");
		return filters[i].has_names
			   ? parse_names(parser, request, group)
			   : 0;
	}
	return imap_parse_error(parser, "Unknown mailboxes");
}

/* ---- Events ---- */

/* "MessageNew (UID FLAGS)": nothing of it sets \Seen, for nobody looks. */
static int
parse_fetch(struct imap_parser *parser, struct notify_request *request,
    const struct notify_group *group)
{
	if (!text_starts_nocase(parser->rest, " ("))
		return 0;
	(void)imap_parse_skip(parser, ' ');
	if (!is_selected(group))
		return imap_parse_error(
		    parser, "Only the selected mailbox is fetched from");
	request->has_fetch = true;
	if (fetch_items_parse(parser, &request->fetch) == -1)
		return -1;
	for (size_t i = 0; i < request->fetch.section_count; i++)
		request->fetch.sections[i].is_seen = false;
	return 0;
}

static int
parse_event(struct imap_parser *parser, struct notify_request *request,
    struct notify_group *group)
{
	struct text word;

	if (imap_parse_atom(parser, &word) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (!text_is_nocase(word, events[i].name))
			continue;
		group->events |= events[i].event;
		return events[i].event == HAPPENED_NEW
			   ? parse_fetch(parser, request, group)
			   : 0;
	}
	return -2;
}

/* RFC 5465 section 5: which events go with which. */
static int
check_events(struct imap_parser *parser, const struct notify_group *group)
{
	unsigned int both = HAPPENED_NEW | HAPPENED_EXPUNGE;
	unsigned int names = HAPPENED_NAME | HAPPENED_SUBSCRIPTION;

	if ((group->events & (both | HAPPENED_FLAGS)) != 0 &&
	    (group->events & both) != both)
		return imap_parse_error(
		    parser, "MessageNew and MessageExpunge go together");
	if (is_selected(group) && (group->events & names) != 0)
		return imap_parse_error(
		    parser, "The selected mailbox has events of messages only");
	return 0;
}

static int
parse_events(struct imap_parser *parser, struct notify_request *request,
    struct notify_group *group)
{
	int result;

	if (imap_parse_skip_word(parser, "NONE"))
		return 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "Events expected");
	do {
		result = parse_event(parser, request, group);
		if (result != 0)
			return result;
	} while (imap_parse_skip(parser, ' '));
	if (!imap_parse_skip(parser, ')'))
		return imap_parse_error(parser, "List has no end");
	return check_events(parser, group);
}

/* ---- The command ---- */

static int
parse_group(struct imap_parser *parser, struct notify_request *request)
{
	struct notify_group *group = &request->groups[request->group_count];
	int result;

	if (request->group_count == NOTIFY_MAX_GROUPS)
		return imap_parse_error(parser, "Too many groups");
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "Group of events expected");
	if (parse_filter(parser, request, group) == -1 ||
	    imap_parse_space(parser) == -1)
		return -1;
	result = parse_events(parser, request, group);
	if (result != 0)
		return result;
	request->group_count++;
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "Group has no end");
}

int
notify_request_parse(struct imap_parser *parser, struct notify_request *request)
{
	int result;

	memset(request, 0, sizeof(*request));
	if (imap_parse_space(parser) == -1)
		return -1;
	request->is_none = imap_parse_skip_word(parser, "NONE");
	if (request->is_none)
		return imap_parse_end(parser);
	if (!imap_parse_skip_word(parser, "SET"))
		return imap_parse_error(parser, "SET or NONE expected");
	if (imap_parse_space(parser) == -1)
		return -1;
	request->wants_status = imap_parse_skip_word(parser, "STATUS");
	if (request->wants_status && imap_parse_space(parser) == -1)
		return -1;
	do {
		result = parse_group(parser, request);
		if (result != 0)
			return result;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_end(parser);
}

/* ---- What is wanted ---- */

static bool
is_below(struct text name, struct text parent)
{
	return text_equal(name, parent) ||
	       (name.size > parent.size && name.data[parent.size] == '/' &&
		   memcmp(name.data, parent.data, parent.size) == 0);
}

static bool
has_name(const struct notify_group *group, struct text name)
{
	for (size_t i = 0; i < group->name_count; i++)
		if (group->filter == NOTIFY_SUBTREE
			? is_below(name, group->names[i])
			: text_equal(name, group->names[i]))
			return true;
	return false;
}

static bool
has_mailbox(
    const struct notify_group *group, struct text name, bool is_subscribed)
{
	switch (group->filter) {
	case NOTIFY_SELECTED:
	case NOTIFY_SELECTED_DELAYED:
		return false;
	case NOTIFY_PERSONAL:
		return true;
	case NOTIFY_SUBSCRIBED:
		return is_subscribed;
	case NOTIFY_SUBTREE:
	case NOTIFY_MAILBOXES:
		break;
	}
	return has_name(group, name);
}

unsigned int
notify_request_events(
    const struct notify_request *request, struct text name, bool is_subscribed)
{
	for (size_t i = 0; i < request->group_count; i++)
		if (has_mailbox(&request->groups[i], name, is_subscribed))
			return request->groups[i].events;
	return 0;
}

const struct notify_group *
notify_request_selected(const struct notify_request *request)
{
	for (size_t i = 0; i < request->group_count; i++)
		if (is_selected(&request->groups[i]))
			return &request->groups[i];
	return NULL;
}

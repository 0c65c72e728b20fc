/*
 * See session_notify.h.  Events come from the account while anything may be
 * going on; they wait here until the session may speak: before a tagged answer,
 * in IDLE, and between commands.  Many events of a mailbox are one.
 */
#include "imapd/session_notify.h"

#include "common/memory.h"
#include "imapd/fetch_command.h"
#include "imapd/imap_writer.h"
#include "imapd/list_command.h"
#include "imapd/status_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_idling(const struct imap_session *session)
{
	return session->state == SESSION_WORKING &&
	       session->step == COMMAND_IDLE;
}

/* Nothing of the next command was looked at. */
static bool
is_between(const struct imap_session *session)
{
	return session->state == SESSION_READING &&
	       imap_input_is_empty(&session->input);
}

/* ---- Events ---- */

static void
free_names(struct session_notify *notify)
{
	for (size_t i = 0; i < notify->name_count; i++) {
		free(notify->names[i].name);
		free(notify->names[i].old_name);
	}
	free(notify->names);
	notify->names = NULL;
	notify->name_count = 0;
}

static void
free_changed(struct session_notify *notify)
{
	free(notify->changed);
	notify->changed = NULL;
	notify->changed_count = notify->changed_room = 0;
}

static void
overflow(struct session_notify *notify)
{
	notify->has_overflowed = true;
	free_names(notify);
	free_changed(notify);
	notify->fetch_first = 0;
}

static void
add_changed(struct session_notify *notify, uint64_t mailbox)
{
	size_t count = notify->changed_count;

	for (size_t i = count; i > 0; i--)
		if (notify->changed[i - 1] == mailbox)
			return;
	if (count == NOTIFY_MAX_CHANGED) {
		overflow(notify);
		return;
	}
	if (count == notify->changed_room) {
		notify->changed_room = 2 * count + 4;
		notify->changed = memory_resize(notify->changed,
		    notify->changed_room, sizeof(*notify->changed));
	}
	notify->changed[notify->changed_count++] = mailbox;
}

static char *
copy_name(struct text name)
{
	char *copy = name.data == NULL ? NULL : memory_new(name.size + 1, 1);

	if (copy != NULL)
		memcpy(copy, name.data, name.size);
	return copy;
}

static void
add_name(struct session_notify *notify, const struct account_event *event)
{
	if (notify->name_count == NOTIFY_MAX_EVENTS) {
		overflow(notify);
		return;
	}
	if (notify->names == NULL)
		notify->names =
		    memory_new(NOTIFY_MAX_EVENTS, sizeof(*notify->names));
	notify->names[notify->name_count++] = (struct notify_name){ event->what,
		copy_name(event->name), copy_name(event->old_name) };
}

/* A name that changed is that of both; whose subscription changed, one way or
 * the other, is among the subscribed. */
static bool
is_wanted(
    const struct session_notify *notify, const struct account_event *event)
{
	struct account_store *account = notify->session->account;
	const struct text names[] = { event->name, event->old_name };

	for (size_t i = 0; i < 2; i++)
		if (names[i].data != NULL &&
		    (notify_request_events(&notify->request, names[i],
			 event->what == HAPPENED_SUBSCRIPTION ||
			     mailbox_list_is_subscribed(account, names[i])) &
			event->what) != 0)
			return true;
	return false;
}

static void
heard(const struct account_event *event, void *context)
{
	struct session_notify *notify = context;
	struct imap_session *session = notify->session;

	if (notify->has_overflowed ||
	    session_notify_is_selected(session, event->mailbox) ||
	    !is_wanted(notify, event))
		return;
	if (event->what & (HAPPENED_NAME | HAPPENED_SUBSCRIPTION))
		add_name(notify, event);
	else
		add_changed(notify, event->mailbox);
	timer_start(session->turn, 0);
}

/* ---- What is asked for ---- */

struct session_notify *
session_notify_new(struct text arguments)
{
	struct session_notify *notify = memory_new(1, sizeof(*notify));

	notify->pool = pool_new();
	notify->arguments =
	    text_make(pool_copy(notify->pool, arguments.data, arguments.size),
		arguments.size);
	return notify;
}

void
session_notify_free(struct session_notify **notifyp)
{
	struct session_notify *notify = *notifyp;

	if (notify == NULL)
		return;
	if (notify->session != NULL)
		account_store_unlisten(
		    notify->session->account, &notify->listener);
	free_names(notify);
	free(notify->changed);
	pool_free(&notify->pool);
	memory_free(notifyp);
}

void
session_notify_set(struct imap_session *session, struct session_notify *notify)
{
	session_notify_free(&session->notify);
	session->notify = notify;
	session->is_quiet = notify == NULL;
	if (notify == NULL)
		return;
	notify->session = session;
	notify->listener.heard = heard;
	notify->listener.context = notify;
	account_store_listen(session->account, &notify->listener);
}

/* ---- The selected mailbox ---- */

bool
session_notify_is_selected(const struct imap_session *session, uint64_t mailbox)
{
	return session->view != NULL && !mailbox_view_is_past(session->view) &&
	       mailbox_view_info(session->view)->id == mailbox;
}

static const struct notify_group *
selected_group(const struct imap_session *session)
{
	const struct notify_group *group =
	    notify_request_selected(&session->notify->request);

	return group != NULL && group->events != 0 ? group : NULL;
}

/* Who asks for it, or changes messages himself, must hear what numbers mean;
 * and what is told from now on goes on from there (RFC 5465 3.1). */
static bool
is_asking(const struct imap_session *session)
{
	const struct command_rule *rule = session->command.rule;

	return session->state == SESSION_UPDATING && rule != NULL &&
	       ((rule->flags & COMMAND_WRITES) != 0 ||
		   strcmp(rule->name, "NOOP") == 0 ||
		   strcmp(rule->name, "NOTIFY") == 0 ||
		   strcmp(rule->name, "CHECK") == 0);
}

bool
session_notify_wants_updates(const struct imap_session *session)
{
	if (session->notify == NULL)
		return !session->is_quiet || is_asking(session);
	return selected_group(session) != NULL || is_asking(session);
}

bool
session_notify_wants_expunges(const struct imap_session *session)
{
	const struct notify_group *group;

	if (session->notify == NULL || session->state != SESSION_READING)
		return true;
	group = selected_group(session);
	return group != NULL && group->filter == NOTIFY_SELECTED;
}

bool
session_notify_wants_flags(const struct imap_session *session)
{
	const struct notify_group *group;

	if (session->notify == NULL || is_asking(session))
		return true;
	group = selected_group(session);
	return group != NULL && (group->events & HAPPENED_FLAGS) != 0;
}

void
session_notify_told_new(
    struct imap_session *session, size_t before, size_t count)
{
	struct session_notify *notify = session->notify;

	if (notify == NULL || !notify->request.has_fetch || count <= before ||
	    selected_group(session) == NULL)
		return;
	if (notify->fetch_first == 0)
		notify->fetch_first =
		    mailbox_view_uid(session->view, before + 1);
	notify->fetch_last = mailbox_view_uid(session->view, count);
}

void
session_notify_reselect(struct imap_session *session)
{
	if (session->notify != NULL)
		session->notify->fetch_first = 0;
}

/* ---- Telling ---- */

/* Who is unseen is counted for those alone who want to hear of flags. */
void
session_notify_put_status(struct imap_command *command,
    const struct notify_request *request, const struct mailbox_info *info)
{
	unsigned int events = notify_request_events(request, info->name,
	    mailbox_list_is_subscribed(command->account, info->name));
	unsigned int items = STATUS_ITEM_MESSAGES | STATUS_ITEM_UIDNEXT |
			     STATUS_ITEM_UIDVALIDITY;

	if ((events & HAPPENED_NEW) == 0)
		return;
	if (events & HAPPENED_FLAGS)
		items |= STATUS_ITEM_UNSEEN;
	if (command_is_condstore(command))
		items |= STATUS_ITEM_HIGHESTMODSEQ;
	status_items_tell(command, info, items);
}

static void
put_name(struct imap_session *session, const struct notify_name *name)
{
	struct imap_command *command = &session->command;
	const char *told = name->name != NULL ? name->name : name->old_name;
	const struct mailbox_info *info =
	    mailbox_list_find(session->account, text_of(told));
	bool is_subscribed =
	    name->what == HAPPENED_SUBSCRIPTION &&
	    mailbox_list_is_subscribed(session->account, text_of(told));
	char attributes[40];

	snprintf(attributes, sizeof(attributes), "%s%s%s",
	    info == NULL ? "\\NonExistent" : "",
	    info == NULL && is_subscribed ? " " : "",
	    is_subscribed ? "\\Subscribed" : "");
	list_put_name(command, "LIST", text_of(told), attributes,
	    info == NULL ? 0 : info->special_use);
	if (name->name != NULL && name->old_name != NULL) {
		(void)buf_put_text(command->out, " (\"OLDNAME\" (");
		(void)imap_put_mailbox(command->out, text_of(name->old_name),
		    command->parser.is_utf8_names);
		(void)buf_put_text(command->out, "))");
	}
	(void)buf_put_text(command->out, "\r\n");
}

static void
put_status(struct imap_session *session, uint64_t mailbox)
{
	const struct mailbox_info *info =
	    mailbox_list_find_id(session->account, mailbox);

	if (info != NULL && !session_notify_is_selected(session, mailbox))
		session_notify_put_status(
		    &session->command, &session->notify->request, info);
}

/* So many were told. */
static void
forget(struct session_notify *notify, size_t names, size_t changed)
{
	for (size_t i = 0; i < names; i++) {
		free(notify->names[i].name);
		free(notify->names[i].old_name);
	}
	notify->name_count -= names;
	if (notify->name_count == 0)
		free_names(notify);
	else
		memmove(notify->names, notify->names + names,
		    notify->name_count * sizeof(*notify->names));
	notify->changed_count -= changed;
	if (changed > 0 && notify->changed_count > 0)
		memmove(notify->changed, notify->changed + changed,
		    notify->changed_count * sizeof(*notify->changed));
	if (notify->changed_count == 0)
		free_changed(notify);
}

static void
put_overflow(struct imap_session *session)
{
	(void)buf_put_text(&session->out,
	    "* OK [NOTIFICATIONOVERFLOW] Too much happened at once: ask for "
	    "it anew\r\n");
	session_notify_set(session, NULL);
}

bool
session_put_notifications(struct imap_session *session)
{
	struct session_notify *notify = session->notify;
	struct imap_command *command = &session->command;
	size_t names = 0, changed = 0;

	if (notify == NULL || notify->is_fetching)
		return true;
	if (notify->has_overflowed) {
		put_overflow(session);
		return true;
	}
	command->session = session;
	command->account = session->account;
	command->out = &session->out;
	command->parser.is_utf8_names = session->is_utf8 || session->is_rev2;
	while (names < notify->name_count &&
	       session->out.size < COMMAND_OUTPUT_SIZE)
		put_name(session, &notify->names[names++]);
	while (names == notify->name_count && changed < notify->changed_count &&
	       session->out.size < COMMAND_OUTPUT_SIZE)
		put_status(session, notify->changed[changed++]);
	forget(notify, names, changed);
	return notify->name_count == 0 && notify->changed_count == 0;
}

/* ---- Between commands ---- */

/* As if the client had said UID FETCH, but for the tagged answer. */
static void
begin_fetch(struct imap_session *session)
{
	struct session_notify *notify = session->notify;
	uint32_t first = notify->fetch_first, last = notify->fetch_last;

	notify->fetch_first = 0;
	notify->was_idling = is_idling(session);
	if (notify->was_idling)
		memcpy(notify->idle_tag, session->tag, sizeof(session->tag));
	notify->is_fetching = true;
	session_begin_unasked(session, "FETCH");
	session->command.is_uid = true;
	session_after_step(session, cmd_fetch_unasked(&session->command,
					&notify->request.fetch, first, last));
}

/* A command that is there already counts on the numbers that its client
 * knows. */
bool
session_notify_step(struct imap_session *session)
{
	size_t before = session->out.size;

	if (session->notify == NULL ||
	    (!is_between(session) && !is_idling(session)))
		return false;
	if (session->in.size == 0 && !session_put_updates(session, true))
		return false;
	if (session->notify != NULL && session->notify->fetch_first != 0 &&
	    session->view != NULL) {
		begin_fetch(session);
		return true;
	}
	return session->out.size > before;
}

bool
session_notify_finish(struct imap_session *session)
{
	struct session_notify *notify = session->notify;
	bool was_idling;

	if (notify == NULL || !notify->is_fetching)
		return false;
	notify->is_fetching = false;
	was_idling = notify->was_idling;
	session_begin_unasked(session, was_idling ? "IDLE" : NULL);
	if (!was_idling) {
		session_enter_state(session, SESSION_READING);
		return true;
	}
	memcpy(session->tag, notify->idle_tag, sizeof(session->tag));
	session->step = COMMAND_IDLE;
	session_enter_state(session, SESSION_WORKING);
	return true;
}

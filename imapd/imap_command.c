/*
 * What commands say and change: tagged answers with their response codes from
 * one table, the wait for the store, and the forms that several commands
 * share.  Answers wait in the session until the updates before them are sent.
 */
#include "imapd/imap_command.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/record.h"
#include "imapd/imap_session_state.h"
#include "imapd/session_notify.h"
#include "imapd/imap_writer.h"
#include "imapd/snapshot_name.h"

#include <stdlib.h>

bool
command_output_is_full(const struct imap_command *command)
{
	return command->out->size >= COMMAND_OUTPUT_SIZE;
}

struct buf *
command_answer(struct imap_command *command)
{
	buf_reset(&command->session->answer);
	return &command->session->answer;
}

static enum command_step
put_answer(struct imap_command *command, const char *word, const char *text)
{
	(void)buf_put_format(command_answer(command), "%s %s", word, text);
	return COMMAND_DONE;
}

enum command_step
command_ok(struct imap_command *command, const char *text)
{
	return put_answer(command, "OK", text);
}

enum command_step
command_ok_modseq(struct imap_command *command, const char *text)
{
	(void)buf_put_format(command_answer(command),
	    "OK [HIGHESTMODSEQ %llu] %s",
	    (unsigned long long)mailbox_view_info(command->view)
		->highest_modseq,
	    text);
	return COMMAND_DONE;
}

enum command_step
command_no(struct imap_command *command, const char *text)
{
	return put_answer(command, "NO", text);
}

enum command_step
command_bad(struct imap_command *command, const char *text)
{
	return put_answer(command, "BAD", text);
}

enum command_step
command_malformed(struct imap_command *command)
{
	const char *error = command->parser.error;

	return command_bad(command, error != NULL ? error : "Syntax error");
}

enum command_step
command_failed(struct imap_command *command, enum status status)
{
	static const char *const texts[STATUS_COUNT] = {
		[STATUS_OK] = "Done",
		[STATUS_MISSING] = "[NONEXISTENT] No such mailbox",
		[STATUS_EXISTS] = "[ALREADYEXISTS] Mailbox exists",
		[STATUS_REFUSED] = "[CANNOT] Not permitted",
		[STATUS_INVALID] = "[CANNOT] Invalid mailbox name",
		[STATUS_LIMIT] = "[LIMIT] Beyond a limit of this server",
		[STATUS_FULL] = "[OVERQUOTA] No space left",
		[STATUS_UNAVAILABLE] =
		    "[UNAVAILABLE] Mail store is not available, try again",
		[STATUS_FENCED] =
		    "[UNAVAILABLE] Mail is kept, but cannot be shown safely "
		    "now; the administrator has been told",
		[STATUS_DAMAGED] = "[SERVERBUG] Stored message is damaged",
		[STATUS_BUSY] = "[INUSE] Busy, try again",
		[STATUS_PARTLY] = "[SERVERBUG] Done in part",
		[STATUS_QUOTA] =
		    "[OVERQUOTA] Mailboxes are full: delete something first",
		[STATUS_ALLOWANCE] =
		    "[LIMIT] Account has changed as much as it may in a day, "
		    "try again tomorrow",
	};

	if ((unsigned int)status >= STATUS_COUNT)
		status = STATUS_UNAVAILABLE;
	return command_no(command, texts[status]);
}

bool
command_is_past(struct imap_command *command, struct text mailbox)
{
	return snapshot_name_is(mailbox) &&
	       mailbox_list_find(command->account, mailbox) == NULL;
}

enum command_step
command_no_permission(struct imap_command *command)
{
	return command_no(command,
	    "[NOPERM] Snapshots do not change: copy messages out of them");
}

/* ---- Waiting ---- */

void *
command_wait(struct imap_command *command,
    enum command_step (*answered)(
	struct imap_command *command, const struct mailbox_answer *answer))
{
	struct session_wait *wait = memory_new(1, sizeof(*wait));

	wait->session = command->session;
	wait->answered = answered;
	command->session->wait = wait;
	return wait;
}

void
command_wake(struct imap_command *command, enum command_step step)
{
	struct imap_session *session = command->session;

	session->step = step;
	session->was_woken = true;
	if (session->is_running)
		return; /* session_after_step sees it */
	session->was_woken = false;
	if (step == COMMAND_DONE)
		session_enter_state(session, SESSION_UPDATING);
	session_run(session);
}

void
command_change_done(const struct mailbox_answer *answer, void *context)
{
	struct session_wait *wait = context;
	struct imap_session *session = wait->session;
	enum command_step (*answered)(struct imap_command * command,
	    const struct mailbox_answer *answer) = wait->answered;
	enum command_step step;
	bool was_running;

	free(wait);
	if (session == NULL)
		return;
	session->wait = NULL;
	/* What it asks for next may be there at once, too. */
	was_running = session->is_running;
	session->is_running = true;
	session->was_woken = false;
	session_act(session);
	step = answered(&session->command, answer);
	account_store_act_for(session->account, NULL);
	session->is_running = was_running;
	if (step == COMMAND_WAIT && session->was_woken)
		step = session->step;
	command_wake(&session->command, step);
}

/* ---- The session ---- */

bool
command_is_condstore(const struct imap_command *command)
{
	return command->session->is_condstore;
}

bool
command_is_qresync(const struct imap_command *command)
{
	return command->session->is_qresync;
}

void
command_enable_qresync(struct imap_command *command)
{
	command->session->is_qresync = true;
	command_enable_condstore(command);
}

void
command_enable_uidonly(struct imap_command *command)
{
	command->session->is_uidonly = true;
}

bool
command_is_uidonly(const struct imap_command *command)
{
	return command->session->is_uidonly;
}

void
command_enable_condstore(struct imap_command *command)
{
	const struct mailbox_info *info;

	if (command->session->is_condstore)
		return;
	command->session->is_condstore = true;
	if (command->view == NULL)
		return;
	info = mailbox_view_info(command->view);
	(void)buf_put_format(command->out,
	    "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
	    (unsigned long long)info->highest_modseq);
}

void
command_enable_utf8(struct imap_command *command)
{
	command->session->is_utf8 = true;
}

void
command_enable_rev2(struct imap_command *command)
{
	command->session->is_rev2 = true;
}

bool
command_is_rev2(const struct imap_command *command)
{
	return command->session->is_rev2;
}

const char *
command_recent(const struct imap_command *command, uint32_t uid)
{
	return !command->session->is_rev2 &&
		       mailbox_view_is_recent(command->view, uid)
		   ? "\\Recent"
		   : NULL;
}

void
command_select(struct imap_command *command, struct mailbox_view *view)
{
	mailbox_view_close(&command->session->view);
	command_save(command, NULL, 0);
	session_notify_reselect(command->session);
	command->session->view = view;
	command->view = view;
}

void
command_logout(struct imap_command *command)
{
	struct imap_session *session = command->session;

	(void)buf_put_format(command->out,
	    "* BYE Logging out\r\n%s OK Logout completed\r\n", session->tag);
	session_enter_state(session, SESSION_CLOSING);
}

void
command_disconnect(struct imap_command *command, const char *why)
{
	struct imap_session *session = command->session;

	log_warning("session-broken", "sid=%llu why=\"%s\"",
	    (unsigned long long)session->number, why);
	session_enter_state(session, SESSION_ENDED);
}

bool
command_start_compression(struct imap_command *command)
{
	struct imap_session *session = command->session;

	session->wants_compression = session->deflate == NULL;
	return session->wants_compression;
}

void
command_put_mailbox_flags(struct imap_command *command)
{
	const struct mailbox_info *info = mailbox_view_info(command->view);
	uint64_t all = info->keyword_count >= 64
			   ? UINT64_MAX
			   : (UINT64_C(1) << info->keyword_count) - 1;
	struct buf *out = command->out;

	(void)buf_put_text(out, "* FLAGS ");
	(void)imap_put_flags(
	    out, FLAG_ALL, all, info->keywords, info->keyword_count, NULL);
	(void)buf_put_text(out, "\r\n* OK [PERMANENTFLAGS ");
	if (mailbox_view_is_read_only(command->view))
		(void)buf_put_text(out, "()] Read-only mailbox\r\n");
	else {
		(void)imap_put_flags(out, FLAG_ALL, all, info->keywords,
		    info->keyword_count,
		    info->keyword_count < RECORD_MAX_KEYWORDS ? "\\*" : NULL);
		(void)buf_put_text(out, "] Flags permitted\r\n");
	}
}

void
command_put_fetch(struct imap_command *command, size_t number, uint32_t uid)
{
	if (command_is_uidonly(command))
		(void)buf_put_format(command->out, "* %u UIDFETCH (", uid);
	else
		(void)buf_put_format(command->out, "* %zu FETCH (", number);
}

void
command_put_flags_update(struct imap_command *command, size_t number,
    uint32_t uid, bool has_flags, bool has_modseq)
{
	const struct mailbox_info *info = mailbox_view_info(command->view);
	struct mailbox_row row;
	const char *recent;
	struct buf *out = command->out;

	if (!mailbox_row(command->view, uid, &row))
		return;
	recent = command_recent(command, uid);
	command_put_fetch(command, number, uid);
	if ((command->is_uid || has_modseq) && !command_is_uidonly(command))
		(void)buf_put_format(
		    out, "UID %u%s", uid, has_flags || has_modseq ? " " : "");
	if (has_modseq)
		(void)buf_put_format(out, "MODSEQ (%llu)%s",
		    (unsigned long long)row.modseq, has_flags ? " " : "");
	if (has_flags) {
		(void)buf_put_text(out, "FLAGS ");
		(void)imap_put_flags(out, row.flags, row.keywords,
		    info->keywords, info->keyword_count, recent);
	}
	(void)buf_put_text(out, ")\r\n");
}

/* ---- Sets ---- */

void
command_save(struct imap_command *command, const uint32_t *uids, size_t count)
{
	struct imap_set *saved = &command->session->saved;
	size_t ranges = 0;

	for (size_t i = 0; i < count; i++)
		ranges += i == 0 || uids[i] != uids[i - 1] + 1;
	memory_free(&saved->ranges);
	saved->count = 0;
	if (count == 0)
		return;
	saved->ranges = memory_new(ranges, sizeof(*saved->ranges));
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || uids[i] != uids[i - 1] + 1)
			saved->ranges[saved->count++].first = uids[i];
		saved->ranges[saved->count - 1].last = uids[i];
	}
}

const struct imap_set *
command_saved(const struct imap_command *command)
{
	return &command->session->saved;
}

/* The numbers of the messages in a range, of which there may be none. */
static void
range_numbers(struct mailbox_view *view, const struct imap_range *range,
    bool is_uid, size_t *first, size_t *last)
{
	*first = range->first;
	*last = range->last;
	if (!is_uid)
		return;
	*first = mailbox_view_number_from(view, range->first);
	*last = range->last == UINT32_MAX
		    ? mailbox_view_count(view)
		    : mailbox_view_number_from(view, range->last + 1) - 1;
}

/* As many are allocated as there are: most commands name one of a million. */
static void
collect_uids(struct imap_command *command, const struct imap_set *set,
    bool is_uid, uint32_t **uids, size_t *count)
{
	struct mailbox_view *view = command->view;
	size_t first, last, total = 0;

	for (size_t i = 0; i < set->count; i++) {
		range_numbers(view, &set->ranges[i], is_uid, &first, &last);
		total += last + 1 - first;
	}
	*count = 0;
	*uids = pool_alloc(command->pool, total + 1, sizeof(**uids));
	for (size_t i = 0; i < set->count; i++) {
		range_numbers(view, &set->ranges[i], is_uid, &first, &last);
		for (; first <= last; first++)
			(*uids)[(*count)++] = mailbox_view_uid(view, first);
	}
}

int
command_uids(struct imap_command *command, struct imap_set *set,
    uint32_t **uids, size_t *count)
{
	size_t messages = mailbox_view_count(command->view);
	uint32_t maximum;

	*count = 0;
	maximum = (uint32_t)messages;
	if (command->is_uid)
		maximum = messages == 0
			      ? 0
			      : mailbox_view_uid(command->view, messages);
	*uids = NULL;
	if (set->is_saved) {
		collect_uids(
		    command, command_saved(command), true, uids, count);
		return 0;
	}
	if (messages == 0)
		return command->is_uid
			   ? 0
			   : imap_parse_error(&command->parser,
				 "Invalid message number: mailbox is empty");
	imap_set_resolve(set, maximum);
	if (!command->is_uid && imap_set_last(set) > messages)
		return imap_parse_error(
		    &command->parser, "Message number beyond the mailbox");
	collect_uids(command, set, command->is_uid, uids, count);
	return 0;
}

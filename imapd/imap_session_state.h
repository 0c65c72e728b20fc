/*
 * The inside of a session, for imap_session.c, session_*.c and imap_command.c
 * only.
 */
#ifndef IMAPD_IMAP_SESSION_STATE_H
#define IMAPD_IMAP_SESSION_STATE_H

#include "imapd/imap_command.h"
#include "imapd/imap_deflate.h"
#include "imapd/imap_input.h"
#include "imapd/imap_session.h"

enum {
	SESSION_TIMEOUT_MS = 30 * 60 * 1000, /* RFC 3501 5.4 */
	SESSION_STALL_MS = 5 * 60 * 1000     /* a client that reads nothing */
};

enum session_state {
	SESSION_OPENING,   /* until the account can be served */
	SESSION_READING,   /* between commands */
	SESSION_APPENDING, /* arguments of an APPEND come in, with messages */
	SESSION_WORKING,   /* a command is at work */
	SESSION_UPDATING,  /* it is done: updates, then its tagged answer */
	SESSION_CLOSING,   /* send what is left, then end */
	SESSION_ENDED
};

struct session_notify;
struct session_waking;

/* Outlives the session: the context of a change that is under way. */
struct session_wait {
	struct imap_session *session; /* NULL: gone */
	enum command_step (*answered)(
	    struct imap_command *command, const struct mailbox_answer *answer);
};

struct imap_session {
	struct event_loop *loop;
	struct account_store *account;
	int fd;
	uint64_t number;
	struct change_note note; /* who it is, for the log of changes */
	bool is_direct; /* the client's own socket: no front looks after him */
	bool is_condstore;
	bool is_qresync;
	bool is_utf8;           /* UTF8=ACCEPT (RFC 9755) was enabled */
	bool is_rev2;           /* IMAP4rev2 (RFC 9051) was enabled */
	bool is_uidonly;        /* UIDONLY (RFC 9586) was enabled */
	bool is_quiet;          /* NOTIFY NONE: nothing unasked */
	bool is_running;        /* session_run is on the stack */
	bool was_woken;         /* ... and meanwhile the command was answered */
	bool was_active;        /* bytes came since the owner asked */
	bool was_read;          /* the client took bytes in that time, */
	bool was_taken;         /* and since his stall was looked at */
	bool is_input_ended;    /* the client will send nothing more */
	bool is_input_taken;    /* all that was there at the last event */
	bool is_input_watched;  /* as far as the loop knows */
	bool wants_compression; /* from behind the tagged answer on */
	bool is_in_progress;    /* a command is not over at once */
	bool is_asleep;         /* another will go on with it */
	unsigned int bad_commands;
	int64_t silent_since_us; /* when the last byte came */
	enum session_state state;
	enum command_step step;
	struct watch *watch;
	struct timer *timeout;
	struct timer *turn;
	struct timer *progress; /* NULL between commands */
	struct timer *stall;    /* NULL: nothing waits to be read by him */
	struct buf in;
	struct buf out;
	struct buf answer;            /* the tagged line without its tag */
	struct imap_deflate *deflate; /* NULL: `in` and `out` go as they are */
	struct buf packed_in;
	struct buf packed_out; /* `out` follows */
	size_t filled_bytes;   /* into `in`, since others had their turn, */
	size_t sent_bytes;     /* and to the client */
	struct imap_input input;
	const struct imap_limits *limits;
	struct pool *pool;
	struct mailbox_view *view;
	struct imap_set saved; /* UIDs; ranges on the heap */
	struct imap_command command;
	struct session_notify *notify; /* NULL: NOTIFY is not in force */
	struct session_wait *wait;
	struct buf sleep; /* what it was, before it goes on here, */
	struct session_waking *waking; /* and as it is read meanwhile */
	char tag[IMAP_MAX_TAG_SIZE + 1];
	size_t append_offset; /* of the input's command: read so far */
	void (*ended)(struct imap_session *session, void *context);
	void *ended_context;
};

void session_enter_state(
    struct imap_session *session, enum session_state state);
void session_run(struct imap_session *session);
void session_say(struct imap_session *session, const char *line);
/* The client has sent nothing for SESSION_TIMEOUT_MS. */
void session_silent(struct imap_session *session);
/* Says a last line. */
void session_bye(struct imap_session *session, const char *line);
/* ---- session_command.c ---- */

/* What the client sent: a command, a part of one, or what is none. */
void session_input_event(struct imap_session *session,
    enum imap_input_event event, struct text data);
/* A line after IDLE (RFC 2177): only DONE ends it well. */
void session_idle_line(
    struct imap_session *session, enum imap_input_event event);
/* Updates, then its tagged answer: false if the client has to read before. */
bool session_finish_command(struct imap_session *session);
/* Before each part of a command: what it changes is noted as the session's,
 * until account_store_act_for(account, NULL). */
void session_act(struct imap_session *session);

/* A command that the client did not give: by its name, or (NULL) none. */
void session_begin_unasked(struct imap_session *session, const char *name);
/* The command in the input, as far as it is there. */
void session_begin_command(struct imap_session *session);
/* Tag and name: finds the rule. NULL, or what is wrong. */
const char *session_parse_name(struct imap_session *session);
/* It may not be carried out here, and was answered. */
bool session_is_refused(struct imap_session *session);
enum command_step session_carry_out(struct imap_session *session,
    enum command_step (*part)(struct imap_command *command));
void session_after_step(struct imap_session *session, enum command_step step);
void session_answer_bad(struct imap_session *session, const char *text);

/* ---- session_append.c ---- */

/* A literal was announced: part of a command, or a message of an APPEND. */
void session_literal(struct imap_session *session);
/* The last line of what began with such a message is there. */
void session_append_end(struct imap_session *session);
/* The command goes on before the next bytes: true if there is more to do. */
bool session_append_work(struct imap_session *session);

/* ---- session_stream.c ---- */

/* As much of what was said as the client takes; -1 if he is gone. */
int session_flush(struct imap_session *session);
/* Nothing waits to be sent. */
bool session_is_drained(const struct imap_session *session);
/* Bytes for the next command, 0 if there are none now. */
size_t session_fill(struct imap_session *session);
/* From now on both directions are compressed; session->in is empty. */
void session_compress(struct imap_session *session);
/* Of a client's own socket: ends one who takes nothing of what waits, and
 * acknowledges what came of a command that goes on. */
void session_look_after(struct imap_session *session);
/* Gives memory back. */
void session_rest_stream(struct imap_session *session);

/* ---- session_sleep.c ---- */

/* It becomes what session->sleep says, from the loop if the store is to be
 * asked. */
void session_wake_up(struct imap_session *session);
/* ... or is freed before. */
void session_forget_sleep(struct imap_session *session);

/* ---- session_progress.c ---- */

/* The command with that tag is at work; it is over. */
void session_progress_begin(struct imap_session *session);
void session_progress_end(struct imap_session *session);
/* How far it is, if that may be told now. */
void session_progress_tell(struct imap_session *session);

/* ---- session_updates.c ---- */

/* True when all that may be told now was told. */
bool session_put_updates(struct imap_session *session, bool may_expunge);

#endif

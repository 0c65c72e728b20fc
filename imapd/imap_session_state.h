/*
 * The inside of a session, for imap_session.c and imap_command.c only.
 */
#ifndef IMAPD_IMAP_SESSION_STATE_H
#define IMAPD_IMAP_SESSION_STATE_H

#include "imapd/imap_command.h"
#include "imapd/imap_input.h"
#include "imapd/imap_session.h"

enum session_state {
	SESSION_OPENING,   /* until the account can be served */
	SESSION_READING,   /* between commands */
	SESSION_APPENDING, /* the message of an APPEND comes in */
	SESSION_WORKING,   /* a command is at work */
	SESSION_UPDATING,  /* it is done: updates, then its tagged answer */
	SESSION_CLOSING,   /* send what is left, then end */
	SESSION_ENDED
};

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
	bool is_tls;
	bool is_condstore;
	bool is_qresync;
	bool is_running;     /* session_run is on the stack */
	bool was_woken;      /* ... and meanwhile the command was answered */
	bool was_active;     /* bytes came since the owner asked */
	bool is_input_ended; /* the client will send nothing more */
	unsigned int bad_commands;
	enum session_state state;
	enum command_step step;
	struct watch *watch;
	struct timer *timeout;
	struct timer *turn;
	struct buf in;
	struct buf out;
	struct buf answer; /* the tagged line without its tag */
	struct imap_input input;
	struct pool *pool;
	struct mailbox_view *view;
	struct imap_set saved; /* UIDs; ranges on the heap */
	struct imap_command command;
	struct session_wait *wait;
	char tag[IMAP_MAX_TAG_SIZE + 1];
	void (*ended)(struct imap_session *session, void *context);
	void *ended_context;
};

void session_enter_state(
    struct imap_session *session, enum session_state state);
void session_run(struct imap_session *session);
/* Before each part of a command: what it changes is noted as the session's,
 * until account_store_act_for(account, NULL). */
void session_act(struct imap_session *session);

#endif

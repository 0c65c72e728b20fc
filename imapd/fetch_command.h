/*
 * What the files of FETCH share: the state of a command, and the parts of its
 * responses.
 */
#ifndef IMAPD_FETCH_COMMAND_H
#define IMAPD_FETCH_COMMAND_H

#include "imapd/fetch_binary.h"
#include "imapd/fetch_items.h"
#include "imapd/imap_command.h"
#include "imapd/message_cache.h"
#include "imapd/partial_range.h"
#include "imapd/qresync.h"

enum fetch_stage {
	FETCH_MESSAGE,  /* the next message */
	FETCH_READING,  /* its body is asked for */
	FETCH_SECTIONS, /* its response is begun: sections from the body */
	FETCH_COUNTING, /* how long a BINARY literal will be */
	FETCH_STREAMING /* in the middle of a literal */
};

struct fetch_state {
	struct fetch_items items;
	bool is_changed_since;
	uint64_t changed_since;
	struct partial_range partial; /* of what is to be answered */
	bool is_saved_known;          /* the store was asked, if it had to be */
	bool is_vanished;       /* what vanished since is asked for, too: */
	struct imap_set within; /* of these */
	struct qresync_vanished vanished;
	uint32_t *uids;
	size_t count;
	size_t at;            /* the message that is being answered */
	const uint32_t *seen; /* those that FETCH itself has marked */
	size_t seen_count;
	size_t turn; /* messages since others had their turn */
	enum fetch_stage stage;
	enum status worst;
	bool is_expunge_issued;
	bool is_encoding_unknown; /* of a BINARY part */
	/* Of the current message. */
	struct pool *pool;
	struct buf record; /* a cache record that we made, */
	bool is_uncached;  /* for there was none */
	struct mailbox_body body;
	bool is_read;
	struct mime_part *root;
	bool is_whole; /* of all messages nothing is asked for but all bytes */
	bool section_kept[IMAP_MAX_FETCH_ITEMS]; /* in the cache, of any message
						  */
	struct buf fields;                       /* of such a section */
	bool section_done[IMAP_MAX_FETCH_ITEMS];
	size_t section_at;
	const char *space;
	uint64_t offset; /* of a literal in flight, as stored */
	uint64_t end;
	struct line_ends line_ends;
	bool is_binary; /* that literal is decoded: */
	struct fetch_binary binary;
	struct fetch_binary counted; /* the same, from its beginning */
	uint64_t binary_size;
	bool has_nul;
};

/* As UID FETCH of UIDs `first` to `last`, that nobody asked for just now. */
enum command_step cmd_fetch_unasked(struct imap_command *command,
    const struct fetch_items *items, uint32_t first, uint32_t last);

/* ---- fetch_response.c ---- */

/* The record of a message, out of the cache or of state->record. */
bool fetch_find_cache(
    struct imap_command *command, uint32_t uid, struct message_cache *cache);
/* Makes it from the body that was read, for state->record and the cache. 0, or
 * -1: the message is skipped. */
int fetch_make_cache(struct imap_command *command, uint32_t uid);
/* Which sections a cache can answer, and whether one is needed: once for all
 * messages. */
void fetch_find_kept(struct fetch_state *state);
/* Which sections this one answers; false if some need the body. */
bool fetch_check_sections(
    struct fetch_state *state, const struct message_cache *cache);
/* "* n FETCH (..." with all but the sections that the cache lacks; `cache`
 * NULL: nothing of it is asked for. */
void fetch_begin_response(struct imap_command *command,
    const struct mailbox_row *row, const struct message_cache *cache,
    bool is_all_cached);
/* "BODY[1]<0> ", with what stands in front of it. */
void fetch_put_label(
    struct imap_command *command, const struct fetch_section *section);
void fetch_put_literal(struct imap_command *command, struct text value);

/* ---- fetch_preview.c ---- */

/* "PREVIEW ..." of the body in `state`, whose parts are state->root. */
void fetch_put_preview(struct imap_command *command);

/* ---- fetch_sections.c ---- */

/* The sections that are left, then the end of the response: 1, 0 when the
 * client has to read before, 2 when others should have their turn, or -1 if the
 * file is not what it was. */
int fetch_put_sections(struct imap_command *command);

#endif

/*
 * Which message is being parsed right now, in a file beside the index that
 * outlives the worker.  Parsing is where hostile bytes meet the most code.  If
 * it kills the worker, the next one finds the note; a message that did so three
 * times in a row is quarantined: from then on it is never parsed, but served as
 * it is (message_raw.h), so that it does not keep its owner from all his other
 * mail.
 *
 * A key is 32 bytes by which the message is found again: the hash of its
 * content, or before that is known its delivery id.
 *
 * Of many that are parsed in one turn of the event loop, one note takes the
 * place of the other, and the last one's stands until the turn is over: who
 * dies in between blames that one, which costs it a death of three.
 *
 * The file `parsing`: u64 magic, then the note of now and NOTE_KEPT notes of
 * messages that killed, each of u8 deaths (now: 1 while it is being parsed) and
 * key.  A file that cannot be made costs the protection, nothing else.
 */
#ifndef IMAPD_PARSE_NOTE_H
#define IMAPD_PARSE_NOTE_H

#include "common/event_loop.h"
#include "common/messages.h"

#include <stdbool.h>

enum {
	PARSE_DEATHS = 3, /* of workers: then it is quarantined */
	PARSE_KEPT = 64   /* messages that killed; the oldest is forgotten */
};

struct parse_note;

/* Never NULL. */
struct parse_note *parse_note_open(struct event_loop *loop, int home_fd);
void parse_note_close(struct parse_note **note);

/* False: it is quarantined. Else it may be parsed, until parse_note_end, within
 * one turn of the event loop. */
bool parse_note_begin(struct parse_note *note, const struct hash *key);
void parse_note_end(struct parse_note *note);

bool parse_note_has(const struct parse_note *note, const struct hash *key);
/* A quarantined message gets a second key. */
void parse_note_add(struct parse_note *note, const struct hash *key);

#endif

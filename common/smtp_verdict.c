/*
 * The table of verdicts and replies (RFC 5321 section 4.2, RFC 3463).
 */
#include "common/smtp_verdict.h"

static const struct smtp_verdict_row rows[VERDICT_COUNT] = {
	[VERDICT_OK] = { 250, "2.0.0", "Ok" },
	[VERDICT_ACCEPTED] = { 250, "2.0.0", "Ok, safe on disk as" },
	[VERDICT_NO_STORE] = { 421, "4.3.0",
	    "The mail store is not there, try again later" },
	[VERDICT_UNAVAILABLE] = { 451, "4.3.0",
	    "The mail store is away for a moment, try again" },
	[VERDICT_NO_SPACE] = { 452, "4.3.1", "No space left, try again later" },
	[VERDICT_BUSY] = { 452, "4.3.2",
	    "Too much mail at once, try again later" },
	[VERDICT_TOO_MANY_RECIPIENTS] = { 452, "4.5.3",
	    "Too many recipients, send the rest in another transaction" },
	[VERDICT_TOO_BIG] = { 552, "5.3.4", "Message is larger than we take" },
	[VERDICT_UNKNOWN_USER] = { 550, "5.1.1", "No such user here" },
	[VERDICT_RELAYING] = { 550, "5.7.1", "Relaying denied" },
	[VERDICT_BAD_RECIPIENT] = { 553, "5.1.3", "Malformed address" },
	[VERDICT_BAD_SENDER] = { 553, "5.1.7", "Malformed sender address" },
	[VERDICT_NOT_LOGGED_IN] = { 530, "5.7.0", "Authentication required" },
	[VERDICT_SENDER_NOT_OWNED] = { 553, "5.7.1",
	    "This sender address does not belong to the login" },
	[VERDICT_NO_RECIPIENTS] = { 554, "5.5.1", "No valid recipients" },
	[VERDICT_LOOP] = { 554, "5.4.6",
	    "Too many hops: this message is in a loop" },
	[VERDICT_BARE_LF] = { 550, "5.6.0",
	    "Bare LF in the message: lines must end in CR LF" },
	[VERDICT_BARE_CR] = { 550, "5.6.0",
	    "Bare CR in the message: lines must end in CR LF" },
	[VERDICT_NUL] = { 550, "5.6.0", "NUL byte in the message" },
	[VERDICT_MANY_FROM] = { 554, "5.6.0",
	    "More than one From field in the message" },
	[VERDICT_REFUSED] = { 554, "5.3.0", "Message refused by the store" },
	[VERDICT_SEQUENCE] = { 503, "5.5.1", "Bad sequence of commands" },
	[VERDICT_SENT_ENOUGH] = { 452, "4.7.1",
	    "You have sent as much as you may in a day, try again later" },
	[VERDICT_BINARY] = { 554, "5.6.1",
	    "This binary message cannot be converted for mailboxes here" },
	[VERDICT_OVERQUOTA] = { 452, "4.2.2",
	    "Mailbox is full, try again later" },
	[VERDICT_URL_MALFORMED] = { 501, "5.5.4",
	    "This is no IMAP URL of a message" },
	[VERDICT_URL_FOREIGN] = { 554, "5.7.14",
	    "URLs of that server are not taken here" },
	[VERDICT_URL_REFUSED] = { 554, "5.7.0",
	    "IMAP URL authorization failed" },
	[VERDICT_URL_MISSING] = { 554, "5.6.6", "IMAP URL resolution failed" },
	[VERDICT_URL_UNAVAILABLE] = { 451, "4.4.1",
	    "The mailbox cannot be read now, try again" },
};

const struct smtp_verdict_row *
smtp_verdict_row(unsigned int verdict)
{
	return verdict < VERDICT_COUNT ? &rows[verdict]
				       : &rows[VERDICT_UNAVAILABLE];
}

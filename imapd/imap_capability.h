/*
 * What CAPABILITY says, to keep the front (before login) and the worker (after
 * it) of one mind.
 */
#ifndef IMAPD_IMAP_CAPABILITY_H
#define IMAPD_IMAP_CAPABILITY_H

/* Before login; STARTTLS, AUTH=... and LOGINDISABLED are added as they apply.*/
#define IMAP_CAPABILITY_BEFORE_LOGIN "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE"

/* After login: only what is complete. */
#define IMAP_CAPABILITY_AFTER_LOGIN                                         \
	"IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE " \
	"UNSELECT CHILDREN SPECIAL-USE CONDSTORE QRESYNC ESEARCH "          \
	"SEARCHRES LIST-EXTENDED LIST-STATUS SORT SORT=DISPLAY"

#endif

/*
 * What CAPABILITY says, to keep the front (before login) and the worker (after
 * it) of one mind.
 */
#ifndef IMAPD_IMAP_CAPABILITY_H
#define IMAPD_IMAP_CAPABILITY_H

/* Before login; STARTTLS, AUTH=... and LOGINDISABLED are added as they apply.*/
#define IMAP_CAPABILITY_BEFORE_LOGIN \
	"IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE"

/* The most bytes that APPEND takes, in one message or several (RFC 7889): what
 * one batch of the store holds. */
#define IMAP_APPEND_LIMIT      (250 * 1024 * 1024)
#define IMAP_APPEND_LIMIT_TEXT "262144000"

/* The most messages that a command works on (RFC 9738): a commit of so many
 * changes takes some 100 MB while it lasts. */
#define IMAP_MESSAGE_LIMIT      1000000
#define IMAP_MESSAGE_LIMIT_TEXT "1000000"

/* After login: only what is complete. */
#define IMAP_CAPABILITY_AFTER_LOGIN                                           \
	"IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE "                \
	"COMPRESS=DEFLATE BINARY "                                            \
	"UTF8=ACCEPT MULTIAPPEND CATENATE URL-PARTIAL URLAUTH REPLACE "       \
	"NAMESPACE UIDPLUS MOVE "                                             \
	"UNSELECT CHILDREN SPECIAL-USE CREATE-SPECIAL-USE CONDSTORE QRESYNC " \
	"ESEARCH SEARCHRES WITHIN PARTIAL LIST-EXTENDED LIST-STATUS "         \
	"STATUS=SIZE OBJECTID PREVIEW SAVEDATE "                              \
	"APPENDLIMIT=" IMAP_APPEND_LIMIT_TEXT                                 \
	" MESSAGELIMIT=" IMAP_MESSAGE_LIMIT_TEXT                              \
	" SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES"    \
	" I18NLEVEL=1 NOTIFY UIDONLY UIDBATCHES INPROGRESS QUOTA "            \
	"QUOTA=RES-STORAGE QUOTA=RES-MESSAGE"

#endif

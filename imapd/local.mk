# Sources of imapd/ in the order in which data flows through them.
include imapd/imap.mk

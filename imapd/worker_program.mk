# To be included by imapd/local.mk once process.c (walls) and the sessions
# (imap) are there: their library comes first.
pkglibexec_PROGRAMS += imapd/imapd-worker
imapd_imapd_worker_SOURCES = imapd/worker_main.c
imapd_imapd_worker_LDADD = $(IMAP_SESSION_LIBS) $(WORKER_LIBS)

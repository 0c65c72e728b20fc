# Sources of man/ in the order in which data flows through them.
dist_man_MANS += man/firnmail-smtpd.8 man/firnmail-smtpd-queue.8
dist_man_MANS += man/firnmaild.8 man/snapctl.8 man/firnmail.8
dist_man_MANS += man/firnmail-imapd-worker.8
dist_man_MANS += man/firnmail.conf.5
dist_man_MANS += man/firnmail-authd.8 man/firnmail-keyd.8
dist_man_MANS += man/firnmail-maildir.5
dist_man_MANS += man/firnmail-store.5
dist_man_MANS += man/firnmail-snapd.8 man/firnmail-snapd-verify.8 \
	man/firnmail-snapd-drill.8
dist_man_MANS += man/firnmail-broker.8 man/firnmail-logger.8
dist_man_MANS += man/firnmail-messages.7 man/firnmail-processes.7
dist_man_MANS += man/firnmail-imapd.8
dist_man_MANS += man/firnmail-sendmail.8
dist_man_MANS += man/firnmail-resolver.8 man/firnmail-fetcher.8
dist_man_MANS += man/firnmail-smtpd-relay.8
dist_man_MANS += man/firnmail-smtpd-spool.8

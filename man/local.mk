# Sources of man/ in the order in which data flows through them.
dist_man_MANS += man/firnmail-imapd-worker.8

# Sources of man/ in the order in which data flows through them.
dist_man_MANS += man/firnmaild.8

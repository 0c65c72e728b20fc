# Sources of fetcher/ in the order in which data flows through them.

pkglibexec_PROGRAMS += fetcher/fetcher
fetcher_fetcher_SOURCES = fetcher/main.c
fetcher_fetcher_LDADD = $(COMMON_LIBS)

# Sources of resolver/ in the order in which data flows through them.

pkglibexec_PROGRAMS += resolver/resolver
resolver_resolver_SOURCES = resolver/main.c
resolver_resolver_LDADD = $(COMMON_LIBS)

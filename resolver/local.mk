# Sources of resolver/ in the order in which data flows through them.
noinst_LIBRARIES += resolver/libresolver.a
resolver_libresolver_a_SOURCES = \
	resolver/lookups.c resolver/lookups.h \
	resolver/recursor.c resolver/recursor.h \
	resolver/dns_reply.c resolver/dns_reply.h
RESOLVER_LIBS = resolver/libresolver.a $(COMMON_LIBS) $(UNBOUND_LIBS)

pkglibexec_PROGRAMS += resolver/resolver
resolver_resolver_SOURCES = resolver/main.c
resolver_resolver_LDADD = $(RESOLVER_LIBS)

# Resolver and fetcher for real, everybody else played: for tests/system.
noinst_PROGRAMS += tests/system/net_stand
tests_system_net_stand_SOURCES = tests/system/net_stand.c $(REAL_PROCESS)
tests_system_net_stand_LDADD = $(FILTER_LIBS) $(COMMON_LIBS) $(IDN_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/dns_reply_test tests/unit/lookups_test
tests_unit_dns_reply_test_SOURCES = tests/unit/dns_reply_test.c
tests_unit_dns_reply_test_LDADD = $(RESOLVER_LIBS) $(CMOCKA_LIBS)
tests_unit_lookups_test_SOURCES = tests/unit/lookups_test.c
tests_unit_lookups_test_LDADD = $(RESOLVER_LIBS) $(CMOCKA_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/dns_reply_fuzz
tests_fuzz_dns_reply_fuzz_SOURCES = tests/fuzz/dns_reply_fuzz.c
tests_fuzz_dns_reply_fuzz_LDADD = resolver/libresolver.a $(COMMON_LIBS)
tests_fuzz_dns_reply_fuzz_LDFLAGS = $(LINK_FUZZER)
endif

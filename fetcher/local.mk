# Sources of fetcher/ in the order in which data flows through them.
noinst_LIBRARIES += fetcher/libfetcher.a
fetcher_libfetcher_a_SOURCES = \
	fetcher/fetches.c fetcher/fetches.h \
	fetcher/https_uri.c fetcher/https_uri.h \
	fetcher/addresses.c fetcher/addresses.h \
	fetcher/transfer.c fetcher/transfer.h
FETCHER_LIBS = fetcher/libfetcher.a $(COMMON_LIBS) $(CURL_LIBS)

pkglibexec_PROGRAMS += fetcher/fetcher
fetcher_fetcher_SOURCES = fetcher/main.c
fetcher_fetcher_LDADD = $(FETCHER_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/fetches_test
tests_unit_fetches_test_SOURCES = tests/unit/fetches_test.c
tests_unit_fetches_test_LDADD = $(FETCHER_LIBS) $(CMOCKA_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/https_uri_fuzz
tests_fuzz_https_uri_fuzz_SOURCES = tests/fuzz/https_uri_fuzz.c
tests_fuzz_https_uri_fuzz_LDADD = fetcher/libfetcher.a $(COMMON_LIBS)
tests_fuzz_https_uri_fuzz_LDFLAGS = $(LINK_FUZZER)
endif

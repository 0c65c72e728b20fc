# Sources of keyd/ in the order in which data flows through them.
noinst_LIBRARIES += keyd/libkeyd.a
keyd_libkeyd_a_SOURCES = \
	keyd/key_requests.c keyd/key_requests.h \
	keyd/sign_block.c keyd/sign_block.h \
	keyd/keys.c keyd/keys.h

pkglibexec_PROGRAMS += keyd/keyd
keyd_keyd_SOURCES = keyd/main.c
keyd_keyd_LDADD = keyd/libkeyd.a $(COMMON_LIBS) $(CRYPTO_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/keys_test
tests_unit_keys_test_SOURCES = tests/unit/keys_test.c
tests_unit_keys_test_LDADD = keyd/libkeyd.a $(COMMON_LIBS) $(CMOCKA_LIBS) \
	$(SSL_LIBS) $(CRYPTO_LIBS)
# Real TLS clients before a connection whose key is behind keyd's signer.
check_PROGRAMS += tests/unit/connection_test
tests_unit_connection_test_SOURCES = tests/unit/connection_test.c
tests_unit_connection_test_LDADD = keyd/libkeyd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/key_requests_test
tests_unit_key_requests_test_SOURCES = tests/unit/key_requests_test.c
tests_unit_key_requests_test_LDADD = keyd/libkeyd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS) $(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/tls_bio_test
tests_unit_tls_bio_test_SOURCES = tests/unit/tls_bio_test.c
tests_unit_tls_bio_test_CPPFLAGS = $(AM_CPPFLAGS) $(SSL_CFLAGS)
tests_unit_tls_bio_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=send -Wl,--wrap=recv
tests_unit_tls_bio_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/sign_block_fuzz
tests_fuzz_sign_block_fuzz_SOURCES = tests/fuzz/sign_block_fuzz.c
tests_fuzz_sign_block_fuzz_LDADD = keyd/libkeyd.a $(COMMON_LIBS)
tests_fuzz_sign_block_fuzz_LDFLAGS = $(LINK_FUZZER)
endif
EXTRA_DIST += tests/fuzz/sign_block.dict

# Sources of smtpd-relay in the order in which a job flows through them.

noinst_LIBRARIES += smtpd/librelay.a
smtpd_librelay_a_SOURCES = \
	smtpd/relay.c smtpd/relay.h \
	smtpd/relay_job.c \
	smtpd/relay_order.c smtpd/relay_order.h \
	smtpd/relay_outcome.c smtpd/relay_outcome.h \
	smtpd/relay_path.c smtpd/relay_path.h \
	smtpd/relay_names.c smtpd/relay_names.h \
	smtpd/relay_hosts.c smtpd/relay_hosts.h \
	smtpd/relay_policies.c smtpd/relay_policies.h \
	smtpd/relay_kept.c smtpd/relay_kept.h \
	smtpd/relay_security.c smtpd/relay_security.h \
	smtpd/relay_connect.c smtpd/relay_connect.h \
	smtpd/relay_session.c smtpd/relay_session.h \
	smtpd/relay_client.c smtpd/relay_client.h \
	smtpd/relay_extensions.c smtpd/relay_extensions.h \
	smtpd/relay_fit.c smtpd/relay_fit.h \
	smtpd/relay_transaction.c \
	smtpd/relay_downgrade.c smtpd/relay_downgrade.h \
	smtpd/relay_mail.c smtpd/relay_mail.h \
	smtpd/relay_body.c smtpd/relay_body.h \
	smtpd/relay_reply.c smtpd/relay_reply.h \
	smtpd/relay_rest.c \
	smtpd/relay_tally.c smtpd/relay_tally.h \
	smtpd/relay_tlsrpt.c smtpd/relay_tlsrpt.h
smtpd_libtlspolicy_a_SOURCES += smtpd/transport.c smtpd/transport.h
RELAY_LIBS = smtpd/librelay.a smtpd/libtlspolicy.a $(COMMON_LIBS)

pkglibexec_PROGRAMS += smtpd/smtpd-relay
smtpd_smtpd_relay_SOURCES = smtpd/relay_main.c
smtpd_smtpd_relay_LDADD = $(RELAY_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/relay_reply_test tests/unit/relay_client_test \
	tests/unit/relay_hosts_test tests/unit/relay_security_test \
	tests/unit/relay_test tests/unit/relay_tls_test \
	tests/unit/transport_test \
	tests/unit/relay_downgrade_test tests/unit/relay_policies_test
# Resolver, fetcher and spool are the test's.
tests_unit_relay_policies_test_SOURCES = tests/unit/relay_policies_test.c
tests_unit_relay_policies_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS)
tests_unit_relay_downgrade_test_SOURCES = tests/unit/relay_downgrade_test.c
tests_unit_relay_downgrade_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS)
tests_unit_transport_test_SOURCES = tests/unit/transport_test.c
tests_unit_transport_test_LDADD = $(RELAY_LIBS) $(IDN_LIBS) $(CMOCKA_LIBS)
tests_unit_relay_reply_test_SOURCES = tests/unit/relay_reply_test.c
tests_unit_relay_reply_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS)
tests_unit_relay_client_test_SOURCES = tests/unit/relay_client_test.c
tests_unit_relay_client_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS)
tests_unit_relay_hosts_test_SOURCES = tests/unit/relay_hosts_test.c
tests_unit_relay_hosts_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS)
tests_unit_relay_security_test_SOURCES = tests/unit/relay_security_test.c
tests_unit_relay_security_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS)
# The whole relay; spool, resolver, fetcher and the servers are the test's.
RELAY_STAND = tests/unit/relay_stand.c tests/unit/relay_stand.h \
	tests/unit/relay_words.h \
	tests/unit/odd_servers.c tests/unit/odd_servers.h $(LOOP_WAIT)
tests_unit_relay_test_SOURCES = tests/unit/relay_test.c $(RELAY_STAND)
tests_unit_relay_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS)
tests_unit_relay_tls_test_SOURCES = tests/unit/relay_tls_test.c $(RELAY_STAND)
tests_unit_relay_tls_test_LDADD = $(RELAY_LIBS) $(CMOCKA_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/relay_client_fuzz
tests_fuzz_relay_client_fuzz_SOURCES = tests/fuzz/relay_client_fuzz.c
tests_fuzz_relay_client_fuzz_LDADD = $(RELAY_LIBS)
tests_fuzz_relay_client_fuzz_LDFLAGS = $(LINK_FUZZER)
endif
EXTRA_DIST += tests/fuzz/relay_client.dict \
	tests/fuzz/corpus/relay_client/lmtp \
	tests/fuzz/corpus/relay_client/pipelined

# smtpd-relay in its sandbox, everybody else played; the test is the servers.
noinst_PROGRAMS += tests/system/relay_alone
tests_system_relay_alone_SOURCES = tests/system/relay_alone.c \
	tests/unit/relay_words.h $(REAL_PROCESS)
tests_system_relay_alone_LDADD = $(FILTER_LIBS) $(COMMON_LIBS)

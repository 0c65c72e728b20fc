# Sources of smtpd/ in the order in which data flows through them.

noinst_LIBRARIES += smtpd/libsmtpd.a smtpd/libqueue.a
smtpd_libsmtpd_a_SOURCES = \
	smtpd/smtp_front.c smtpd/smtp_front.h \
	smtpd/smtp_session.c smtpd/smtp_session.h \
	smtpd/smtp_command.c smtpd/smtp_command.h \
	smtpd/smtp_parameters.c smtpd/smtp_parameters.h \
	smtpd/future_release.c smtpd/future_release.h \
	smtpd/smtp_reply.c smtpd/smtp_reply.h \
	smtpd/smtp_hello.c \
	smtpd/xclient.c smtpd/xclient.h smtpd/smtp_xclient.c \
	smtpd/smtp_login.c \
	smtpd/smtp_envelope.c \
	smtpd/smtp_body.c smtpd/smtp_url.c \
	smtpd/smtp_data.c smtpd/smtp_data.h \
	smtpd/smtp_answer.c
smtpd_libqueue_a_SOURCES = \
	smtpd/queue.c smtpd/queue.h \
	smtpd/transaction.c smtpd/transaction.h smtpd/transaction_state.h \
	smtpd/transaction_envelope.c \
	smtpd/transaction_end.c smtpd/transaction_question.c \
	smtpd/transaction_report.c smtpd/transaction_binary.c \
	smtpd/transaction_release.c \
	smtpd/transaction_url.c smtpd/smtp_data.c \
	smtpd/relay_downgrade.c smtpd/relay_downgrade.h \
	smtpd/relay_body.c smtpd/relay_body.h \
	smtpd/forwarding.c smtpd/forwarding.h \
	smtpd/srs.c smtpd/srs.h \
	smtpd/full_list.c smtpd/full_list.h \
	smtpd/quota_book.c smtpd/quota_book.h \
	smtpd/transaction_quota.c \
	smtpd/received.c smtpd/received.h \
	smtpd/header_filter.c smtpd/header_filter.h \
	smtpd/mail_body.c smtpd/mail_body.h \
	smtpd/outgoing.c smtpd/outgoing.h \
	smtpd/filing.c smtpd/filing.h
noinst_LIBRARIES += smtpd/libspool.a
smtpd_libspool_a_SOURCES = \
	smtpd/spool_form.c smtpd/spool_form.h \
	smtpd/spool_env.c smtpd/spool_env.h \
	smtpd/spool_body.c smtpd/spool_body.h \
	smtpd/spool_store.c smtpd/spool_store.h smtpd/spool_store_state.h \
	smtpd/spool_store_take.c smtpd/spool_store_decide.c \
	smtpd/spool_store_end.c \
	smtpd/spool_allowance.c smtpd/spool_allowance.h \
	smtpd/spool_sent.c smtpd/spool_sent.h \
	smtpd/spool_senders.c smtpd/spool_senders.h \
	smtpd/spool_heap.c smtpd/spool_heap.h \
	smtpd/spool_ring.c smtpd/spool_ring.h \
	smtpd/spool_window.c smtpd/spool_window.h \
	smtpd/spool_schedule.c smtpd/spool_schedule.h \
	smtpd/spool_destination.c smtpd/spool_schedule_state.h \
	smtpd/spool_round.c smtpd/spool_round.h \
	smtpd/spool.c smtpd/spool.h \
	smtpd/spool_channels.c smtpd/spool_channels.h \
	smtpd/spool_writer.c smtpd/spool_writer.h \
	smtpd/spool_puts.c smtpd/spool_puts.h \
	smtpd/spool_jobs.c smtpd/spool_jobs.h \
	smtpd/spool_settle.c smtpd/spool_settle.h \
	smtpd/spool_report.c smtpd/spool_report.h \
	smtpd/spool_reporting.c smtpd/spool_reporting.h \
	smtpd/spool_arrival.c smtpd/spool_arrival.h \
	smtpd/spool_reports.c smtpd/spool_reports.h \
	smtpd/spool_undecided.c smtpd/spool_undecided.h \
	smtpd/tlsrpt_form.c smtpd/tlsrpt_form.h \
	smtpd/tlsrpt_store.c smtpd/tlsrpt_store.h \
	smtpd/tlsrpt_report.c smtpd/tlsrpt_report.h \
	smtpd/tlsrpt_mail.c \
	smtpd/spool_tls_reports.c smtpd/spool_tls_reports.h \
	smtpd/spool_tls_try.c smtpd/spool_tls_state.h \
	smtpd/spool_policies.c smtpd/spool_policies.h \
	smtpd/spool_page.c smtpd/spool_page.h smtpd/spool_list.c \
	smtpd/spool_control.c smtpd/spool_control.h

# What domains say about TLS: for relay and spool.
noinst_LIBRARIES += smtpd/libtlspolicy.a
smtpd_libtlspolicy_a_SOURCES = \
	smtpd/tag_list.c smtpd/tag_list.h \
	smtpd/sts_policy.c smtpd/sts_policy.h \
	smtpd/tlsrpt_record.c smtpd/tlsrpt_record.h

QUEUE_LIBS = smtpd/libqueue.a $(COMMON_LIBS) $(CRYPTO_LIBS) $(IDN_LIBS)

pkglibexec_PROGRAMS += smtpd/smtpd smtpd/smtpd-queue
smtpd_smtpd_SOURCES = smtpd/main.c
smtpd_smtpd_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS) $(SSL_LIBS) \
	$(CRYPTO_LIBS)
smtpd_smtpd_queue_SOURCES = smtpd/queue_main.c
smtpd_smtpd_queue_LDADD = $(QUEUE_LIBS)

pkglibexec_PROGRAMS += smtpd/smtpd-spool
SPOOL_LIBS = smtpd/libspool.a smtpd/libtlspolicy.a $(COMMON_LIBS) \
	$(LMDB_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS)
smtpd_smtpd_spool_SOURCES = smtpd/spool_main.c
smtpd_smtpd_spool_LDADD = $(SPOOL_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/smtp_data_test tests/unit/smtp_command_test \
	tests/unit/sasl_test tests/unit/received_test \
	tests/unit/smtp_session_test tests/unit/smtp_delivery_test
check_PROGRAMS += tests/unit/sts_policy_test
tests_unit_sts_policy_test_SOURCES = tests/unit/sts_policy_test.c
tests_unit_sts_policy_test_LDADD = smtpd/libtlspolicy.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/route_test tests/unit/listener_test
check_PROGRAMS += tests/unit/budget_test
tests_unit_budget_test_SOURCES = tests/unit/budget_test.c
tests_unit_budget_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_route_test_SOURCES = tests/unit/route_test.c
tests_unit_route_test_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/srs_test
tests_unit_srs_test_SOURCES = tests/unit/srs_test.c
tests_unit_srs_test_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/spool_store_test tests/unit/spool_schedule_test
tests_unit_spool_store_test_SOURCES = tests/unit/spool_store_test.c \
	tests/unit/scratch.h
tests_unit_spool_store_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/spool_puts_test
LOOP_WAIT = tests/unit/loop_wait.c tests/unit/loop_wait.h
SPOOL_STAND = tests/unit/spool_stand.c tests/unit/spool_stand.h \
	tests/unit/scratch.h $(LOOP_WAIT)
tests_unit_spool_puts_test_SOURCES = tests/unit/spool_puts_test.c \
	$(SPOOL_STAND)
tests_unit_spool_puts_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/spool_test tests/unit/spool_report_test \
	tests/unit/spool_reporting_test tests/unit/spool_queue_test \
	tests/unit/spool_control_test
check_PROGRAMS += tests/unit/tls_reports_test
tests_unit_tls_reports_test_SOURCES = tests/unit/tls_reports_test.c \
	$(SPOOL_STAND)
tests_unit_tls_reports_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
tests_unit_spool_report_test_SOURCES = tests/unit/spool_report_test.c
tests_unit_spool_report_test_LDADD = smtpd/libspool.a smtpd/libtlspolicy.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
SPOOL_PEERS = tests/unit/spool_peers.c tests/unit/spool_peers.h \
	$(SPOOL_STAND)
tests_unit_spool_test_SOURCES = tests/unit/spool_test.c $(SPOOL_PEERS)
tests_unit_spool_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
tests_unit_spool_reporting_test_SOURCES = tests/unit/spool_reporting_test.c \
	$(SPOOL_PEERS)
tests_unit_spool_reporting_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
tests_unit_spool_queue_test_SOURCES = tests/unit/spool_queue_test.c \
	$(SPOOL_PEERS)
tests_unit_spool_queue_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
tests_unit_spool_control_test_SOURCES = tests/unit/spool_control_test.c \
	$(SPOOL_PEERS)
tests_unit_spool_control_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/future_release_test
tests_unit_future_release_test_SOURCES = tests/unit/future_release_test.c
tests_unit_future_release_test_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/spool_policies_test
tests_unit_spool_policies_test_SOURCES = tests/unit/spool_policies_test.c \
	tests/unit/scratch.h
tests_unit_spool_policies_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
tests_unit_spool_schedule_test_SOURCES = tests/unit/spool_schedule_test.c
tests_unit_spool_schedule_test_LDADD = $(SPOOL_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/filing_test
tests_unit_filing_test_SOURCES = tests/unit/filing_test.c
tests_unit_filing_test_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)
TRANSACTION_STAND = tests/unit/transaction_stand.c \
	tests/unit/transaction_stand.h $(LOOP_WAIT)
check_PROGRAMS += tests/unit/transaction_test
tests_unit_transaction_test_SOURCES = tests/unit/transaction_test.c \
	$(TRANSACTION_STAND)
tests_unit_transaction_test_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/transaction_url_test
tests_unit_transaction_url_test_SOURCES = tests/unit/transaction_url_test.c \
	$(TRANSACTION_STAND)
tests_unit_transaction_url_test_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/quota_test
tests_unit_quota_test_SOURCES = tests/unit/quota_test.c \
	$(TRANSACTION_STAND)
tests_unit_quota_test_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)
tests_unit_listener_test_SOURCES = tests/unit/listener_test.c
tests_unit_listener_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_smtp_data_test_SOURCES = tests/unit/smtp_data_test.c
tests_unit_smtp_data_test_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_smtp_command_test_SOURCES = tests/unit/smtp_command_test.c
tests_unit_smtp_command_test_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_sasl_test_SOURCES = tests/unit/sasl_test.c
tests_unit_sasl_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_received_test_SOURCES = tests/unit/received_test.c
tests_unit_received_test_LDADD = smtpd/libsmtpd.a $(QUEUE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/smtp_front_test
tests_unit_smtp_front_test_SOURCES = tests/unit/smtp_front_test.c \
	tests/unit/false_connection.c tests/unit/false_connection.h
tests_unit_smtp_front_test_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
# The session with a connection in memory, before the real queue, with false
# snapd, authd, broker and worker.
SMTP_STAND = tests/unit/smtp_stand.c tests/unit/smtp_stand.h \
	tests/unit/false_connection.c tests/unit/false_connection.h \
	tests/unit/false_accounts.c $(LOOP_WAIT)
tests_unit_smtp_session_test_SOURCES = tests/unit/smtp_session_test.c \
	$(SMTP_STAND)
tests_unit_smtp_session_test_LDADD = smtpd/libsmtpd.a $(QUEUE_LIBS) $(CMOCKA_LIBS)
tests_unit_smtp_delivery_test_SOURCES = tests/unit/smtp_delivery_test.c \
	$(SMTP_STAND)
tests_unit_smtp_delivery_test_LDADD = smtpd/libsmtpd.a $(QUEUE_LIBS) $(CMOCKA_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/sts_policy_fuzz
tests_fuzz_sts_policy_fuzz_SOURCES = tests/fuzz/sts_policy_fuzz.c
tests_fuzz_sts_policy_fuzz_LDADD = smtpd/libtlspolicy.a $(COMMON_LIBS)
tests_fuzz_sts_policy_fuzz_LDFLAGS = $(LINK_FUZZER)
noinst_PROGRAMS += tests/fuzz/smtp_command_fuzz tests/fuzz/smtp_data_fuzz \
	tests/fuzz/sasl_fuzz tests/fuzz/smtp_session_fuzz \
	tests/fuzz/proxy_header_fuzz tests/fuzz/xclient_fuzz
tests_fuzz_proxy_header_fuzz_SOURCES = tests/fuzz/proxy_header_fuzz.c
tests_fuzz_proxy_header_fuzz_LDADD = $(COMMON_LIBS)
tests_fuzz_proxy_header_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_xclient_fuzz_SOURCES = tests/fuzz/xclient_fuzz.c
tests_fuzz_xclient_fuzz_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS)
tests_fuzz_xclient_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_smtp_command_fuzz_SOURCES = tests/fuzz/smtp_command_fuzz.c
tests_fuzz_smtp_command_fuzz_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS)
tests_fuzz_smtp_command_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_smtp_data_fuzz_SOURCES = tests/fuzz/smtp_data_fuzz.c
tests_fuzz_smtp_data_fuzz_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS)
tests_fuzz_smtp_data_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_sasl_fuzz_SOURCES = tests/fuzz/sasl_fuzz.c
tests_fuzz_sasl_fuzz_LDADD = $(COMMON_LIBS)
tests_fuzz_sasl_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_smtp_session_fuzz_SOURCES = tests/fuzz/smtp_session_fuzz.c \
	tests/unit/false_connection.c
tests_fuzz_smtp_session_fuzz_LDADD = smtpd/libsmtpd.a $(COMMON_LIBS)
tests_fuzz_smtp_session_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += tests/fuzz/proxy_header.dict tests/fuzz/xclient.dict
EXTRA_DIST += tests/fuzz/sts_policy.dict tests/fuzz/smtp_command.dict \
	tests/fuzz/corpus/smtp_command/mail \
	tests/fuzz/corpus/smtp_command/rcpt \
	tests/fuzz/corpus/smtp_data/defects \
	tests/fuzz/corpus/sasl/login tests/fuzz/corpus/sasl/plain \
	tests/fuzz/corpus/smtp_session/mail tests/fuzz/corpus/smtp_session/login

# smtpd, smtpd-queue and keyd in their sandboxes, everybody else played.
noinst_PROGRAMS += tests/system/smtp_alone
tests_system_smtp_alone_SOURCES = tests/system/smtp_alone.c $(REAL_PROCESS)
tests_system_smtp_alone_LDADD = $(FILTER_LIBS) $(COMMON_LIBS)

# A relay that goes nowhere, for tests of the spool as a process.
noinst_PROGRAMS += tests/system/false_relay
tests_system_false_relay_SOURCES = tests/system/false_relay.c
tests_system_false_relay_LDADD = $(COMMON_LIBS)

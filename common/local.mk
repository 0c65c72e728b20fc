# Sources of common/ by layer (HACKING): one file a line.

noinst_LIBRARIES += common/libcommon.a
common_libcommon_a_SOURCES =

# Layer 0.
common_libcommon_a_SOURCES += common/error.c common/error.h
common_libcommon_a_SOURCES += common/log.c common/log.h
common_libcommon_a_SOURCES += common/memory.c common/memory.h
common_libcommon_a_SOURCES += common/pool.c common/pool.h
common_libcommon_a_SOURCES += common/buf.c common/buf.h
common_libcommon_a_SOURCES += common/text.c common/text.h
common_libcommon_a_SOURCES += common/span.c common/span.h
common_libcommon_a_SOURCES += common/table.c common/table.h
common_libcommon_a_SOURCES += common/clock.c common/clock.h
common_libcommon_a_SOURCES += common/status.c common/status.h
common_libcommon_a_SOURCES += common/exit_code.h
common_libcommon_a_SOURCES += common/network.c common/network.h
common_libcommon_a_SOURCES += common/rate_sketch.c common/rate_sketch.h
common_libcommon_a_SOURCES += common/stay_awake.c common/stay_awake.h
common_libcommon_a_SOURCES += common/budget.c common/budget.h
common_libcommon_a_SOURCES += common/proxy_header.c common/proxy_header.h

# Layer 1.
common_libcommon_a_SOURCES += common/file.c common/file.h
common_libcommon_a_SOURCES += common/file_data.c common/file_sealed.c
common_libcommon_a_SOURCES += common/file_fault.c common/file_fault.h
common_libcommon_a_SOURCES += common/spawn.c common/spawn.h
common_libcommon_a_SOURCES += common/sandbox_ids.c common/sandbox_ids.h
common_libcommon_a_SOURCES += common/sandbox_profile.c common/sandbox_profile.h
common_libcommon_a_SOURCES += common/sandbox_landlock.c common/sandbox_landlock.h
common_libcommon_a_SOURCES += common/sandbox.c common/sandbox.h
common_libcommon_a_SOURCES += common/process.c common/process.h
common_libcommon_a_SOURCES += common/process_start.c common/process_start.h

# Layer 2.
common_libcommon_a_SOURCES += common/event_loop.c common/event_loop.h
common_libcommon_a_SOURCES += common/tls.c common/tls.h
common_libcommon_a_SOURCES += common/tls_session.c common/tls_session.h
common_libcommon_a_SOURCES += common/tls_bio.c common/tls_bio.h
common_libcommon_a_SOURCES += common/tls_result.c common/tls_result.h
common_libcommon_a_SOURCES += common/tls_kept.c common/tls_kept.h
common_libcommon_a_SOURCES += common/tls_client.c common/tls_client.h
common_libcommon_a_SOURCES += common/tls_provider.c common/tls_provider.h
common_libcommon_a_SOURCES += common/connection.c common/connection.h
common_libcommon_a_SOURCES += common/proxy_wait.c common/proxy_wait.h
common_libcommon_a_SOURCES += common/control_socket.c common/control_socket.h
common_libcommon_a_SOURCES += common/listener.c common/listener.h

# Layer 3.
common_libcommon_a_SOURCES += common/messages.c common/messages.h common/messages.def
common_libcommon_a_SOURCES += common/codec.c common/codec.h
common_libcommon_a_SOURCES += common/change_note.c common/change_note.h
common_libcommon_a_SOURCES += common/digest.c common/digest.h
common_libcommon_a_SOURCES += common/aead.c common/aead.h
common_libcommon_a_SOURCES += common/recovery_key.c common/recovery_key.h
common_libcommon_a_SOURCES += common/sealed_secret.c common/sealed_secret.h
common_libcommon_a_SOURCES += common/queue_record.c common/queue_record.h
common_libcommon_a_SOURCES += common/dns.c common/dns.h common/dsn.h
common_libcommon_a_SOURCES += common/relay_route.c common/relay_route.h
common_libcommon_a_SOURCES += common/domain_name.c common/domain_name.h \
	common/domain_unicode.c
common_libcommon_a_SOURCES += common/local_user.c common/local_user.h
common_libcommon_a_SOURCES += common/event_form.c common/event_form.h
common_libcommon_a_SOURCES += common/head.c common/head.h
common_libcommon_a_SOURCES += common/merkle_log.c common/merkle_log.h
common_libcommon_a_SOURCES += common/proof.c common/proof.h
common_libcommon_a_SOURCES += common/retention_policy.c \
	common/retention_policy.h
common_libcommon_a_SOURCES += common/record.c common/record.h
common_libcommon_a_SOURCES += common/control_record.c common/control_record.h
common_libcommon_a_SOURCES += common/packet.c common/packet.h
common_libcommon_a_SOURCES += common/channel.c common/channel.h
common_libcommon_a_SOURCES += common/channel_now.c
common_libcommon_a_SOURCES += common/key_client.c common/key_client.h

# Layer 4.
common_libcommon_a_SOURCES += common/settings.c common/settings.h
common_libcommon_a_SOURCES += common/settings_codec.c
common_libcommon_a_SOURCES += common/report.c common/report.h
common_libcommon_a_SOURCES += common/settings_parser.c common/settings_parser.h
common_libcommon_a_SOURCES += common/settings_directives.c common/settings_grammar.h
common_libcommon_a_SOURCES += common/settings_relay.c
common_libcommon_a_SOURCES += common/settings_network.c
common_libcommon_a_SOURCES += common/settings_senders.c
common_libcommon_a_SOURCES += common/settings_listen.c
common_libcommon_a_SOURCES += common/settings_limit.c
common_libcommon_a_SOURCES += common/settings_anchor.c common/settings_anchor.h
common_libcommon_a_SOURCES += common/settings_value.c common/settings_value.h
common_libcommon_a_SOURCES += common/settings_check.c common/settings_explain.c
common_libcommon_a_SOURCES += common/settings_load.c
common_libcommon_a_SOURCES += common/account.c common/account.h
common_libcommon_a_SOURCES += common/account_parser.c common/account_parser.h
common_libcommon_a_SOURCES += common/alias_parser.c common/account_parser_state.h
common_libcommon_a_SOURCES += common/settings_slices.c common/settings_slices.h
common_libcommon_a_SOURCES += common/output.c common/output.h

# Layer 5.
common_libcommon_a_SOURCES += common/login.h
common_libcommon_a_SOURCES += common/front_tls.c common/front_tls.h
common_libcommon_a_SOURCES += common/front_budget.c common/front_budget.h
common_libcommon_a_SOURCES += common/password.c common/password.h
common_libcommon_a_SOURCES += common/sasl.c common/sasl.h
common_libcommon_a_SOURCES += common/base64.c common/base64.h
common_libcommon_a_SOURCES += common/smtp_verdict.c common/smtp_verdict.h
common_libcommon_a_SOURCES += common/utf7.c common/utf7.h
common_libcommon_a_SOURCES += common/mailbox_name.c common/mailbox_name.h
common_libcommon_a_SOURCES += common/maildir.c common/maildir.h
common_libcommon_a_SOURCES += common/mail_token.c common/mail_token.h
common_libcommon_a_SOURCES += common/mail_header.c common/mail_header.h
common_libcommon_a_SOURCES += common/mail_address.c common/mail_address.h
common_libcommon_a_SOURCES += common/mail_path.c
common_libcommon_a_SOURCES += common/route.c common/route.h
common_libcommon_a_SOURCES += common/mail_date.c common/mail_date.h
common_libcommon_a_SOURCES += common/timestamp.c common/timestamp.h
common_libcommon_a_SOURCES += common/charset.c common/charset.h
common_libcommon_a_SOURCES += common/charset_tables.h
common_libcommon_a_SOURCES += common/charset_multibyte.c common/charset_multibyte.h
common_libcommon_a_SOURCES += common/charset_multibyte_tables.h
common_libcommon_a_SOURCES += common/casefold.c common/casefold.h
common_libcommon_a_SOURCES += common/mime_encoding.c common/mime_encoding.h
common_libcommon_a_SOURCES += common/mime_parser.c common/mime_parser.h
EXTRA_DIST += common/charset_tables.py common/charset_multibyte_tables.py

# The only user of libseccomp: master and tests link it, and what makes the
# filters of snapctl and firnmail when they are built.
noinst_LIBRARIES += common/libsandboxfilter.a common/libsandboxtool.a
common_libsandboxfilter_a_SOURCES = common/sandbox_filter.c
common_libsandboxfilter_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
FILTER_LIBS = common/libsandboxfilter.a common/libcommon.a $(SECCOMP_LIBS)
noinst_PROGRAMS += common/filter_source
common_filter_source_SOURCES = common/filter_source.c
common_filter_source_LDADD = $(FILTER_LIBS)
common_libsandboxtool_a_SOURCES = common/sandbox_tool.c common/sandbox_tool.h
nodist_common_libsandboxtool_a_SOURCES = common/tool_filters.h
common/sandbox_tool.$(OBJEXT): common/tool_filters.h
CLEANFILES += common/tool_filters.h
common/tool_filters.h: common/filter_source$(EXEEXT)
	$(AM_V_GEN)./common/filter_source$(EXEEXT) > $@.new && mv $@.new $@
TOOL_LIBS = common/libsandboxtool.a common/libcommon.a $(IDN_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/sandbox_tool_test
tests_unit_sandbox_tool_test_SOURCES = tests/unit/sandbox_tool_test.c
tests_unit_sandbox_tool_test_LDADD = $(TOOL_LIBS) $(COMMON_LIBS) \
	$(JANSSON_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/sealed_secret_test
tests_unit_sealed_secret_test_SOURCES = tests/unit/sealed_secret_test.c
tests_unit_sealed_secret_test_LDADD = $(COMMON_LIBS) $(CRYPTO_LIBS) \
	$(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/settings_network_test
tests_unit_settings_network_test_SOURCES = tests/unit/settings_network_test.c \
	tests/unit/settings_run.h
tests_unit_settings_network_test_LDADD = $(COMMON_LIBS) $(IDN_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/settings_parser_test
tests_unit_settings_parser_test_SOURCES = tests/unit/settings_parser_test.c \
	tests/unit/settings_run.h
tests_unit_settings_parser_test_LDADD = $(COMMON_LIBS) $(IDN_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/account_parser_test
tests_unit_account_parser_test_SOURCES = tests/unit/account_parser_test.c
tests_unit_account_parser_test_LDADD = $(COMMON_LIBS) $(IDN_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/mail_test
tests_unit_mail_test_SOURCES = tests/unit/mail_test.c
tests_unit_mail_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/charset_test
tests_unit_charset_test_SOURCES = tests/unit/charset_test.c
tests_unit_charset_test_LDADD = $(COMMON_LIBS) $(UNISTRING_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/mime_test
tests_unit_mime_test_SOURCES = tests/unit/mime_test.c
tests_unit_mime_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/maildir_test
tests_unit_maildir_test_SOURCES = tests/unit/maildir_test.c
tests_unit_maildir_test_LDADD = $(COMMON_LIBS) $(UNISTRING_LIBS) $(CMOCKA_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/maildir_fuzz
tests_fuzz_maildir_fuzz_SOURCES = tests/fuzz/maildir_fuzz.c
tests_fuzz_maildir_fuzz_LDADD = $(COMMON_LIBS) $(UNISTRING_LIBS)
tests_fuzz_maildir_fuzz_LDFLAGS = $(LINK_FUZZER)
endif

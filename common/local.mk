# Sources of common/ by layer: see HACKING.

noinst_LIBRARIES += common/libcommon.a
common_libcommon_a_SOURCES = \
	common/error.c common/error.h \
	common/log.c common/log.h \
	common/memory.c common/memory.h \
	common/pool.c common/pool.h \
	common/buf.c common/buf.h \
	common/text.c common/text.h \
	common/table.c common/table.h \
	common/clock.c common/clock.h \
	common/status.c common/status.h \
	common/event_loop.c common/event_loop.h \
	common/file.c common/file.h \
	common/codec.c common/codec.h \
	common/messages.c common/messages.h common/messages.def \
	common/record.c common/record.h \
	common/control_record.c common/control_record.h \
	common/channel.c common/channel.h \
	common/settings.c common/settings.h \
	common/report.c common/report.h \
	common/settings_parser.c common/settings_parser.h \
	common/settings_load.c \
	common/account.c common/account.h \
	common/account_parser.c common/account_parser.h \
	common/login.h \
	common/sandbox_profile.c common/sandbox_profile.h \
	common/sandbox_landlock.c common/sandbox_landlock.h \
	common/sandbox.c common/sandbox.h \
	common/process.c common/process.h \
	common/process_start.c common/process_start.h \
	common/listener.c common/listener.h \
	common/key_client.c common/key_client.h \
	common/base64.c common/base64.h \
	common/sasl.c common/sasl.h

# The only user of libseccomp: master and tests link it.
noinst_LIBRARIES += common/libsandboxfilter.a
common_libsandboxfilter_a_SOURCES = common/sandbox_filter.c
common_libsandboxfilter_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
FILTER_LIBS = common/libsandboxfilter.a $(SECCOMP_LIBS) \
	common/tls.c common/tls.h \
	common/tls_provider.c common/tls_provider.h \
	common/key_client.c common/key_client.h \
	common/connection.c common/connection.h


if HAVE_CMOCKA
check_PROGRAMS += tests/unit/settings_parser_test \
	tests/unit/account_parser_test
tests_unit_settings_parser_test_SOURCES = tests/unit/settings_parser_test.c
tests_unit_settings_parser_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_account_parser_test_SOURCES = tests/unit/account_parser_test.c
tests_unit_account_parser_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
endif
# The only user of libseccomp: master and tests link it.
noinst_LIBRARIES += common/libsandboxfilter.a
common_libsandboxfilter_a_SOURCES = common/sandbox_filter.c
common_libsandboxfilter_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
FILTER_LIBS = common/libsandboxfilter.a $(SECCOMP_LIBS)
# Layer 5: mail itself.
common_libcommon_a_SOURCES += \
	common/mail_token.c common/mail_token.h \
	common/mail_header.c common/mail_header.h \
	common/mail_address.c common/mail_address.h \
	common/mail_path.c \
	common/mail_date.c common/mail_date.h \
	common/charset.c common/charset.h common/charset_tables.h \
	common/mime_encoding.c common/mime_encoding.h \
	common/mime_parser.c common/mime_parser.h
EXTRA_DIST += common/charset_tables.py

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/mail_test tests/unit/mime_test
tests_unit_mail_test_SOURCES = tests/unit/mail_test.c
tests_unit_mail_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_mime_test_SOURCES = tests/unit/mime_test.c
tests_unit_mime_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
endif

# Mail protocols' shared tables and decoders.
common_libcommon_a_SOURCES += \
	common/base64.c common/base64.h \
	common/login.h \
	common/sasl.c common/sasl.h \
	common/smtp_verdict.c common/smtp_verdict.h

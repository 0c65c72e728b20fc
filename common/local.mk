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
	common/codec.c common/codec.h \
	common/messages.c common/messages.h common/messages.def \
	common/record.c common/record.h \
	common/channel.c common/channel.h

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

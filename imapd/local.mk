# Sources of imapd/ in the order in which data flows through them.
include imapd/front.mk

# What a FETCH answers with, made from the message itself.
noinst_LIBRARIES += imapd/libworker.a
imapd_libworker_a_SOURCES = \
	imapd/envelope.c imapd/envelope.h \
	imapd/body_structure.c imapd/body_structure.h \
	imapd/fetch_body.c imapd/fetch_body.h \
	imapd/message_cache.c imapd/message_cache.h

noinst_PROGRAMS += tests/interop/structure_dump
tests_interop_structure_dump_SOURCES = tests/interop/structure_dump.c
tests_interop_structure_dump_LDADD = imapd/libworker.a $(COMMON_LIBS)
EXTRA_DIST += tests/interop/bodystructure tests/interop/imap_compare

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/fetch_test
tests_unit_fetch_test_SOURCES = tests/unit/fetch_test.c
tests_unit_fetch_test_LDADD = imapd/libworker.a $(COMMON_LIBS) \
	$(CMOCKA_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/mail_message_fuzz tests/fuzz/mail_fuzz
tests_fuzz_mail_message_fuzz_SOURCES = tests/fuzz/mail_message_fuzz.c
tests_fuzz_mail_message_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_mail_message_fuzz_LDADD = imapd/libworker.a $(COMMON_LIBS)
tests_fuzz_mail_fuzz_SOURCES = tests/fuzz/mail_fuzz.c
tests_fuzz_mail_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_mail_fuzz_LDADD = $(COMMON_LIBS)
endif
EXTRA_DIST += tests/fuzz/mail_message.dict tests/fuzz/mail.dict
include imapd/imap.mk
include imapd/worker.mk

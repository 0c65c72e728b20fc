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
	common/channel.c common/channel.h \
	common/utf7.c common/utf7.h \
	common/maildir.c common/maildir.h \
	common/file.c common/file.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/maildir_test
tests_unit_maildir_test_SOURCES = tests/unit/maildir_test.c
tests_unit_maildir_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
endif

EXTRA_DIST += tests/fuzz/corpus/maildir
if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/maildir_fuzz
tests_fuzz_maildir_fuzz_SOURCES = tests/fuzz/maildir_fuzz.c
tests_fuzz_maildir_fuzz_LDADD = $(COMMON_LIBS)
tests_fuzz_maildir_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

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


if HAVE_CMOCKA
check_PROGRAMS += tests/unit/channel_test tests/unit/event_loop_test \
	tests/unit/memory_test tests/unit/messages_test \
	tests/unit/record_test tests/unit/text_test
tests_unit_channel_test_SOURCES = tests/unit/channel_test.c
tests_unit_channel_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_event_loop_test_SOURCES = tests/unit/event_loop_test.c
tests_unit_event_loop_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_memory_test_SOURCES = tests/unit/memory_test.c
tests_unit_memory_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_messages_test_SOURCES = tests/unit/messages_test.c
tests_unit_messages_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_record_test_SOURCES = tests/unit/record_test.c
tests_unit_record_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_text_test_SOURCES = tests/unit/text_test.c
tests_unit_text_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
endif

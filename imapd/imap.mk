# The IMAP protocol of a session: imapd/local.mk includes this.  Sources stand
# in the order in which a command flows.
noinst_LIBRARIES += imapd/libsession.a
imapd_libsession_a_SOURCES = \
	imapd/imap_session.c imapd/imap_session.h imapd/imap_session_state.h \
	imapd/session_command.c imapd/session_append.c \
	imapd/session_stream.c imapd/imap_deflate.c imapd/imap_deflate.h \
	imapd/session_updates.c imapd/session_progress.c \
	imapd/session_notify.c imapd/session_notify.h \
	imapd/session_sleep.c imapd/session_notify_sleep.c imapd/sleep_state.c imapd/sleep_state.h \
	imapd/imap_input.c imapd/imap_input.h \
	imapd/imap_parser.c imapd/imap_parser.h \
	imapd/imap_set.c imapd/imap_set.h \
	imapd/imap_commands.c imapd/imap_commands.h \
	imapd/imap_command.c imapd/imap_command.h imapd/imap_capability.h \
	imapd/message_limit.c imapd/message_limit.h \
	imapd/cmd_append.c imapd/append_command.h \
	imapd/append_url.c imapd/imap_url.c imapd/imap_url.h \
	imapd/url_message.c imapd/url_message.h \
	imapd/cmd_replace.c \
	imapd/cmd_capability.c \
	imapd/cmd_check.c \
	imapd/cmd_close.c \
	imapd/cmd_compress.c \
	imapd/cmd_copy.c imapd/copyuid.c imapd/copyuid.h \
	imapd/cmd_create.c imapd/special_use.c imapd/special_use.h \
	imapd/cmd_delete.c \
	imapd/cmd_enable.c \
	imapd/cmd_expunge.c \
	imapd/cmd_fetch.c imapd/fetch_items.c imapd/fetch_items.h \
	imapd/fetch_response.c imapd/fetch_command.h \
	imapd/fetch_sections.c \
	imapd/fetch_preview.c imapd/preview.c imapd/preview.h \
	imapd/fetch_binary.c imapd/fetch_binary.h \
	imapd/cmd_genurlauth.c imapd/url_access.c imapd/url_access.h \
	imapd/cmd_id.c \
	imapd/cmd_idle.c \
	imapd/cmd_list.c imapd/list_command.h imapd/list_snapshots.c \
	imapd/list_pattern.c imapd/list_pattern.h \
	imapd/cmd_logout.c \
	imapd/cmd_namespace.c \
	imapd/cmd_noop.c \
	imapd/cmd_notify.c \
	imapd/notify_request.c imapd/notify_request.h \
	imapd/cmd_quota.c \
	imapd/cmd_rename.c \
	imapd/cmd_resetkey.c \
	imapd/cmd_search.c imapd/search_keys.c imapd/search_keys.h \
	imapd/search_return.c imapd/search_return.h \
	imapd/partial_range.c imapd/partial_range.h \
	imapd/search_match.c imapd/search_match.h imapd/search_command.h \
	imapd/search_headers.c imapd/search_headers.h \
	imapd/header_text.c imapd/header_text.h \
	imapd/cmd_select.c imapd/qresync.c imapd/qresync.h \
	imapd/qresync_request.c imapd/qresync_request.h \
	imapd/cmd_sort.c imapd/sort_keys.c imapd/sort_keys.h \
	imapd/base_subject.c imapd/base_subject.h \
	imapd/cmd_status.c imapd/status_items.h \
	imapd/object_id.c imapd/object_id.h \
	imapd/cmd_store.c \
	imapd/cmd_subscribe.c \
	imapd/cmd_thread.c imapd/thread_tree.c imapd/thread_tree.h \
	imapd/cmd_uidbatches.c \
	imapd/cmd_urlfetch.c \
	imapd/url_requests.c imapd/url_requests.h \
	imapd/message_ids.c imapd/message_ids.h \
	imapd/imap_writer.c imapd/imap_writer.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/imap_parser_test tests/unit/imap_session_test \
	tests/unit/qresync_test tests/unit/sort_test tests/unit/thread_test \
	tests/unit/imap_extensions_test tests/unit/compress_test \
	tests/unit/preview_test tests/unit/imap_url_test \
	tests/unit/append_test tests/unit/uid_only_test \
	tests/unit/message_limit_test tests/unit/urlauth_test
tests_unit_imap_parser_test_SOURCES = tests/unit/imap_parser_test.c
tests_unit_imap_parser_test_LDADD = imapd/libsession.a $(COMMON_LIBS) \
	$(UNISTRING_LIBS) $(CMOCKA_LIBS)
tests_unit_imap_url_test_SOURCES = tests/unit/imap_url_test.c
tests_unit_imap_url_test_LDADD = $(tests_unit_imap_parser_test_LDADD)
# The false store stands for the mailbox half of the worker; the mail parsers
# of FETCH are the worker's own.
FALSE_ACCOUNT = tests/unit/false_account.c tests/unit/false_account.h \
	tests/unit/false_account_parts.h tests/unit/false_account_list.c \
	tests/unit/false_account_append.c tests/unit/false_account_views.c \
	tests/unit/false_account_messages.c tests/unit/false_account_past.c
CONVERSATION_SOURCES = tests/unit/conversation.c tests/unit/conversation.h \
	$(FALSE_ACCOUNT)
tests_unit_imap_session_test_SOURCES = tests/unit/imap_session_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_imap_session_test_LDADD = imapd/libsession.a imapd/libworker.a \
	$(COMMON_LIBS) $(UNISTRING_LIBS) $(ZLIB_LIBS) $(CMOCKA_LIBS)
tests_unit_imap_extensions_test_SOURCES = \
	tests/unit/imap_extensions_test.c $(CONVERSATION_SOURCES)
tests_unit_imap_extensions_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/imap_habits_test tests/unit/body_structure_test
tests_unit_imap_habits_test_SOURCES = tests/unit/imap_habits_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_imap_habits_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_body_structure_test_SOURCES = tests/unit/body_structure_test.c
tests_unit_body_structure_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_uid_only_test_SOURCES = tests/unit/uid_only_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_uid_only_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_message_limit_test_SOURCES = tests/unit/message_limit_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_message_limit_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_append_test_SOURCES = tests/unit/append_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_append_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_urlauth_test_SOURCES = tests/unit/urlauth_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_urlauth_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_compress_test_SOURCES = tests/unit/compress_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_compress_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_preview_test_SOURCES = tests/unit/preview_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_preview_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_thread_test_SOURCES = tests/unit/thread_test.c
tests_unit_thread_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_sort_test_SOURCES = tests/unit/sort_test.c
tests_unit_sort_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/copyuid_test
tests_unit_copyuid_test_SOURCES = tests/unit/copyuid_test.c
tests_unit_copyuid_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/search_match_test
tests_unit_search_match_test_SOURCES = tests/unit/search_match_test.c
tests_unit_search_match_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/session_turn_test
tests_unit_session_turn_test_SOURCES = tests/unit/session_turn_test.c \
	$(FALSE_ACCOUNT)
tests_unit_session_turn_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=send
tests_unit_session_turn_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/direct_session_test
tests_unit_direct_session_test_SOURCES = tests/unit/direct_session_test.c \
	$(FALSE_ACCOUNT)
tests_unit_direct_session_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=timer_start -Wl,--wrap=setsockopt
tests_unit_direct_session_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/session_progress_test
tests_unit_session_progress_test_SOURCES = \
	tests/unit/session_progress_test.c $(FALSE_ACCOUNT)
tests_unit_session_progress_test_LDADD = \
	$(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/compress_asleep_test
tests_unit_compress_asleep_test_SOURCES = \
	tests/unit/compress_asleep_test.c $(CONVERSATION_SOURCES)
tests_unit_compress_asleep_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/notify_asleep_test
tests_unit_notify_asleep_test_SOURCES = tests/unit/notify_asleep_test.c \
	$(FALSE_ACCOUNT)
tests_unit_notify_asleep_test_LDADD = $(tests_unit_imap_session_test_LDADD)
check_PROGRAMS += tests/unit/sleep_state_test
tests_unit_sleep_state_test_SOURCES = tests/unit/sleep_state_test.c
tests_unit_sleep_state_test_LDADD = $(tests_unit_imap_session_test_LDADD)
tests_unit_qresync_test_SOURCES = tests/unit/qresync_test.c \
	$(CONVERSATION_SOURCES)
tests_unit_qresync_test_LDADD = $(tests_unit_imap_session_test_LDADD)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/imap_command_fuzz
tests_fuzz_imap_command_fuzz_SOURCES = tests/fuzz/imap_command_fuzz.c
tests_fuzz_imap_command_fuzz_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
noinst_PROGRAMS += tests/fuzz/sleep_state_fuzz
tests_fuzz_sleep_state_fuzz_SOURCES = tests/fuzz/sleep_state_fuzz.c
tests_fuzz_sleep_state_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_sleep_state_fuzz_LDADD = imapd/libsession.a $(COMMON_LIBS) \
	$(UNISTRING_LIBS) $(ZLIB_LIBS)
tests_fuzz_imap_command_fuzz_LDADD = imapd/libsession.a $(COMMON_LIBS) \
	$(UNISTRING_LIBS)
endif
EXTRA_DIST += tests/fuzz/corpus/imap_command tests/fuzz/corpus/sleep_state

# The worker below the IMAP commands, in the order in which mail flows.
imapd_libworker_a_SOURCES += \
	imapd/store_client.c imapd/store_client.h \
	imapd/store_client_state.h \
	imapd/store_question.c \
	imapd/store_batch.c \
	imapd/deliver.c \
	imapd/message_index.c imapd/message_index.h \
	imapd/index_rows.c \
	imapd/index_counts.c \
	imapd/index_uids.c \
	imapd/index_changes.c \
	imapd/index_vanished.c \
	imapd/index_cache.c \
	imapd/index_saved.c \
	imapd/message_index_file.c imapd/message_index_file.h \
	imapd/message_index_room.c imapd/message_index_room.h \
	imapd/index_record.c imapd/index_record.h \
	imapd/index_state.c imapd/index_state.h \
	imapd/account_store.c imapd/account_store.h \
	imapd/account_start.c \
	imapd/account_catch_up.c \
	imapd/account_witness.c \
	imapd/account_apply.c imapd/account_state.h \
	imapd/uid_ranges.c imapd/uid_ranges.h imapd/folder.c \
	imapd/mailbox_files.c \
	imapd/cache_fill.c \
	imapd/parse_note.c imapd/parse_note.h \
	imapd/mailbox_list.c \
	imapd/mailbox.c imapd/mailbox.h \
	imapd/mailbox_updates.c \
	imapd/mailbox_sleep.c \
	imapd/mailbox_read.c \
	imapd/askers.c imapd/askers.h \
	imapd/mailbox_vanished.c \
	imapd/mailbox_saved.c \
	imapd/turns.c imapd/turns.h \
	imapd/mailbox_change.c imapd/mailbox_change.h \
	imapd/change_flags.c \
	imapd/loss_notice.c imapd/loss_notice.h \
	imapd/change_copy.c \
	imapd/change_recall.c \
	imapd/snapshot_name.c imapd/snapshot_name.h \
	imapd/snapshot_mailbox.c imapd/snapshot_mailbox.h \
	imapd/message_bytes.c imapd/message_bytes.h \
	imapd/append.c \
	imapd/account_quota.c \
	imapd/mailbox_keys.c imapd/mailbox_keys.h \
	imapd/account_events.c \
	imapd/directories.c imapd/later_files.c \
	imapd/message_prepare.c \
	imapd/mailbox_folders.c \
	imapd/known_files.c \
	imapd/mailbox_sync.c imapd/folder_look.h \
	imapd/folder_look.c \
	imapd/folder_losses.c \
	imapd/mailbox_look.c \
	imapd/mailbox_arrive.c \
	imapd/foreign_flags.c \
	imapd/mailbox_adopt.c imapd/adoption.h \
	imapd/adopt_send.c \
	imapd/adopt_identity.c \
	imapd/import_subscriptions.c \
	imapd/mailbox_heal.c \
	imapd/heal_file.c \
	imapd/marks.c \
	imapd/mailbox_watch.c \
	imapd/noticed.c imapd/noticed.h

WORKER_LIBS = imapd/libworker.a $(COMMON_LIBS) $(LMDB_LIBS) $(UNISTRING_LIBS)

pkglibexec_PROGRAMS += imapd/imapd-worker
imapd_imapd_worker_SOURCES = imapd/worker_main.c
imapd_imapd_worker_LDADD = imapd/libsession.a $(WORKER_LIBS) $(ZLIB_LIBS)

# The worker with a flaw in its parser (tests/system/test_quarantine.py).
noinst_PROGRAMS += tests/system/brittle_worker
tests_system_brittle_worker_SOURCES = imapd/worker_main.c \
	tests/system/brittle_parser.c
tests_system_brittle_worker_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=mime_parser_finish
tests_system_brittle_worker_LDADD = imapd/libsession.a $(WORKER_LIBS) \
	$(ZLIB_LIBS)

if HAVE_CMOCKA
# An account in its worker, with a false store or the real snapshot process.
WORLD = tests/unit/account_world.c tests/unit/account_world.h
FALSE_WORLD = $(WORLD) tests/unit/false_store.c tests/unit/false_store.h \
	tests/unit/false_store_parts.h tests/unit/false_store_batch.c \
	tests/unit/false_store_questions.c
REAL_WORLD = $(WORLD) tests/unit/real_store.c tests/unit/false_store.h
check_PROGRAMS += tests/unit/uid_ranges_test
tests_unit_uid_ranges_test_SOURCES = tests/unit/uid_ranges_test.c
tests_unit_uid_ranges_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/parse_note_test
tests_unit_parse_note_test_SOURCES = tests/unit/parse_note_test.c
tests_unit_parse_note_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/mailbox_list_test
tests_unit_mailbox_list_test_SOURCES = \
	tests/unit/mailbox_list_test.c $(FALSE_WORLD)
tests_unit_mailbox_list_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/mailbox_view_test
tests_unit_mailbox_view_test_SOURCES = \
	tests/unit/mailbox_view_test.c $(FALSE_WORLD)
tests_unit_mailbox_view_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
# An account with a false store; and the same with the real snapshot process.
check_PROGRAMS += tests/unit/account_store_test tests/unit/account_loss_test \
	tests/unit/account_files_test tests/unit/account_filing_test \
	tests/unit/older_store_test
check_PROGRAMS += tests/unit/worker_store_test tests/unit/worker_loss_test \
	tests/unit/worker_files_test tests/unit/worker_filing_test \
	tests/unit/worker_older_store_test
tests_unit_account_store_test_SOURCES = tests/unit/account_store_test.c \
	$(FALSE_WORLD)
tests_unit_account_store_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_store_test_SOURCES = tests/unit/account_store_test.c \
	$(REAL_WORLD)
tests_unit_worker_store_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_account_loss_test_SOURCES = tests/unit/account_loss_test.c \
	$(FALSE_WORLD)
tests_unit_account_loss_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_loss_test_SOURCES = tests/unit/account_loss_test.c \
	$(REAL_WORLD)
tests_unit_worker_loss_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_account_files_test_SOURCES = tests/unit/account_files_test.c \
	$(FALSE_WORLD)
tests_unit_account_files_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_files_test_SOURCES = tests/unit/account_files_test.c \
	$(REAL_WORLD)
tests_unit_worker_files_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_account_filing_test_SOURCES = tests/unit/account_filing_test.c \
	$(FALSE_WORLD)
tests_unit_account_filing_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_filing_test_SOURCES = tests/unit/account_filing_test.c \
	$(REAL_WORLD)
tests_unit_worker_filing_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_older_store_test_SOURCES = tests/unit/older_store_test.c \
	$(FALSE_WORLD)
tests_unit_older_store_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_older_store_test_SOURCES = tests/unit/older_store_test.c \
	$(REAL_WORLD)
tests_unit_worker_older_store_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/worker_append_test
tests_unit_worker_append_test_SOURCES = \
	tests/unit/worker_append_test.c $(REAL_WORLD)
tests_unit_worker_append_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store_client_test
tests_unit_store_client_test_SOURCES = tests/unit/store_client_test.c
tests_unit_store_client_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/worker_turns_test
tests_unit_worker_turns_test_SOURCES = \
	tests/unit/worker_turns_test.c $(REAL_WORLD)
tests_unit_worker_turns_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/vanished_test tests/unit/worker_vanished_test
tests_unit_vanished_test_SOURCES = tests/unit/vanished_test.c $(FALSE_WORLD)
tests_unit_vanished_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_vanished_test_SOURCES = \
	tests/unit/vanished_test.c $(REAL_WORLD)
tests_unit_worker_vanished_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

# With a false store, and with snapd's own.
check_PROGRAMS += tests/unit/saved_test tests/unit/worker_saved_test
tests_unit_saved_test_SOURCES = tests/unit/saved_test.c $(FALSE_WORLD)
tests_unit_saved_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_saved_test_SOURCES = tests/unit/saved_test.c $(REAL_WORLD)
tests_unit_worker_saved_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/mailbox_keys_test
tests_unit_mailbox_keys_test_SOURCES = \
	tests/unit/mailbox_keys_test.c $(FALSE_WORLD)
tests_unit_mailbox_keys_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/usage_test
tests_unit_usage_test_SOURCES = tests/unit/usage_test.c $(FALSE_WORLD)
tests_unit_usage_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/mailbox_sync_test
tests_unit_mailbox_sync_test_SOURCES = \
	tests/unit/mailbox_sync_test.c $(FALSE_WORLD)
tests_unit_mailbox_sync_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/folders_cut_test
tests_unit_folders_cut_test_SOURCES = \
	tests/unit/folders_cut_test.c $(FALSE_WORLD)
tests_unit_folders_cut_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/naming_cut_test
tests_unit_naming_cut_test_SOURCES = \
	tests/unit/naming_cut_test.c $(FALSE_WORLD)
tests_unit_naming_cut_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/blind_sync_test
tests_unit_blind_sync_test_SOURCES = $(tests_unit_mailbox_sync_test_SOURCES)
tests_unit_blind_sync_test_CPPFLAGS = $(AM_CPPFLAGS) -DWITHOUT_INOTIFY
tests_unit_blind_sync_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=inotify_init1
tests_unit_blind_sync_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/look_cost_test
tests_unit_look_cost_test_SOURCES = tests/unit/look_cost_test.c $(FALSE_WORLD)
tests_unit_look_cost_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=index_find_name -Wl,--wrap=openat
tests_unit_look_cost_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/flat_test
tests_unit_flat_test_SOURCES = \
	tests/unit/flat_test.c $(FALSE_WORLD)
tests_unit_flat_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=mdb_get -Wl,--wrap=mdb_put -Wl,--wrap=mdb_del \
	-Wl,--wrap=mdb_cursor_get -Wl,--wrap=mdb_cursor_put \
	-Wl,--wrap=mdb_cursor_del -Wl,--wrap=index_row_decode \
	-Wl,--wrap=uid_ranges_uid -Wl,--wrap=uid_ranges_number_from \
	-Wl,--wrap=memory_new -Wl,--wrap=memory_resize
tests_unit_flat_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/watch_test
tests_unit_watch_test_SOURCES = tests/unit/watch_test.c $(FALSE_WORLD)
tests_unit_watch_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=known_files_new -Wl,--wrap=inotify_add_watch \
	-Wl,--wrap=clock_gettime
tests_unit_watch_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/worker_sync_test
tests_unit_worker_sync_test_SOURCES = \
	tests/unit/mailbox_sync_test.c $(REAL_WORLD)
tests_unit_worker_sync_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/snapshot_mailbox_test
tests_unit_snapshot_mailbox_test_SOURCES = \
	tests/unit/snapshot_mailbox_test.c $(REAL_WORLD)
tests_unit_snapshot_mailbox_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

# Views of sessions that sleep, with a false store and the real one.
check_PROGRAMS += tests/unit/asleep_test tests/unit/worker_asleep_test
tests_unit_asleep_test_SOURCES = tests/unit/asleep_test.c $(FALSE_WORLD)
tests_unit_asleep_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
tests_unit_worker_asleep_test_SOURCES = tests/unit/asleep_test.c $(REAL_WORLD)
tests_unit_worker_asleep_test_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)

noinst_PROGRAMS += tests/bench/worker_bench
tests_bench_worker_bench_SOURCES = tests/bench/worker_bench.c \
	tests/unit/real_store.c tests/unit/false_store.h
tests_bench_worker_bench_LDADD = $(WORKER_LIBS) $(SNAPD_LIBS) $(CMOCKA_LIBS)
endif

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/index_record_fuzz
tests_fuzz_index_record_fuzz_SOURCES = tests/fuzz/index_record_fuzz.c
tests_fuzz_index_record_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_index_record_fuzz_LDADD = $(WORKER_LIBS)
endif
EXTRA_DIST += tests/fuzz/corpus/index_record

check_PROGRAMS += tests/unit/later_files_test
tests_unit_later_files_test_SOURCES = \
	tests/unit/later_files_test.c $(FALSE_WORLD)
tests_unit_later_files_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/index_cache_test
tests_unit_index_cache_test_SOURCES = tests/unit/index_cache_test.c
tests_unit_index_cache_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/index_counts_test
tests_unit_index_counts_test_SOURCES = tests/unit/index_counts_test.c \
	tests/unit/scratch.h
tests_unit_index_counts_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/index_file_test
tests_unit_index_file_test_SOURCES = tests/unit/index_file_test.c
tests_unit_index_file_test_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS)

# Sources of snapd/ in the order in which data flows through them.

# Without LMDB: what snapd and snapd-verify both know.
noinst_LIBRARIES += snapd/libverify.a
snapd_libverify_a_SOURCES = \
	snapd/verify.c snapd/verify.h \
	snapd/verify_rows.c snapd/verify_rows.h \
	snapd/verify_bodies.c \
	snapd/verify_segments.c snapd/verify_segments.h \
	snapd/verify_forgotten.c \
	snapd/page_walker.c snapd/page_walker.h \
	snapd/page_file.c snapd/page_file.h \
	snapd/event_row.c snapd/event_row.h \
	snapd/forget.c snapd/forget.h \
	snapd/segment_form.c snapd/segment_form.h \
	snapd/block_pack.c snapd/block_pack.h \
	snapd/block_seal.c snapd/block_seal.h \
	snapd/base64_runs.c snapd/base64_runs.h \
	snapd/account_key.c snapd/account_key.h \
	snapd/store_form.c snapd/store_form.h
VERIFY_LIBS = snapd/libverify.a common/libcommon.a $(CRYPTO_LIBS) \
	$(ZSTD_LIBS) $(EVENT_LIBS)

# Without LMDB or any key: what snapd-drill makes of what it is sent.
noinst_LIBRARIES += snapd/libdrill.a
snapd_libdrill_a_SOURCES = \
	snapd/drill_work.c snapd/drill_work.h \
	snapd/drill_folder.c snapd/drill_folder.h \
	snapd/drill_check.c snapd/drill_check.h
DRILL_LIBS = snapd/libdrill.a common/libcommon.a $(CRYPTO_LIBS) $(EVENT_LIBS)

noinst_LIBRARIES += snapd/libsnapd.a
snapd_libsnapd_a_SOURCES = \
	snapd/snapd.c snapd/snapd.h snapd/snapd_state.h \
	snapd/snapd_store.c snapd/snapd_clients.c \
	snapd/round.c snapd/round.h \
	snapd/pending.c snapd/pending.h \
	snapd/idle_growth.c snapd/idle_growth.h \
	snapd/accept_layout.c snapd/accept_layout.h \
	snapd/accept_log.c snapd/accept_log.h \
	snapd/repeat.c snapd/repeat.h \
	snapd/mail_requests.c snapd/mail_parts.h snapd/mail_batches.c \
	snapd/bulk_requests.c snapd/mail_readings.c \
	snapd/journal.c snapd/journal.h \
	snapd/journal_requests.c \
	snapd/journal_head.c \
	snapd/journal_promises.c \
	snapd/admin_keys.c snapd/admin_keys.h \
	snapd/journal_holds.c \
	snapd/guard_clock.c snapd/guard_clock.h \
	snapd/allowance.c snapd/allowance.h \
	snapd/batch.c snapd/batch.h \
	snapd/batch_parts.c snapd/batch_state.h \
	snapd/batch_messages.c snapd/batch_changes.h \
	snapd/batch_copies.c snapd/batch_flags.c \
	snapd/batch_mailboxes.c \
	snapd/batch_identity.c \
	snapd/service_files.c snapd/service_files.h \
	snapd/service_files_write.c snapd/service_files_parts.h \
	snapd/rows.c snapd/rows.h \
	snapd/expunged.c snapd/expunged.h \
	snapd/blob_use.c snapd/blob_use.h \
	snapd/object_add.c snapd/object_store.c snapd/object_store.h \
	snapd/object_parts.h \
	snapd/pieces.c snapd/pieces.h \
	snapd/touched_rows.c snapd/touched_rows.h \
	snapd/store.c snapd/store.h snapd/store_parts.h \
	snapd/store_transaction.c snapd/store_rows.c \
	snapd/store_room.c snapd/store_room.h \
	snapd/growth.c snapd/growth.h \
	snapd/sealer.c snapd/sealer.h \
	snapd/sealer_thread.c snapd/sealer_parts.h \
	snapd/sealing.c snapd/sealing.h \
	snapd/block_parts.c snapd/block_parts.h \
	snapd/pack_queue.c snapd/pack_queue.h \
	snapd/seal_blocks.c snapd/seal_blocks.h \
	snapd/seal_bodies.c \
	snapd/seal_bulk.c snapd/seal_bulk.h \
	snapd/bulk_writing.c snapd/bulk_writing.h \
	snapd/seal_rows.c \
	snapd/collect.c snapd/collect_choice.c snapd/collect_choice.h \
	snapd/seal_batch.c snapd/seal_batch.h \
	snapd/step.c snapd/step.h \
	snapd/segment_writer.c snapd/segment_writer.h \
	snapd/segments.c snapd/segments.h \
	snapd/segments_open.c snapd/segments_open.h \
	snapd/segment_env.c snapd/segment_env.h \
	snapd/segment_env_parts.h snapd/segment_hold.c snapd/segment_finish.c \
	snapd/segment_folder.c snapd/segment_folder.h \
	snapd/segment_use.c snapd/segment_use.h \
	snapd/behind.c snapd/behind.h \
	snapd/reading.c snapd/reading.h \
	snapd/reading_bodies.c \
	snapd/reader_thread.c \
	snapd/as_of.c snapd/as_of.h \
	snapd/retention.c snapd/retention.h \
	snapd/ratchet.c snapd/ratchet.h \
	snapd/mark.c snapd/mark.h \
	snapd/hold.c snapd/hold.h \
	snapd/promises.c snapd/promises.h \
	snapd/erasure.c snapd/erasure.h \
	snapd/reap.c snapd/reap.h \
	snapd/expire.c snapd/expire.h \
	snapd/snapshot.c snapd/snapshot.h \
	snapd/snapshot_find.c snapd/snapshot_parts.h \
	snapd/snapshot_names.c snapd/snapshot_names.h \
	snapd/past.c snapd/past.h \
	snapd/saved.c snapd/saved.h \
	snapd/witness.c snapd/witness.h \
	snapd/claim.c snapd/claim.h \
	snapd/leap.c snapd/leap.h \
	snapd/walk.c snapd/walk.h \
	snapd/restore_plan.c snapd/restore_plan.h \
	snapd/control_reading.c snapd/control_reading.h \
	snapd/control_events.c snapd/control_steps.h \
	snapd/control_walk.c \
	snapd/control_find.c \
	snapd/control_stats.c \
	snapd/control_drill.c \
	snapd/drill.c snapd/drill.h \
	snapd/drill_timer.c snapd/drill_timer.h \
	snapd/drill_record.c snapd/drill_record.h \
	snapd/changed.c snapd/changed.h \
	snapd/control_diff.c \
	snapd/control_proof.c \
	snapd/accept_missing.c snapd/accept_missing.h \
	snapd/reconcile.c snapd/reconcile.h \
	snapd/restore.c snapd/restore.h \
	snapd/fence.c snapd/fence.h \
	snapd/restore_look.c snapd/restore_parts.h \
	snapd/restore_write.c \
	snapd/restore_files.c \
	snapd/verify_client.c snapd/verify_client.h \
	snapd/verify_request.c \
	snapd/seal_request.c \
	snapd/rebuild.c snapd/rebuild.h \
	snapd/rebuild_derive.c snapd/rebuild_derive.h \
	snapd/rebuild_folder.c snapd/rebuild_folder.h \
	snapd/control_create.c \
	snapd/control.c snapd/control.h \
	snapd/control_promises.c
SNAPD_LIBS = snapd/libsnapd.a snapd/libverify.a common/libcommon.a $(LMDB_LIBS) \
	$(CRYPTO_LIBS) $(ZSTD_LIBS) $(EVENT_LIBS)

pkglibexec_PROGRAMS += snapd/snapd
snapd_snapd_SOURCES = snapd/main.c
snapd_snapd_LDADD = $(SNAPD_LIBS)

pkglibexec_PROGRAMS += snapd/snapd-verify
snapd_snapd_verify_SOURCES = snapd/verify_main.c
snapd_snapd_verify_LDADD = $(VERIFY_LIBS)

pkglibexec_PROGRAMS += snapd/snapd-drill
snapd_snapd_drill_SOURCES = snapd/drill_main.c
snapd_snapd_drill_LDADD = $(DRILL_LIBS)

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/page_walker_fuzz
tests_fuzz_page_walker_fuzz_SOURCES = tests/fuzz/page_walker_fuzz.c
tests_fuzz_page_walker_fuzz_LDADD = $(VERIFY_LIBS)
tests_fuzz_page_walker_fuzz_LDFLAGS = $(LINK_FUZZER)
noinst_PROGRAMS += tests/fuzz/base64_runs_fuzz
tests_fuzz_base64_runs_fuzz_SOURCES = tests/fuzz/base64_runs_fuzz.c
tests_fuzz_base64_runs_fuzz_LDADD = $(SNAPD_LIBS)
tests_fuzz_base64_runs_fuzz_LDFLAGS = $(LINK_FUZZER)
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/snapd_test tests/unit/merkle_log_test \
	tests/unit/snapd_control_test tests/unit/retention_test \
	tests/unit/ratchet_test tests/unit/every_type_test \
	tests/unit/restore_test
tests_unit_every_type_test_SOURCES = tests/unit/every_type_test.c
tests_unit_every_type_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_ratchet_test_SOURCES = tests/unit/ratchet_test.c
tests_unit_ratchet_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_retention_test_SOURCES = tests/unit/retention_test.c
tests_unit_retention_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_restore_test_SOURCES = tests/unit/restore_test.c \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_restore_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/reconcile_test
tests_unit_reconcile_test_SOURCES = tests/unit/reconcile_test.c \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_reconcile_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_snapd_control_test_SOURCES = tests/unit/snapd_control_test.c \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_snapd_control_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/restore_missing_test tests/unit/follow_log_test
tests_unit_restore_missing_test_SOURCES = tests/unit/restore_missing_test.c \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_restore_missing_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_follow_log_test_SOURCES = tests/unit/follow_log_test.c \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_follow_log_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
POWER = tests/unit/power.c tests/unit/power.h
# A store that ages: what is kept, and for how long.
AGING = tests/unit/aging.c tests/unit/aging.h
check_PROGRAMS += tests/unit/snapshot_find_test
tests_unit_snapshot_find_test_SOURCES = tests/unit/snapshot_find_test.c $(AGING)
tests_unit_snapshot_find_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/expire_test tests/unit/expire_cut_test tests/unit/guard_clock_test \
	tests/unit/hold_test tests/unit/reap_test \
	tests/unit/admin_keys_test tests/unit/allowance_test
tests_unit_expire_test_SOURCES = tests/unit/expire_test.c $(AGING)
tests_unit_expire_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_expire_cut_test_SOURCES = tests/unit/expire_cut_test.c $(AGING) \
	$(POWER)
tests_unit_expire_cut_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_guard_clock_test_SOURCES = tests/unit/guard_clock_test.c $(AGING)
tests_unit_guard_clock_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_hold_test_SOURCES = tests/unit/hold_test.c $(AGING)
tests_unit_hold_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_reap_test_SOURCES = tests/unit/reap_test.c $(AGING)
tests_unit_reap_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_admin_keys_test_SOURCES = tests/unit/admin_keys_test.c $(AGING)
tests_unit_admin_keys_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_allowance_test_SOURCES = tests/unit/allowance_test.c $(AGING)
tests_unit_allowance_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/diff_test
tests_unit_diff_test_SOURCES = tests/unit/diff_test.c \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_diff_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/expunged_test
tests_unit_expunged_test_SOURCES = tests/unit/expunged_test.c
tests_unit_expunged_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/drill_test tests/unit/drill_request_test
tests_unit_drill_test_SOURCES = tests/unit/drill_test.c
tests_unit_drill_test_LDADD = $(DRILL_LIBS) $(CMOCKA_LIBS)
tests_unit_drill_request_test_SOURCES = tests/unit/drill_request_test.c
tests_unit_drill_request_test_LDADD = snapd/libdrill.a $(SNAPD_LIBS) \
	$(CMOCKA_LIBS)
# A store with sealed segments.
SEALED = tests/unit/sealed.c tests/unit/sealed.h
check_PROGRAMS += tests/unit/segments_test tests/unit/segment_keys_test \
	tests/unit/collect_test tests/unit/rebuild_test \
	tests/unit/verify_segments_test tests/unit/flip_test \
	tests/unit/bulk_test tests/unit/collect_choice_test
tests_unit_collect_choice_test_SOURCES = tests/unit/collect_choice_test.c
tests_unit_collect_choice_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/pack_queue_test
tests_unit_pack_queue_test_SOURCES = tests/unit/pack_queue_test.c
tests_unit_pack_queue_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/pieces_test tests/unit/shared_pieces_test
tests_unit_shared_pieces_test_SOURCES = tests/unit/shared_pieces_test.c $(SEALED)
tests_unit_shared_pieces_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_pieces_test_SOURCES = tests/unit/pieces_test.c
tests_unit_pieces_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_bulk_test_SOURCES = tests/unit/bulk_test.c $(SEALED) $(POWER)
tests_unit_bulk_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_flip_test_SOURCES = tests/unit/flip_test.c $(SEALED) $(POWER)
tests_unit_flip_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_segments_test_SOURCES = tests/unit/segments_test.c $(SEALED) $(POWER)
tests_unit_segments_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_segment_keys_test_SOURCES = tests/unit/segment_keys_test.c $(SEALED)
tests_unit_segment_keys_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_collect_test_SOURCES = tests/unit/collect_test.c $(SEALED) $(POWER)
tests_unit_collect_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_rebuild_test_SOURCES = tests/unit/rebuild_test.c $(SEALED)
tests_unit_rebuild_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_verify_segments_test_SOURCES = tests/unit/verify_segments_test.c $(SEALED)
tests_unit_verify_segments_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/service_files_test
tests_unit_service_files_test_SOURCES = tests/unit/service_files_test.c $(SEALED)
tests_unit_service_files_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/verify_test
tests_unit_verify_test_SOURCES = tests/unit/verify_test.c
tests_unit_verify_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_merkle_log_test_SOURCES = tests/unit/merkle_log_test.c
tests_unit_merkle_log_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/claim_test
tests_unit_claim_test_SOURCES = tests/unit/claim_test.c
tests_unit_claim_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/identity_test
tests_unit_identity_test_SOURCES = tests/unit/identity_test.c \
	tests/unit/scratch.h
tests_unit_identity_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/accept_log_test
tests_unit_accept_log_test_SOURCES = tests/unit/accept_log_test.c
tests_unit_accept_log_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/accept_cut_test
tests_unit_accept_cut_test_SOURCES = tests/unit/accept_cut_test.c $(POWER) \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_accept_cut_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/batch_cut_test
tests_unit_batch_cut_test_SOURCES = tests/unit/batch_cut_test.c $(POWER) \
	tests/unit/snapd_stand.c tests/unit/snapd_stand.h
tests_unit_batch_cut_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/growth_test
tests_unit_growth_test_SOURCES = tests/unit/growth_test.c
tests_unit_growth_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
# The snapshot process with a false queue and false workers.
SNAPD_MAIL = tests/unit/snapd_mail_stand.c tests/unit/snapd_mail_stand.h
check_PROGRAMS += tests/unit/snapd_bodies_test tests/unit/snapd_round_test \
	tests/unit/snapd_log_test tests/unit/snapd_bulk_test \
	tests/unit/snapd_disk_test
tests_unit_snapd_bodies_test_SOURCES = tests/unit/snapd_bodies_test.c $(SNAPD_MAIL)
tests_unit_snapd_bodies_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_snapd_round_test_SOURCES = tests/unit/snapd_round_test.c $(SNAPD_MAIL)
tests_unit_snapd_round_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_snapd_log_test_SOURCES = tests/unit/snapd_log_test.c $(SNAPD_MAIL)
tests_unit_snapd_log_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_snapd_bulk_test_SOURCES = tests/unit/snapd_bulk_test.c $(SNAPD_MAIL)
tests_unit_snapd_bulk_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_snapd_disk_test_SOURCES = tests/unit/snapd_disk_test.c $(SNAPD_MAIL)
tests_unit_snapd_disk_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
tests_unit_snapd_test_SOURCES = tests/unit/snapd_test.c $(SNAPD_MAIL)
tests_unit_snapd_test_LDADD = $(SNAPD_LIBS) $(CMOCKA_LIBS)
endif

noinst_PROGRAMS += tests/bench/store_bench
tests_bench_store_bench_SOURCES = tests/bench/store_bench.c
tests_bench_store_bench_LDADD = $(SNAPD_LIBS)
noinst_PROGRAMS += tests/bench/seal_bench
tests_bench_seal_bench_SOURCES = tests/bench/seal_bench.c
tests_bench_seal_bench_LDADD = $(SNAPD_LIBS)
noinst_PROGRAMS += tests/bench/pack_bench
tests_bench_pack_bench_SOURCES = tests/bench/pack_bench.c
tests_bench_pack_bench_LDADD = $(SNAPD_LIBS)
noinst_PROGRAMS += tests/bench/verify_bench
tests_bench_verify_bench_SOURCES = tests/bench/verify_bench.c
tests_bench_verify_bench_LDADD = $(SNAPD_LIBS)
noinst_PROGRAMS += tests/bench/expire_bench
tests_bench_expire_bench_SOURCES = tests/bench/expire_bench.c
tests_bench_expire_bench_LDADD = $(SNAPD_LIBS)

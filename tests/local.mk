# What tests share, the unit tests of the lower layers of common/, and the targets
# that are more than `make check`: other unit tests are listed in the local.mk of
# the folder that they test.

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/channel_test tests/unit/event_loop_test \
	tests/unit/memory_test tests/unit/messages_test \
	tests/unit/record_test tests/unit/stay_awake_test \
	tests/unit/text_test
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
tests_unit_stay_awake_test_SOURCES = tests/unit/stay_awake_test.c
tests_unit_stay_awake_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_text_test_SOURCES = tests/unit/text_test.c
tests_unit_text_test_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
endif

# A real process in its sandbox, with a program around it that plays the others.
REAL_PROCESS = tests/system/real_process.c tests/system/real_process.h

EXTRA_DIST += demo contrib .ci/run README HACKING SECURITY CHANGES \
	COPYING docs tests/instance tests/clients.py tests/conftest.py \
	tests/sleepers.py \
	tests/ports.py tests/dns_zone.py tests/net_stand.py tests/net_hosts.py \
	tests/tls_report.py tests/dsn_grammar.py \
	tests/lint tests/system \
	tests/disaster \
	tests/README tests/unit/scratch.h tests/unit/scratch_store.h \
	tests/crash tests/interop tests/campaign .clang-format

if ENABLE_ASAN
# A leak is a failure; so is a container that hides it.
AM_TESTS_ENVIRONMENT = ASAN_OPTIONS=detect_leaks=1:abort_on_error=1; \
	export ASAN_OPTIONS;
endif

# Each script in tests/lint says what is wrong and exits with 1.
lint: all
	@failed=0; for script in $(srcdir)/tests/lint/*; do \
		test -f $$script && test -x $$script || continue; \
		if BUILD=$(abs_builddir) $$script; then \
			echo "ok     $$(basename $$script)"; \
		else \
			echo "FAILED $$(basename $$script)"; failed=1; \
		fi; done; exit $$failed

# SECONDS_EACH: how long each fuzz target runs, after its corpus.
SECONDS_EACH = 10
fuzz: all
	@$(srcdir)/tests/fuzz/run $(SECONDS_EACH)

# Attacks out of each role's own sandbox; benchmarks; the long runs.
bench: all
	@$(MAKE) bench-tools && \
		$(srcdir)/tests/bench/run --build $(abs_builddir)
campaign: all
	@$(srcdir)/tests/campaign/run

system-check: all
	BUILD=$(abs_builddir) python3 -m pytest -q -p no:cacheprovider \
	    $(srcdir)/tests/system $(srcdir)/tests/disaster $(srcdir)/tests/crash

# After `make check` in a build with --enable-coverage.
coverage: check
	@BUILD=$(abs_builddir) $(srcdir)/contrib/coverage

# A folder in EXTRA_DIST is taken with what was built in it: an object there
# would pass for one of the build that make distcheck makes.
# Not in EXTRA_DIST: the script would be the target of that name, so that to pack
# were to run every test.
dist-hook:
	cp -p $(srcdir)/check $(distdir)/check
	find $(distdir) -name __pycache__ -prune -exec rm -rf {} +
	cd $(distdir)/tests && rm -rf */*.o */.deps */.dirstamp \
		system/smtp_alone system/relay_alone system/net_stand \
		system/false_relay interop/structure_dump

.PHONY: lint fuzz redteam bench campaign system-check coverage

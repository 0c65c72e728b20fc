# Load generators, built by `make bench` only; they work against any server.

BENCH_TOOLS = tests/bench/imap_bench tests/bench/smtp_bench \
	tests/bench/mkmaildir tests/bench/phys tests/bench/spool_bench \
	tests/bench/make_accounts
EXTRA_PROGRAMS = $(BENCH_TOOLS)
BENCH_CFLAGS = -O2 -std=gnu11 -pthread -w $(SSL_CFLAGS)
BENCH_LIBS = $(SSL_LIBS) $(CRYPTO_LIBS) -lpthread
tests_bench_imap_bench_SOURCES = tests/bench/imap_bench.c \
	tests/bench/bench_kit.h
tests_bench_imap_bench_CFLAGS = $(BENCH_CFLAGS)
tests_bench_imap_bench_LDADD = $(BENCH_LIBS)
tests_bench_smtp_bench_SOURCES = tests/bench/smtp_bench.c
tests_bench_smtp_bench_CFLAGS = $(BENCH_CFLAGS)
tests_bench_smtp_bench_LDADD = $(BENCH_LIBS)
tests_bench_mkmaildir_SOURCES = tests/bench/mkmaildir.c
tests_bench_mkmaildir_CFLAGS = $(BENCH_CFLAGS)
tests_bench_mkmaildir_LDADD = $(BENCH_LIBS)
tests_bench_phys_SOURCES = tests/bench/phys.c
tests_bench_phys_CFLAGS = $(BENCH_CFLAGS)
tests_bench_phys_LDADD = $(BENCH_LIBS)
tests_bench_spool_bench_SOURCES = tests/bench/spool_bench.c
tests_bench_spool_bench_LDADD = $(SPOOL_LIBS)
tests_bench_make_accounts_SOURCES = tests/bench/make_accounts.c
tests_bench_make_accounts_LDADD = $(COMMON_LIBS)

EXTRA_DIST += tests/bench/run tests/bench/make_mail.py \
	tests/bench/connection_rows.py tests/bench/imap_rows.py \
	tests/bench/mail_rows.py \
	tests/bench/scaling_rows.py tests/bench/servers.py \
	tests/bench/sleep_rows.py \
	tests/bench/snapshot_rows.py \
	tests/bench/names.py tests/peers/common.sh tests/peers/dovecot.sh \
	tests/peers/postfix.sh tests/peers/opensmtpd.sh

bench-tools: $(BENCH_TOOLS)
.PHONY: bench-tools

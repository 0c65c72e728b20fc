# Fuzz targets of common/; those of a program stand in its local.mk. `make fuzz`
# runs every tests/fuzz/*_fuzz that was built.

# A fuzz target is a program with LLVMFuzzerTestOneInput: libFuzzer has main.
LINK_FUZZER = $(AM_LDFLAGS) -fsanitize=fuzzer

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/message_fuzz tests/fuzz/record_fuzz \
	tests/fuzz/text_fuzz tests/fuzz/proof_fuzz \
	tests/fuzz/sealed_secret_fuzz
tests_fuzz_sealed_secret_fuzz_SOURCES = tests/fuzz/sealed_secret_fuzz.c
tests_fuzz_sealed_secret_fuzz_LDADD = $(COMMON_LIBS) $(CRYPTO_LIBS)
tests_fuzz_sealed_secret_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_proof_fuzz_SOURCES = tests/fuzz/proof_fuzz.c
tests_fuzz_proof_fuzz_LDADD = $(COMMON_LIBS) $(CRYPTO_LIBS)
tests_fuzz_proof_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_message_fuzz_SOURCES = tests/fuzz/message_fuzz.c
tests_fuzz_message_fuzz_LDADD = $(COMMON_LIBS)
tests_fuzz_message_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_record_fuzz_SOURCES = tests/fuzz/record_fuzz.c
tests_fuzz_record_fuzz_LDADD = $(COMMON_LIBS)
tests_fuzz_record_fuzz_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_text_fuzz_SOURCES = tests/fuzz/text_fuzz.c
tests_fuzz_text_fuzz_LDADD = $(COMMON_LIBS)
tests_fuzz_text_fuzz_LDFLAGS = $(LINK_FUZZER)
endif
EXTRA_DIST += tests/fuzz/run tests/fuzz/corpus tests/fuzz/proof.dict \
	tests/fuzz/sealed_secret.dict

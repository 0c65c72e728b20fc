/*
 * Damage to segments is named.
 */
#include "tests/unit/sealed.h"

#include <sys/stat.h>

static void
whole_segments_have_no_findings(void **state)
{
	struct sealed *f = *state;
	struct verify_result result;
	struct sealed_told told;
	uint64_t bodies;

	f->segment_bytes = SMALL_SEGMENT;
	sealed_reopen(f);
	while (segments_newest(f->segments) < 3) {
		sealed_add(f, 100);
		sealed_must_pass(f);
	}
	sealed_add(f, 3);                  /* staged */
	bodies = sealed_count(f, DB_BLOB); /* and their pieces */
	sealed_close(f);
	sealed_verify(f, 100, &told, &result);
	if (told.count > 0)
		fail_msg("%s", told.first);
	assert_int_equal(result.body_bytes, sealed_bytes(f));
	assert_int_equal(result.bodies, bodies);
	assert_true(bodies > f->messages);
	sealed_verify(f, 0, &told, &result);
	assert_int_equal(told.count, 0);
	sealed_open(f);
}

/* What is not found is harmless; what hits a value is named so. */
static void
flipped_bits_in_a_segment_are_named(void **state)
{
	struct sealed *f = *state;
	unsigned int found = 0, named = 0, tried = 0;
	uint64_t sealed;
	struct verify_result result;
	struct sealed_told told;
	char path[100];
	struct stat st;
	off_t at;
	int fd;

	sealed_add(f, 120);
	sealed_must_pass(f);
	sealed_close(f);
	snprintf(path, sizeof(path), "%s/segment/1/data.mdb", f->path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	for (at = 7; at < st.st_size; at += 9973) {
		uint8_t byte, flipped;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ (uint8_t)(1U << at % 8);
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		sealed_verify(f, 100, &told, &result);
		if (told.count == 0) {
			sealed_open(f);
			sealed_check_bodies(f, &sealed);
			sealed_close(f);
		}
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		tried++;
		found += told.count > 0;
		named += told.names_value;
	}
	close(fd);
	sealed_verify(f, 100, &told, &result);
	assert_int_equal(told.count, 0);
	sealed_open(f);
	print_message(
	    "%u flips, %u found, %u of them in values\n", tried, found, named);
	/* The rest hit pages that hold nothing any more: the last value as it
	 * was before it was gone on with. */
	assert_true(named > tried / 3);
	sealed_check(f);
}

static void
lost_or_foreign_segment_is_told(void **state)
{
	struct sealed *f = *state;
	struct verify_result result;
	struct sealed_told told;
	char path[100], away[110];

	sealed_add(f, 20);
	sealed_must_pass(f);
	sealed_close(f);
	snprintf(path, sizeof(path), "%s/segment/1", f->path);
	snprintf(away, sizeof(away), "%s/segment/2", f->path);
	assert_int_equal(rename(path, away), 0);
	sealed_verify(f, 100, &told, &result);
	assert_true(told.is_missing);
	assert_int_equal(rename(away, path), 0);
	sealed_open(f);
	sealed_check(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(whole_segments_have_no_findings),
		SEALED_TEST(flipped_bits_in_a_segment_are_named),
		SEALED_TEST(lost_or_foreign_segment_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

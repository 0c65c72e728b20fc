/*
 * The growing Merkle tree against the recursive definition of RFC 9162 2.1.1.
 */
#include "snapd/merkle_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
	LEAVES = 130
};

/* MTH of leaves first .. first + count - 1; leaf n is the byte n. */
static struct hash
naive_root(struct digest *digest, unsigned int first, unsigned int count)
{
	uint8_t data[65] = { 0 };
	struct hash left, right;
	unsigned int k = 1;

	if (count == 0)
		return digest_of(digest, "", 0);
	if (count == 1) {
		data[1] = (uint8_t)first;
		return digest_of(digest, data, 2);
	}
	while (k * 2 < count)
		k *= 2;
	left = naive_root(digest, first, k);
	right = naive_root(digest, first + k, count - k);
	data[0] = 1;
	memcpy(data + 1, left.bytes, 32);
	memcpy(data + 33, right.bytes, 32);
	return digest_of(digest, data, sizeof(data));
}

static void
root_after_each_leaf_equals_the_definition(void **state)
{
	struct digest *digest = digest_new();
	struct merkle_log log = { .count = 0 };
	struct hash expected, root;
	uint8_t leaf;
	unsigned int n;

	for (n = 0; n < LEAVES; n++) {
		root = merkle_log_root(&log, digest);
		expected = naive_root(digest, 0, n);
		assert_memory_equal(root.bytes, expected.bytes, 32);
		leaf = (uint8_t)n;
		merkle_log_add(&log, digest, &leaf, 1);
	}
	digest_free(&digest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_after_each_leaf_equals_the_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The growing Merkle tree against the recursive definition of RFC 9162 2.1.1.
 */
#include "common/merkle_log.h"

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

/* The leaves and roots that implementations of RFC 6962 and 9162 are tried
 * with. */
static void
roots_of_the_known_leaves_are_the_known_ones(void **state)
{
	static const char *const leaves[] = { "", "00", "10", "2021", "3031",
		"40414243", "5051525354555657",
		"606162636465666768696a6b6c6d6e6f" };
	static const char *const roots[] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a306"
		"17afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f"
		"00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f3"
		"29e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95"
		"209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13"
		"a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a12"
		"7f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c95"
		"94a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370ef"
		"f4604328",
	};
	struct digest *digest = digest_new();
	struct merkle_log log = { .count = 0 };
	uint8_t leaf[16];
	struct hash root;
	char hex[65];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		size_t size = strlen(leaves[i]) / 2;

		assert_int_equal(
		    text_parse_hex(text_of(leaves[i]), leaf, size), 0);
		merkle_log_add(&log, digest, leaf, size);
		root = merkle_log_root(&log, digest);
		text_format_hex(root.bytes, sizeof(root.bytes), hex);
		assert_string_equal(hex, roots[i]);
	}
	digest_free(&digest);
}

/* -- Proofs -- */

enum {
	TREES = 70
};

static size_t
run_plan(struct merkle_plan *plan, struct digest *digest, unsigned int size,
    struct hash *path)
{
	unsigned int n;
	size_t i;

	for (n = 0; n < size; n++) {
		uint8_t leaf = (uint8_t)n;

		merkle_plan_take(plan, digest, &leaf, 1);
	}
	for (i = 0; i < plan->count; i++)
		path[i] = plan->parts[i].hash;
	return plan->count;
}

/* Every leaf of every tree; and nothing else passes for it. */
static void
each_leaf_has_a_proof_that_holds_for_it_alone(void **state)
{
	struct digest *digest = digest_new();
	struct hash path[MERKLE_MAX_PATH + 1], root, leaf;
	struct merkle_plan plan;
	unsigned int size, index;
	uint8_t byte;
	size_t count, i;

	(void)state;
	for (size = 1; size <= TREES; size++)
		for (index = 0; index < size; index++) {
			merkle_plan_inclusion(&plan, index, size);
			count = run_plan(&plan, digest, size, path);
			root = naive_root(digest, 0, size);
			byte = (uint8_t)index;
			leaf = merkle_leaf(digest, &byte, 1);
#define HOLDS(index, size, count) \
	merkle_check_inclusion(digest, index, size, &leaf, path, count, &root)
			assert_true(HOLDS(index, size, count));
			assert_false(HOLDS(index + 1, size, count));
			assert_false(HOLDS(index, size, count + 1));
			if (count > 0)
				assert_false(HOLDS(index, size, count - 1));
			for (i = 0; i < count; i++) {
				path[i].bytes[i] ^= 1;
				assert_false(HOLDS(index, size, count));
				path[i].bytes[i] ^= 1;
			}
			leaf.bytes[0] ^= 1;
			assert_false(HOLDS(index, size, count));
#undef HOLDS
		}
	digest_free(&digest);
}

static void
each_tree_has_a_proof_that_it_begins_each_later_one(void **state)
{
	struct digest *digest = digest_new();
	struct hash path[MERKLE_MAX_PATH + 1], old, now;
	struct merkle_plan plan;
	unsigned int before, after;
	size_t count, i;

	(void)state;
	for (after = 1; after <= TREES; after++)
		for (before = 1; before <= after; before++) {
			merkle_plan_consistency(&plan, before, after);
			count = run_plan(&plan, digest, after, path);
			old = naive_root(digest, 0, before);
			now = naive_root(digest, 0, after);
#define HOLDS(before, after, count) \
	merkle_check_consistency(digest, before, after, path, count, &old, &now)
			assert_true(HOLDS(before, after, count));
			assert_false(HOLDS(before, after, count + 1));
			assert_false(HOLDS(after + 1, after, count));
			assert_false(HOLDS(0, after, count));
			if (count > 0)
				assert_false(HOLDS(before, after, count - 1));
			for (i = 0; i < count; i++) {
				path[i].bytes[i] ^= 1;
				assert_false(HOLDS(before, after, count));
				path[i].bytes[i] ^= 1;
			}
			old.bytes[5] ^= 1;
			assert_false(HOLDS(before, after, count));
			old.bytes[5] ^= 1;
			now.bytes[5] ^= 1;
			assert_false(HOLDS(before, after, count));
#undef HOLDS
		}
	digest_free(&digest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_after_each_leaf_equals_the_definition),
		cmocka_unit_test(roots_of_the_known_leaves_are_the_known_ones),
		cmocka_unit_test(each_leaf_has_a_proof_that_holds_for_it_alone),
		cmocka_unit_test(
		    each_tree_has_a_proof_that_it_begins_each_later_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

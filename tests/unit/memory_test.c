/* What holds bytes: buf, pool, table. */
#include "common/buf.h"
#include "common/pool.h"
#include "common/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
buf_refuses_what_passes_its_ceiling_and_stays_as_it_was(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	assert_int_equal(buf_put_text(&buf, "12345678"), 0);
	assert_int_equal(buf_put_byte(&buf, '9'), -1);
	assert_int_equal(buf_put(&buf, "x", SIZE_MAX), -1);
	assert_int_equal(buf_put_format(&buf, "%d", 9), -1);
	assert_null(buf_reserve(&buf, 1));
	assert_int_equal(buf.size, 8);
	assert_memory_equal(buf.data, "12345678", 8);
	buf_clear(&buf);
	assert_int_equal(buf.size, 0);
	assert_int_equal(buf.max_size, 8);
}

static void
buf_is_a_queue_of_bytes(void **state)
{
	struct buf buf;
	size_t put = 0, cut = 0;

	(void)state;
	buf_init(&buf, 1000);
	while (cut < 100000) {
		while (buf.size < 900)
			assert_int_equal(buf_put_byte(&buf, (uint8_t)put++), 0);
		for (size_t i = 0; i < 700; i++)
			assert_int_equal(buf.data[i], (uint8_t)(cut + i));
		buf_cut(&buf, 700);
		cut += 700;
	}
	buf_cut(&buf, 5000);
	assert_int_equal(buf.size, 0);
	buf_clear(&buf);
}

static void
buf_formats_into_room_and_beyond(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 306);
	assert_int_equal(buf_put_format(&buf, "%s", "abc"), 0);
	assert_int_equal(buf_put_format(&buf, "%0300d", 7), 0);
	assert_int_equal(buf.size, 303);
	assert_memory_equal(buf.data, "abc000", 6);
	assert_int_equal(buf_put_format(&buf, "%d", 1234), -1);
	assert_int_equal(buf_put_format(&buf, "%d", 123), 0);
	assert_memory_equal(buf.data + 299, "0007123", 7);
	assert_int_equal(buf.size, 306);
	assert_int_equal(buf_put_format(&buf, "%d", 1), -1);
	buf_clear(&buf);
}

static void
buf_formats_and_reserves(void **state)
{
	struct buf buf;
	uint8_t *room;

	(void)state;
	buf_init(&buf, 5000);
	assert_int_equal(buf_put_format(&buf, "%s-%d", "a", 7), 0);
	room = buf_reserve(&buf, 4000);
	assert_non_null(room);
	memset(room, 'z', 4000);
	buf_added(&buf, 3);
	assert_int_equal(buf.size, 6);
	assert_memory_equal(buf.data, "a-7zzz", 6);
	buf_reset(&buf);
	assert_int_equal(buf.size, 0);
	buf_clear(&buf);
}

static void
pool_gives_zeroed_aligned_memory_of_any_size(void **state)
{
	static const size_t sizes[] = { 1, 7, 16, 100, 4096, 70000, 3 };
	struct pool *pool = pool_new();

	(void)state;
	for (int round = 0; round < 3; round++) {
		size_t least = 0;

		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			uint8_t *p = pool_alloc(pool, 1, sizes[i]);

			assert_int_equal(
			    (uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t b = 0; b < sizes[i]; b++)
				assert_int_equal(p[b], 0);
			memset(p, 0xff, sizes[i]);
			least += sizes[i];
		}
		assert_true(pool_used(pool) >= least);
		assert_string_equal(pool_text(pool, "abcdef", 3), "abc");
		pool_clear(pool);
		assert_int_equal(pool_used(pool), 0);
	}
	pool_free(&pool);
	assert_null(pool);
}

static void
table_finds_what_was_put_and_forgets_what_was_removed(void **state)
{
	struct table *table = table_new();
	static uint8_t values[5000];

	(void)state;
	for (uint64_t i = 0; i < 5000; i++)
		assert_null(table_put_u64(table, i, &values[i]));
	assert_int_equal(table_count(table), 5000);
	assert_ptr_equal(table_put_u64(table, 7, &values[8]), &values[7]);
	assert_ptr_equal(table_put_u64(table, 7, &values[7]), &values[8]);
	for (uint64_t i = 0; i < 5000; i += 2)
		assert_ptr_equal(table_remove_u64(table, i), &values[i]);
	for (uint64_t i = 0; i < 5000; i++)
		assert_ptr_equal(
		    table_find_u64(table, i), i % 2 == 0 ? NULL : &values[i]);
	assert_null(table_remove_u64(table, 4));
	assert_int_equal(table_count(table), 2500);
	table_free(&table);
}

static void
table_walk_sees_each_entry_once_while_it_is_removed(void **state)
{
	struct table *table = table_new();
	static uint8_t seen[1000];
	size_t position = 0, key_size, count = 0;
	const void *key;
	void *value;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		table_put_u64(table, i, &seen[i]);
	while (table_next(table, &position, &key, &key_size, &value)) {
		assert_int_equal(++*(uint8_t *)value, 1);
		table_remove(table, key, key_size);
		count++;
	}
	assert_int_equal(count, 1000);
	assert_int_equal(table_count(table), 0);
	table_free(&table);
}

static void
table_tells_keys_apart_by_length(void **state)
{
	struct table *table = table_new();
	int a, b;

	(void)state;
	table_put(table, "ab", 2, &a);
	table_put(table, "ab\0", 3, &b);
	assert_ptr_equal(table_find(table, "ab", 2), &a);
	assert_ptr_equal(table_find(table, "ab\0", 3), &b);
	assert_null(table_find(table, "a", 1));
	table_free(&table);
}

/* The reference vectors: key 00..0f, input 00..n-1. */
static void
siphash_is_siphash_2_4(void **state)
{
	uint8_t key[16], input[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		input[i] = i;
	assert_true(table_siphash(key, input, 0) == 0x726fdb47dd0e0e31ULL);
	assert_true(table_siphash(key, input, 1) == 0x74f839c593dc67fdULL);
	assert_true(table_siphash(key, input, 8) == 0x93f5f5799a932462ULL);
	assert_true(table_siphash(key, input, 15) == 0xa129ca6149be45e5ULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    buf_refuses_what_passes_its_ceiling_and_stays_as_it_was),
		cmocka_unit_test(buf_is_a_queue_of_bytes),
		cmocka_unit_test(buf_formats_into_room_and_beyond),
		cmocka_unit_test(buf_formats_and_reserves),
		cmocka_unit_test(pool_gives_zeroed_aligned_memory_of_any_size),
		cmocka_unit_test(
		    table_finds_what_was_put_and_forgets_what_was_removed),
		cmocka_unit_test(
		    table_walk_sees_each_entry_once_while_it_is_removed),
		cmocka_unit_test(table_tells_keys_apart_by_length),
		cmocka_unit_test(siphash_is_siphash_2_4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

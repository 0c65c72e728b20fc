/*
 * Blocks that two threads pack: each comes back whole and in its order, whoever
 * was faster.
 */
#include "common/memory.h"
#include "snapd/pack_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	BLOCKS = 200,
	LARGEST = 300000
};

struct world {
	struct block_packer *packer;
	struct pack_queue *queue;
};

static int
set_up(void **state)
{
	struct world *w = memory_new(1, sizeof(*w));

	w->packer = block_packer_new();
	w->queue = pack_queue_new(w->packer);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	pack_queue_free(&w->queue);
	block_packer_free(&w->packer);
	free(w);
	return 0;
}

/* Block n: small ones are done at once, large ones are not; every third is
 * base64. */
static size_t
bytes_of(unsigned int n, char *to)
{
	size_t size = 1 + (size_t)n * 7919 % LARGEST, i;
	uint64_t random = n;

	for (i = 0; i < size; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		to[i] = n % 3 == 0 && i % 77 == 76
			    ? '\n'
			    : (char)('A' + (random >> 60));
	}
	return size;
}

static void
put_block(struct world *w, unsigned int n, char *bytes)
{
	struct buf *raw = pack_queue_raw(w->queue);

	buf_reset(raw);
	assert_int_equal(buf_put(raw, bytes, bytes_of(n, bytes)), 0);
	pack_queue_put(w->queue);
}

static void
check_oldest(struct world *w, unsigned int n, char *bytes, uint8_t *again)
{
	struct error error;
	const struct packed_block *packed = pack_queue_oldest(w->queue, &error);
	size_t size = bytes_of(n, bytes);

	assert_non_null(packed);
	assert_int_equal(packed->raw_size, size);
	assert_int_equal(
	    block_unpack(w->packer, text_make(packed->bytes, packed->size),
		packed->has_runs, again, size, &error),
	    0);
	assert_memory_equal(again, bytes, size);
	pack_queue_drop(w->queue);
}

static void
blocks_come_back_whole_and_in_order(void **state)
{
	struct world *w = *state;
	char *bytes = memory_new(1, LARGEST);
	uint8_t *again = memory_new(1, LARGEST);
	unsigned int put = 0, taken = 0;

	for (; taken < BLOCKS; taken++) {
		/* As many as may be, or fewer, in turn. */
		while (put < BLOCKS && pack_queue_count(w->queue) <
					   1 + taken / 10 % PACK_QUEUE_MAX)
			put_block(w, put++, bytes);
		check_oldest(w, taken, bytes, again);
	}
	assert_int_equal(pack_queue_count(w->queue), 0);
	free(bytes);
	free(again);
}

static void
what_is_not_wanted_any_more_is_dropped(void **state)
{
	struct world *w = *state;
	char *bytes = memory_new(1, LARGEST);
	uint8_t *again = memory_new(1, LARGEST);
	unsigned int n;

	for (n = 0; n < PACK_QUEUE_MAX; n++)
		put_block(w, 30 + n, bytes);
	while (pack_queue_count(w->queue) > 0)
		pack_queue_drop(w->queue);
	put_block(w, 1, bytes);
	check_oldest(w, 1, bytes, again);
	/* And the queue ends while one is being packed. */
	put_block(w, 37, bytes);
	free(bytes);
	free(again);
}

static void
block_that_is_too_large_is_an_error_of_its_own(void **state)
{
	struct world *w = *state;
	struct packed_block packed = { .room = 0 };
	char *bytes = memory_new(2, 1 << 20);
	uint8_t *again = memory_new(1, LARGEST);
	struct error error;

	assert_int_equal(block_pack(w->packer, text_make(bytes, (1 << 20) + 1),
			     &packed, &error),
	    -1);
	assert_int_equal(error.code, ERROR_LIMIT);
	put_block(w, 2, bytes);
	check_oldest(w, 2, bytes, again);
	packed_block_clear(&packed);
	free(bytes);
	free(again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    blocks_come_back_whole_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_is_not_wanted_any_more_is_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    block_that_is_too_large_is_an_error_of_its_own, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * COPYUID names all messages or is not there.
 */
#include "imapd/copyuid.h"

#include "common/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	SCATTERED = 500000,
	LINE_MAX_SIZE = 4 * 1024 * 1024
};

static struct text
put(struct buf *line, const uint32_t *sources, const uint32_t *targets,
    size_t count)
{
	const struct mailbox_answer answer = { .uidvalidity = 7,
		.count = count,
		.source_uids = sources,
		.target_uids = targets };

	copyuid_put(line, &answer, "Copy completed");
	return text_make(line->data, line->size);
}

static void
it_names_source_and_target(void **state)
{
	static const uint32_t sources[] = { 1, 2, 3, 9 };
	static const uint32_t targets[] = { 21, 22, 23, 24 };
	struct buf line;

	buf_init(&line, LINE_MAX_SIZE);
	assert_true(text_is(put(&line, sources, targets, 4),
	    "OK [COPYUID 7 1:3,9 21:24] Copy completed"));
	buf_clear(&line);
}

/* At each size of a line: all of it or none. */
static void
what_is_too_long_is_left_out(void **state)
{
	static const uint32_t sources[] = { 1, 3, 5, 7, 9 };
	static const uint32_t targets[] = { 1, 2, 3, 4, 5 };
	unsigned int whole = 0, none = 0;

	for (size_t size = 30; size < 300; size++) {
		struct text text;
		struct buf line;

		buf_init(&line, size);
		(void)buf_put_text(&line, "* ");
		text = put(&line, sources, targets, 5);
		whole += text_is(
		    text, "* OK [COPYUID 7 1,3,5,7,9 1:5] Copy completed");
		none += text_is(text, "* OK Copy completed");
		buf_clear(&line);
	}
	assert_int_equal(whole + none, 270);
	assert_true(whole > 0 && none > 0);
}

static void
half_a_million_scattered_ones_are_copied_all_the_same(void **state)
{
	uint32_t *uids = calloc(SCATTERED, sizeof(*uids));
	struct buf line;

	for (uint32_t i = 0; i < SCATTERED; i++)
		uids[i] = 4000000000U + 2 * i;
	buf_init(&line, LINE_MAX_SIZE);
	assert_true(
	    text_is(put(&line, uids, uids, SCATTERED), "OK Copy completed"));
	buf_clear(&line);
	free(uids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_names_source_and_target),
		cmocka_unit_test(what_is_too_long_is_left_out),
		cmocka_unit_test(
		    half_a_million_scattered_ones_are_copied_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * SASL PLAIN and LOGIN, line by line.
 */
#include "common/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct row {
	const char *mechanism;
	const char *initial; /* NULL: none */
	const char *lines[3];
	enum sasl_step last;
} rows[] = { { "PLAIN", "AGJvYgBwdw==", { NULL }, SASL_DONE },
	{ "plain", NULL, { "AGJvYgBwdw==" }, SASL_DONE },
	{ "PLAIN", "Ym9iAGJvYgBwdw==", { NULL }, SASL_DONE },
	{ "PLAIN", "Qk9CAGJvYgBwdw==", { NULL }, SASL_DONE },
	{ "PLAIN", "ZXZlAGJvYgBwdw==", { NULL }, SASL_REFUSED },
	{ "PLAIN", "=", { NULL }, SASL_MALFORMED },
	{ "PLAIN", "AGJvYgBwdx==", { NULL }, SASL_MALFORMED },
	{ "PLAIN", "AGJvYgBwdw=", { NULL }, SASL_MALFORMED },
	{ "PLAIN", "AGJv YgBwdw=", { NULL }, SASL_MALFORMED },
	{ "PLAIN", "AGJv=gBw", { NULL }, SASL_MALFORMED },
	{ "PLAIN", "AGJvYgA=", { NULL }, SASL_MALFORMED },
	{ "PLAIN", "AABwdw==", { NULL }, SASL_MALFORMED },
	{ "PLAIN", NULL, { "*" }, SASL_CANCELLED },
	{ "LOGIN", NULL, { "Ym9i", "cHc=" }, SASL_DONE },
	{ "LOGIN", "Ym9i", { "cHc=" }, SASL_DONE },
	{ "LOGIN", NULL, { "Ym9i", "*" }, SASL_CANCELLED },
	{ "LOGIN", NULL, { "Ym9i", "" }, SASL_MALFORMED },
	{ "LOGIN", NULL, { "" }, SASL_MALFORMED },
	{ "CRAM-MD5", NULL, { NULL }, SASL_UNKNOWN } };

static void
each_exchange_ends_as_the_table_says(void **state)
{
	const struct row *row;
	enum sasl_step step;
	struct sasl sasl;
	size_t i, n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row = &rows[i];
		step = sasl_start(&sasl, text_of(row->mechanism),
		    row->initial != NULL ? text_of(row->initial)
					 : (struct text){ NULL, 0 });
		for (n = 0; step == SASL_CHALLENGE && row->lines[n]; n++)
			step = sasl_continue(&sasl, text_of(row->lines[n]));
		if (step != row->last)
			fail_msg("row %zu", i);
		if (step != SASL_DONE)
			continue;
		assert_true(text_is(sasl_user(&sasl), "bob"));
		assert_true(text_is(sasl_password(&sasl), "pw"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
	    each_exchange_ends_as_the_table_says) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

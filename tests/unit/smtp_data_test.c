/*
 * The scanner of DATA against a plain reading of the rules, for every string of
 * up to six of the bytes that matter, in every way to cut it into chunks.
 */
#include "common/smtp_verdict.h"
#include "smtpd/smtp_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct outcome {
	bool is_over;
	size_t used;
	unsigned int defects;
	size_t size;
	uint8_t data[256];
};

/* The rules over a whole string: cut at the end, drop the first dot of each
 * line that begins after CR LF, note what is bare. */
static void
expect(const uint8_t *in, size_t size, bool is_normalising,
    struct outcome *outcome)
{
	static const char end_mark[] = "\r\n.\r\n";
	uint8_t text[64] = "\r\n";
	size_t i, body;

	memset(outcome, 0, sizeof(*outcome));
	memcpy(text + 2, in, size);
	for (i = 0; i + 5 <= size + 2 && !outcome->is_over; i++)
		outcome->is_over = memcmp(text + i, end_mark, 5) == 0;
	if (outcome->is_over)
		i--;
	body = outcome->is_over ? i + 2 : size + 2;
	outcome->used = outcome->is_over ? i + 3 : size;
	for (i = 2; i < body; i++) {
		bool after_crlf = text[i - 2] == '\r' && text[i - 1] == '\n';
		bool is_lf = text[i] == '\n' && (i == 2 || text[i - 1] != '\r');
		bool is_cr =
		    text[i] == '\r' && (i + 1 == body || text[i + 1] != '\n');

		if (text[i] == '.' && after_crlf)
			continue;
		outcome->defects |= text[i] == '\0' ? DEFECT_NUL : 0;
		outcome->defects |= is_lf ? DEFECT_BARE_LF : 0;
		outcome->defects |= is_cr ? DEFECT_BARE_CR : 0;
		if ((is_lf || is_cr) && is_normalising) {
			outcome->data[outcome->size++] = '\r';
			outcome->data[outcome->size++] = '\n';
		} else {
			outcome->data[outcome->size++] = text[i];
		}
	}
}

/* Bit n of `cuts`: a chunk ends behind byte n. */
static void
scan(const uint8_t *in, size_t size, unsigned int cuts, size_t room,
    bool is_normalising, struct outcome *outcome)
{
	struct smtp_data data;
	size_t start = 0, end, used, made;
	enum smtp_data_step step = SMTP_DATA_MORE;

	memset(outcome, 0, sizeof(*outcome));
	smtp_data_init(&data, is_normalising);
	while (start < size && step != SMTP_DATA_END) {
		for (end = start + 1; end < size; end++)
			if (cuts >> (end - 1) & 1)
				break;
		do {
			step = smtp_data_scan(&data, in + start, end - start,
			    &used, outcome->data + outcome->size, room, &made);
			start += used;
			outcome->size += made;
		} while (step == SMTP_DATA_FULL);
	}
	outcome->is_over = step == SMTP_DATA_END;
	outcome->used = start;
	outcome->defects = data.defects;
	assert_int_equal(data.size, outcome->size);
}

static void
check(const uint8_t *in, size_t size, unsigned int cuts, bool is_normalising)
{
	struct outcome wanted, got;

	expect(in, size, is_normalising, &wanted);
	scan(in, size, cuts, cuts & 1 ? 4 : 200, is_normalising, &got);
	assert_int_equal(got.is_over, wanted.is_over);
	assert_int_equal(got.used, wanted.used);
	if (!got.is_over)
		return; /* what is held back may still become anything */
	assert_int_equal(got.defects, wanted.defects);
	assert_int_equal(got.size, wanted.size);
	assert_memory_equal(got.data, wanted.data, got.size);
}

static void
every_string_in_every_chunking_is_read_by_the_rules(void **state)
{
	static const uint8_t alphabet[] = { '\r', '\n', '.', 'a', '\0' };
	uint8_t in[16];
	unsigned int number, rest, cuts;
	size_t i, size = 6;

	for (number = 0; number < 5 * 5 * 5 * 5 * 5 * 5; number++) {
		for (rest = number, i = 0; i < size; i++, rest /= 5)
			in[i] = alphabet[rest % 5];
		memcpy(in + size, "\r\n.\r\n", 5);
		for (cuts = 0; cuts < 1u << (size + 4);
		     cuts += 1 + number % 7) {
			check(in, size + 5, cuts, false);
			check(in, size + 5, cuts, true);
		}
		check(in, size, number % 64, false);
	}
}

static void
long_lines_and_dots_come_through_whole(void **state)
{
	static uint8_t in[70000], out[70000];
	struct smtp_data data;
	size_t used, made;

	memset(in, 'x', sizeof(in));
	memcpy(in + 60000, "\r\n..dot\r\n.\r\nQUIT\r\n", 18);
	smtp_data_init(&data, false);
	assert_int_equal(
	    smtp_data_scan(&data, in, 60018, &used, out, sizeof(out), &made),
	    SMTP_DATA_END);
	assert_int_equal(used, 60012);
	assert_int_equal(made, 60008);
	assert_memory_equal(out + 60000, "\r\n.dot\r\n", 8);
	assert_int_equal(data.defects, 0);
}

/* As of `expect`, but for dots, which are text, and no end. */
static void
check_chunks(const uint8_t *in, size_t size, unsigned int cuts)
{
	uint8_t dotless[16] = { 0 }, out[64];
	struct outcome wanted;
	struct smtp_data data;
	size_t start, end, used, made, total = 0;

	for (start = 0; start < size; start++)
		dotless[start] = in[start] == '.' ? 'b' : in[start];
	expect(dotless, size, true, &wanted);
	smtp_data_init_chunks(&data, true);
	for (start = 0; start < size; start = end) {
		for (end = start + 1; end < size; end++)
			if (cuts >> (end - 1) & 1)
				break;
		assert_int_equal(
		    smtp_data_scan(&data, in + start, end - start, &used,
			out + total, sizeof(out) - total, &made),
		    SMTP_DATA_MORE);
		total += made;
	}
	total += smtp_data_finish(&data, out + total);
	for (start = 0; start < total; start++)
		if (out[start] == '.')
			out[start] = 'b';
	assert_int_equal(total, wanted.size);
	assert_int_equal(data.size, wanted.size);
	assert_memory_equal(out, wanted.data, total);
	assert_int_equal(data.defects, wanted.defects);
}

static void
a_chunk_ends_where_it_says(void **state)
{
	static const uint8_t alphabet[] = { '\r', '\n', '.', 'a', '\0' };
	unsigned int number, rest, cuts;
	uint8_t in[16];
	size_t i, size = 6;

	for (number = 0; number < 5 * 5 * 5 * 5 * 5 * 5; number++) {
		for (rest = number, i = 0; i < size; i++, rest /= 5)
			in[i] = alphabet[rest % 5];
		for (cuts = 0; cuts < 1u << (size - 1); cuts++)
			check_chunks(in, size, cuts);
	}
}

/* What is held back is given as it came, and so is an LF that comes first
 * afterwards: who puts the parts together sees both. */
static void
bytes_at_a_seam_stay_as_they_came(void **state)
{
	static const struct {
		const char *before, *rest, *behind, *after;
	} rows[] = { { "a\r", "\r", "\nb\n", "\nb\r\n" },
		{ "a", "", "\n\n", "\n\r\n" },
		{ "a\r\n", "", "\rb\r", "\r\nb\r\n" },
		{ "", "", "b\r\n", "b\r\n" } };
	struct smtp_data data;
	uint8_t out[64];
	size_t used, made, i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		smtp_data_init_chunks(&data, true);
		(void)smtp_data_scan(&data, (const uint8_t *)rows[i].before,
		    strlen(rows[i].before), &used, out, sizeof(out), &made);
		assert_int_equal(
		    smtp_data_flush(&data, out), strlen(rows[i].rest));
		assert_memory_equal(out, rows[i].rest, strlen(rows[i].rest));
		(void)smtp_data_scan(&data, (const uint8_t *)rows[i].behind,
		    strlen(rows[i].behind), &used, out, sizeof(out), &made);
		made += smtp_data_finish(&data, out + made);
		assert_int_equal(made, strlen(rows[i].after));
		assert_memory_equal(out, rows[i].after, made);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_string_in_every_chunking_is_read_by_the_rules),
		cmocka_unit_test(long_lines_and_dots_come_through_whole),
		cmocka_unit_test(a_chunk_ends_where_it_says),
		cmocka_unit_test(bytes_at_a_seam_stay_as_they_came)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

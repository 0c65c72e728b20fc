/* Commands before login, in all chunkings: lines, literals, words. */
#include "imapd/imap_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct transcript {
	const char *input;
	/* A letter a step: D done, C continue, T too long, L lost. */
	const char *steps;
	const char *command; /* the last one that was done */
};

static const struct transcript transcripts[] = {
	{ "a NOOP\r\n", "D", "a NOOP" },
	{ "a NOOP\n", "D", "a NOOP" },
	{ "a NOOP\r\nb LOGOUT\r\n", "DD", "b LOGOUT" },
	{ "\r\n", "D", "" },
	{ "a LOGIN {5}\r\nalice {3+}\r\nx y\r\n", "CD",
	    "a LOGIN {5}\r\nalice {3+}\r\nx y" },
	{ "a LOGIN {4+}\r\na\r\nb {0}\r\n\r\n", "CD",
	    "a LOGIN {4+}\r\na\r\nb {0}\r\n" },
	{ "a LOGIN {99999}\r\nb NOOP\r\n", "TD", "b NOOP" },
	{ "a LOGIN {99999+}\r\n", "L", NULL },
	{ "a LOGIN {2049}\r\n", "T", NULL },
	{ "a LOGIN {18446744073709551616}\r\n", "D",
	    "a LOGIN {18446744073709551616}" },
	{ "a X{}\r\n", "D", "a X{}" },
	{ "a X }\r\n", "D", "a X }" },
};

static char
letter(enum imap_line_step step)
{
	switch (step) {
	case IMAP_LINE_CONTINUE:
		return 'C';
	case IMAP_LINE_DONE:
		return 'D';
	case IMAP_LINE_TOO_LONG:
		return 'T';
	case IMAP_LINE_LOST:
		return 'L';
	default:
		return 0;
	}
}

/* Feeds `text` in pieces of `chunk` bytes; the steps as letters. */
static void
play(const char *text, size_t chunk, char *steps, char *command)
{
	struct imap_line line;
	struct buf input;
	size_t size = strlen(text), count = 0;

	imap_line_init(&line);
	buf_init(&input, 65536);
	for (size_t at = 0; at < size; at += chunk) {
		buf_put(
		    &input, text + at, size - at < chunk ? size - at : chunk);
		while (input.size > 0) {
			enum imap_line_step step =
			    imap_line_feed(&line, &input);

			if (step == IMAP_LINE_MORE)
				break;
			steps[count++] = letter(step);
			if (step == IMAP_LINE_DONE)
				text_copy(
				    text_make(line.bytes.data, line.bytes.size),
				    command, 256);
			if (step != IMAP_LINE_CONTINUE)
				imap_line_reset(&line);
		}
	}
	steps[count] = '\0';
	buf_clear(&input);
	imap_line_clear(&line);
}

static void
commands_are_found_in_every_chunking(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(transcripts) / sizeof(transcripts[0]);
	     i++) {
		const struct transcript *t = &transcripts[i];

		for (size_t chunk = 1; chunk <= strlen(t->input); chunk++) {
			char steps[32], command[256] = "";

			play(t->input, chunk, steps, command);
			assert_string_equal(steps, t->steps);
			if (t->command != NULL)
				assert_string_equal(command, t->command);
		}
	}
}

static void
long_lines_are_skipped_to_their_end(void **state)
{
	static char text[3 * IMAP_LINE_MAX_SIZE];
	char steps[32], command[256] = "";

	(void)state;
	memset(text, 'x', 2 * IMAP_LINE_MAX_SIZE);
	strcat(text, "\r\nb NOOP\r\n");
	for (size_t chunk = 1; chunk < sizeof(text); chunk = chunk * 3 + 1) {
		play(text, chunk, steps, command);
		assert_string_equal(steps, "TD");
		assert_string_equal(command, "b NOOP");
	}
}

static void
words_of_a_command(void **state)
{
	static const struct {
		const char *input;
		const char *words; /* joined by '|', '!' for malformed */
	} rows[] = {
		{ "a LOGIN bob secret", "a|LOGIN|bob|secret|" },
		{ "a  LOGIN \"b ob\" \"s\\\"e\\\\c\"",
		    "a|LOGIN|b ob|s\"e\\c|" },
		{ "a {3}\r\nx\r\n {2+}\r\n\"\" z", "a|x\r\n|\"\"|z|" },
		{ "a \"open", "a|!" },
		{ "a \"back\\", "a|!" },
		{ "a \"li\nne\"", "a|!" },
		{ "a {9}\r\nshort", "a|!" },
		{ "a {x}\r\n", "a|!" },
		{ "a {", "a|!" },
		{ "a b\"c", "a|!" },
		{ "a \x01", "a|!" },
		{ "", "" },
		{ "a \"\"", "a||" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *copy = strdup(rows[i].input);
		struct text rest = text_of(copy), word;
		char joined[256] = "";
		int result;

		while ((result = imap_line_next_word(&rest, &word)) == 1) {
			strncat(joined, word.data, word.size);
			strcat(joined, "|");
		}
		if (result == -1)
			strcat(joined, "!");
		assert_string_equal(joined, rows[i].words);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_found_in_every_chunking),
		cmocka_unit_test(long_lines_are_skipped_to_their_end),
		cmocka_unit_test(words_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The charsets of East Asia against glibc's iconv, an implementation that is
 * not ours: each sequence of bytes that it takes for one character; what is
 * broken; and i;unicode-casemap.
 */
#include "common/casefold.h"
#include "common/charset.h"

#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In UTF-8; U+FFFD for what is none. */
static struct text
ours(const char *name, struct text data, struct buf *out)
{
	buf_reset(out);
	assert_int_equal(
	    charset_decode(charset_find(text_of(name)), data, out), 0);
	return text_make(out->data, out->size);
}

/* The same by iconv; empty if it finds no character. */
static struct text
theirs(iconv_t converter, struct text data, char *to, size_t room)
{
	char *in = (char *)(uintptr_t)data.data, *out = to;
	size_t in_left = data.size, out_left = room;

	(void)iconv(converter, NULL, NULL, NULL, NULL);
	if (iconv(converter, &in, &in_left, &out, &out_left) != 0 ||
	    in_left != 0)
		out_left = room;
	return text_make(to, room - out_left);
}

struct same {
	const char *name;
	const char *iconv_name;
	const char *before; /* escapes, or a first byte */
	const char *after;
	int low;
	int high;
	/* Characters of iconv's that are others here, or none. */
	unsigned int differences;
};

/* Six signs of JIS X 0208, and the tilde of JIS X 0212, are full width where
 * Windows made them so.  Kana, Cyrillic and signs of ETEN, 408, have places of
 * their own in Unicode since, and are private to glibc. */
static const struct same charsets[] = {
	{ "Shift_JIS", "CP932", "", "", 0x81, 0xfc, 0 },
	{ "EUC-JP", "EUC-JP", "", "", 0xa1, 0xfe, 6 },
	{ "EUC-JP", "EUC-JP", "\x8f", "", 0xa1, 0xfe, 1 },
	{ "ISO-2022-JP", "ISO-2022-JP", "\033$B", "\033(B", 0x21, 0x7e, 6 },
	{ "GB18030", "GBK", "", "", 0x81, 0xfe, 0 },
	{ "Big5", "BIG5", "", "", 0x81, 0xfe, 408 },
	{ "EUC-KR", "UHC", "", "", 0x81, 0xfe, 0 },
};

static unsigned int
count_differences(const struct same *same, iconv_t converter)
{
	unsigned int count = 0;
	char bytes[16], utf8[64];
	struct buf out;

	buf_init(&out, 1000);
	for (int a = same->low; a <= same->high; a++)
		for (int b = 0x21; b <= 0xfe; b++) {
			int size = snprintf(bytes, sizeof(bytes), "%s%c%c%s",
			    same->before, a, b, same->after);
			struct text data = text_make(bytes, (size_t)size);
			struct text is =
			    theirs(converter, data, utf8, sizeof(utf8));

			/* Two characters, of which the first is no pair. */
			if (is.size == 0 ||
			    text_make(is.data, is.size).size > 4 ||
			    (b < 0x80 && is.data[is.size - 1] == (char)b &&
				is.size > 1))
				continue;
			count += !text_equal(is, ours(same->name, data, &out));
		}
	buf_clear(&out);
	return count;
}

static void
each_pair_is_what_another_implementation_says(void **state)
{
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
		const struct same *same = &charsets[i];
		iconv_t converter = iconv_open("UTF-8", same->iconv_name);
		unsigned int differences;

		assert_true(converter != (iconv_t)-1);
		differences = count_differences(same, converter);
		iconv_close(converter);
		if (differences != same->differences)
			fail_msg("%s: %u differences from %s", same->name,
			    differences, same->iconv_name);
	}
}

/* All 1,587,600 of four bytes. */
static void
so_is_each_character_of_four_bytes(void **state)
{
	iconv_t converter = iconv_open("UTF-8", "GB18030");
	unsigned int known = 0, differences = 0;
	char bytes[4], utf8[16];
	struct buf out;

	assert_true(converter != (iconv_t)-1);
	buf_init(&out, 100);
	for (unsigned int n = 0; n < 126 * 10 * 126 * 10; n++) {
		struct text data = text_make(bytes, 4), is;

		bytes[0] = (char)(0x81 + n / 12600);
		bytes[1] = (char)(0x30 + n / 1260 % 10);
		bytes[2] = (char)(0x81 + n / 10 % 126);
		bytes[3] = (char)(0x30 + n % 10);
		is = theirs(converter, data, utf8, sizeof(utf8));
		if (is.size == 0)
			continue;
		known++;
		differences += !text_equal(is, ours("gb18030", data, &out));
	}
	assert_true(known > 1000000);
	/* 0x8135f437 is U+1E3F by the standard of 2000, private by that of
	 * 2005. */
	assert_int_equal(differences, 1);
	buf_clear(&out);
	iconv_close(converter);
}

static const struct {
	const char *charset;
	const char *bytes;
	const char *utf8;
} broken[] = {
	{ "shift_jis", "a\x82", "a\xef\xbf\xbd" },
	/* What hides behind a first byte stays. */
	{ "shift_jis", "\x81<b>", "\xef\xbf\xbd<b>" },
	{ "shift_jis", "\xfd\xff", "\xef\xbf\xbd" },
	{ "euc-jp", "\xa4\"x", "\xef\xbf\xbd\"x" },
	{ "euc-jp", "\x8f\xa4", "\xef\xbf\xbd" },
	{ "euc-jp", "\x8e", "\xef\xbf\xbd" },
	{ "euc-jp", "\x8e\xb1", "\xef\xbd\xb1" },
	{ "big5", "\xa4<", "\xef\xbf\xbd<" },
	{ "gbk", "\x81 ", "\xef\xbf\xbd " },
	{ "gb18030", "\x81\x30\x81",
	    "\xef\xbf\xbd"
	    "0\xef\xbf\xbd" },
	{ "gb18030", "\x81\x30\x81\x30", "\xc2\x80" },
	{ "gb18030", "\x90\x30\x81\x30", "\xf0\x90\x80\x80" },
	{ "gb18030", "\xe3\x32\x9a\x35", "\xf4\x8f\xbf\xbf" },
	{ "gb18030", "\xe3\x32\x9a\x36", "\xef\xbf\xbd" },
	{ "gb18030", "\xfe\x39\xfe\x39", "\xef\xbf\xbd" },
	{ "euc-kr", "\xb0", "\xef\xbf\xbd" },
	{ "ks_c_5601-1987", "\xb0\xa1", "\xea\xb0\x80" },
	{ "iso-2022-jp", "\033$B$\"\nab\033(B", "\xe3\x81\x82\nab" },
	{ "iso-2022-jp", "\033$B$", "\xef\xbf\xbd" },
	{ "iso-2022-jp", "\033(I1\033(B1",
	    "\xef\xbd\xb1"
	    "1" },
	{ "iso-2022-jp", "\033$A!!x", "\033$A!!x" },
	{ "iso-2022-jp", "\033", "\033" },
	{ "iso-2022-jp", "\xa4\xa2", "\xef\xbf\xbd\xef\xbf\xbd" },
};

static void
what_is_broken_becomes_some_text(void **state)
{
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct text is =
		    ours(broken[i].charset, text_of(broken[i].bytes), &out);

		if (!text_is(is, broken[i].utf8))
			fail_msg("case %zu: %.*s", i, TEXT_FMT(is));
	}
	buf_clear(&out);
}

static void
a_full_buffer_is_an_error(void **state)
{
	static const char *const names[] = { "shift_jis", "euc-jp",
		"iso-2022-jp", "gb18030", "big5", "euc-kr" };
	struct buf out;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		buf_init(&out, 2);
		assert_int_equal(charset_decode(charset_find(text_of(names[i])),
				     TEXT("\xb0\xa1"
					  "abc"),
				     &out),
		    -1);
		buf_clear(&out);
	}
}

static void
each_charset_is_found_by_its_name(void **state)
{
	size_t n = 0;

	for (; charset_name(n) != NULL; n++)
		assert_non_null(charset_find(text_of(charset_name(n))));
	assert_true(n > 40);
	assert_null(charset_find(TEXT("klingon")));
}

/* RFC 5051, and what follows of it. */
static const struct {
	const char *a;
	const char *b;
	bool is_same;
} folded[] = {
	{ "hello", "HeLLO", true },
	{ "\xc3\xa4", "\xc3\x84", true },    /* a with diaeresis */
	{ "\xc3\xa4", "a\xcc\x88", true },   /* put together */
	{ "\xef\xbc\xa1", "a", true },       /* full width */
	{ "\xc7\x84", "\xc7\x86", true },    /* DZ with caron, dz */
	{ "\xc7\x84", "Dz\xcc\x8c", false }, /* a z is a Z, that one is none */
	{ "\xef\xac\x81", "fi", false },     /* the ligature is no title */
	{ "\xc3\x9f", "ss", false },         /* sharp s stays */
	{ "\xd0\xb6", "\xd0\x96", true },    /* zhe */
	{ "\xce\xa3", "\xcf\x83", true },    /* sigma */
	{ "\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1", false }, /* Hangul */
	{ "\xff", "\xff", true },
};

static void
text_is_compared_by_unicode_casemap(void **state)
{
	struct pool *pool = pool_new();

	for (size_t i = 0; i < sizeof(folded) / sizeof(folded[0]); i++)
		if (text_equal(casefold(text_of(folded[i].a), pool),
			casefold(text_of(folded[i].b), pool)) !=
		    folded[i].is_same)
			fail_msg("case %zu", i);
	pool_free(&pool);
}

/* A text of these, so that parts of it come again and again. */
static struct text
some_text(char *to, size_t size, const char *of)
{
	for (size_t i = 0; i < size; i++)
		to[i] = of[(size_t)random() % strlen(of)];
	return text_make(to, size);
}

static void
a_text_contains_what_its_folded_form_contains(void **state)
{
	static const char *const letters[] = { "aA", "abAB e", "aB\xc3\xa9z",
		"eEtT\n" };
	char text_room[300], sought_room[100];

	srandom(2);
	for (int round = 0; round < 40000; round++) {
		struct pool *pool = pool_new();
		const char *of = letters[random() % 4];
		struct text text =
		    some_text(text_room, (size_t)random() % 300, of);
		struct text sought =
		    casefold(some_text(sought_room,
				 (size_t)random() % (round % 8 ? 6 : 90), of),
			pool);
		struct text whole = casefold(text, pool);
		bool has = sought.size == 0 ||
			   (whole.size >= sought.size &&
			       memmem(whole.data, whole.size, sought.data,
				   sought.size) != NULL);

		assert_int_equal(casefold_contains(text, sought, pool), has);
		pool_free(&pool);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pair_is_what_another_implementation_says),
		cmocka_unit_test(so_is_each_character_of_four_bytes),
		cmocka_unit_test(what_is_broken_becomes_some_text),
		cmocka_unit_test(a_full_buffer_is_an_error),
		cmocka_unit_test(each_charset_is_found_by_its_name),
		cmocka_unit_test(text_is_compared_by_unicode_casemap),
		cmocka_unit_test(a_text_contains_what_its_folded_form_contains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

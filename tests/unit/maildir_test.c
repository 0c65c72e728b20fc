/* Names of Maildir++ folders and files, modified UTF-7, Dovecot's lists. */
#include "common/maildir.h"
#include "common/utf7.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *mailbox;
	const char *folder;
} folders[] = {
	{ "inbox", "" },
	{ "Sent", ".Sent" },
	{ "A/B", ".A.B" },
	{ "a.b/c", ".a\\2eb.c" },
	{ "~x", ".~x" },
	{ "a\\b", ".a\\5cb" },
	{ "Entw\xc3\xbcrfe", ".Entw&APw-rfe" },
	{ "R&D", ".R&-D" },
	{ "\xf0\x9f\x98\x80", ".&2D3eAA-" },
};

static void
mailbox_names_become_folders_and_back(void **state)
{
	struct buf buf;

	buf_init(&buf, 4096);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		struct text folder = text_of(folders[i].folder);

		buf_reset(&buf);
		assert_int_equal(
		    maildir_folder_format(text_of(folders[i].mailbox), &buf),
		    0);
		assert_int_equal(buf.size, folder.size);
		if (folder.size == 0)
			continue;
		assert_memory_equal(buf.data, folder.data, folder.size);
		buf_reset(&buf);
		assert_int_equal(maildir_folder_parse(folder, &buf), 0);
		assert_true(
		    text_is(text_make(buf.data, buf.size), folders[i].mailbox));
	}
	buf_clear(&buf);
}

static void
odd_folders_and_utf7_are_refused(void **state)
{
	static const char *const bad_folders[] = { "", ".", "..", ".a..b",
		".a.", "a", ".a\\2", ".a\\41", "./" };
	static const char *const bad_utf7[] = { "&", "&AOQ", "&AGE-", "&2D0-",
		"&3gA-", "&AOQ-&AOQ-", "\xc3\xa4", "&AOR-", "&A-" };
	struct buf buf;

	buf_init(&buf, 4096);
	for (size_t i = 0; i < sizeof(bad_folders) / sizeof(char *); i++)
		assert_int_equal(
		    maildir_folder_parse(text_of(bad_folders[i]), &buf), -1);
	for (size_t i = 0; i < sizeof(bad_utf7) / sizeof(char *); i++)
		assert_int_equal(utf7_decode(text_of(bad_utf7[i]), &buf), -1);
	buf_clear(&buf);
}

static void
file_names_carry_sizes_flags_and_keywords(void **state)
{
	struct maildir_name name;
	struct buf buf;

	assert_int_equal(
	    maildir_name_parse(text_of("1.x,S=10,W=12:2,FSac"), &name), 0);
	assert_true(text_is(name.base, "1.x"));
	assert_true(text_is(name.whole, "1.x,S=10,W=12"));
	assert_int_equal(name.size, 10);
	assert_int_equal(name.wire_size, 12);
	assert_int_equal(name.flags, FLAG_FLAGGED | FLAG_SEEN);
	assert_int_equal(name.keywords, 5);
	buf_init(&buf, 512);
	assert_int_equal(maildir_name_format(name.whole, false, name.flags,
			     name.keywords, &buf),
	    0);
	assert_true(
	    text_is(text_make(buf.data, buf.size), "1.x,S=10,W=12:2,FSac"));
	/* All of them, in the order of their letters; in new/ none. */
	buf_reset(&buf);
	assert_int_equal(
	    maildir_name_format(TEXT("1.x"), false, FLAG_ALL, 0, &buf), 0);
	assert_true(text_is(text_make(buf.data, buf.size), "1.x:2,DFRST"));
	buf_reset(&buf);
	assert_int_equal(
	    maildir_name_format(TEXT("1.x"), true, FLAG_ALL, 1, &buf), 0);
	assert_true(text_is(text_make(buf.data, buf.size), "1.x"));
	buf_clear(&buf);
	assert_int_equal(maildir_name_parse(text_of(".hidden"), &name), -1);
	assert_int_equal(maildir_name_parse(text_of(":2,S"), &name), -1);
	assert_int_equal(maildir_name_parse(text_of("a\nb"), &name), -1);
}

static void
lists_for_dovecot_are_written_in_its_form(void **state)
{
	const struct uidlist_header header = { 7, 30 };
	const struct uidlist_entry entry = { .uid = 5,
		.whole = TEXT("a,S=1,W=2") };
	struct buf buf;

	(void)state;
	buf_init(&buf, 512);
	assert_int_equal(uidlist_format_header(&header, &buf), 0);
	assert_int_equal(uidlist_format_entry(&entry, &buf), 0);
	assert_int_equal(keywords_format_line(0, TEXT("Work"), &buf), 0);
	assert_true(text_is(
	    text_make(buf.data, buf.size), "3 V7 N30\n5 :a,S=1,W=2\n0 Work\n"));
	buf_clear(&buf);
}

static void
uidlist_is_read_in_rising_order_only(void **state)
{
	struct text rest =
	    text_of("3 V7 N30 Gx\n5 W1 :a,S=1\n9 :b:2,S\n9 :c\n");
	struct uidlist_header header;
	struct uidlist_entry entry;

	assert_int_equal(uidlist_parse_header(&rest, &header), 0);
	assert_int_equal(header.uidvalidity, 7);
	assert_int_equal(header.uidnext, 30);
	assert_int_equal(uidlist_parse_entry(&rest, 0, &entry), 1);
	assert_int_equal(entry.uid, 5);
	assert_true(text_is(entry.whole, "a,S=1"));
	assert_int_equal(uidlist_parse_entry(&rest, 5, &entry), 1);
	assert_true(text_is(entry.whole, "b"));
	assert_int_equal(uidlist_parse_entry(&rest, 9, &entry), -1);
	rest = text_of("1 7 30\n");
	assert_int_equal(uidlist_parse_header(&rest, &header), -1);
	rest = text_of("3 V0 N3\n");
	assert_int_equal(uidlist_parse_header(&rest, &header), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailbox_names_become_folders_and_back),
		cmocka_unit_test(odd_folders_and_utf7_are_refused),
		cmocka_unit_test(file_names_carry_sizes_flags_and_keywords),
		cmocka_unit_test(lists_for_dovecot_are_written_in_its_form),
		cmocka_unit_test(uidlist_is_read_in_rising_order_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

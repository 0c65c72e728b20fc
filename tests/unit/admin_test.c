/*
 * What firnmail writes and reads: the users file keeps every line that is not
 * meant, the configuration it writes is one it takes, a certificate and a hash
 * are real, and settings_load and account_table_load read real files.
 */
#include "firnmail/alias_file.h"
#include "firnmail/certificate.h"
#include "firnmail/config_file.h"
#include "firnmail/config_template.h"
#include "firnmail/directory.h"
#include "firnmail/process_list.h"
#include "firnmail/users_file.h"

#include "common/file.h"
#include "common/password.h"
#include "tests/unit/scratch.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <crypt.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	TEST_MAX_BYTES = 64 * 1024
};

static void
expect_text(const struct buf *buf, const char *expected)
{
	assert_int_equal(buf->size, strlen(expected));
	assert_memory_equal(buf->data, expected, buf->size);
}

static void
users_file_add_appends_one_line(void **state)
{
	static const struct {
		const char *before;
		const char *address;
		const char *after;
	} rows[] = {
		{ "", "Alice@Example.org",
		    "alice@example.org:{C}h::::::firnmail_id=7\n" },
		{ "# ours\nbob@x:{C}b::::::firnmail_id=1\n", "a@x",
		    "# ours\nbob@x:{C}b::::::firnmail_id=1\n"
		    "a@x:{C}h::::::firnmail_id=7\n" },
		{ "bob@x:{C}b", "a@x",
		    "bob@x:{C}b\na@x:{C}h::::::firnmail_id=7\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf buf;

		buf_init(&buf, TEST_MAX_BYTES);
		assert_int_equal(
		    users_file_add(text_of(rows[i].before),
			text_of(rows[i].address), TEXT("{C}h"), 7, &buf),
		    0);
		expect_text(&buf, rows[i].after);
		buf_clear(&buf);
	}
}

static void
an_account_is_retired_and_revived_in_its_last_field(void **state)
{
	static const struct {
		const char *before;
		bool may_login;
		int result;
		const char *after;
	} rows[] = {
		{ "a@x:h::::::firnmail_id=1\nb@x:h:::::\n", false, 1,
		    "a@x:h::::::firnmail_id=1 nologin\nb@x:h:::::\n" },
		{ "b@x:h\nA@x:h:firnmail_id=1\r\n", false, 1,
		    "b@x:h\nA@x:h:firnmail_id=1 nologin\r\n" },
		{ "a@x:h::::::nologin firnmail_id=1", true, 1,
		    "a@x:h::::::firnmail_id=1" },
		{ "a@x:h::::::x=1 nologin=y  firnmail_id=1", true, 1,
		    "a@x:h::::::x=1 firnmail_id=1" },
		{ "b@x:h::::::firnmail_id=1\n", false, -1, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf buf;

		buf_init(&buf, TEST_MAX_BYTES);
		assert_int_equal(users_file_set_login(text_of(rows[i].before),
				     TEXT("a@x"), rows[i].may_login, &buf),
		    rows[i].result);
		expect_text(&buf, rows[i].after);
		if (rows[i].result == 1) {
			struct text after = text_make(buf.data, buf.size);
			struct buf again;

			buf_init(&again, TEST_MAX_BYTES);
			assert_int_equal(
			    users_file_set_login(
				after, TEXT("a@x"), rows[i].may_login, &again),
			    0);
			buf_clear(&again);
		}
		buf_clear(&buf);
	}
}

static void
only_the_alias_that_is_meant_is_changed(void **state)
{
	static const struct {
		bool is_add;
		const char *before, *name, *targets[3];
		int result;
		const char *after;
	} rows[] = {
		{ true, "", "a", { "b", "c" }, 1, "a: b, c\n" },
		{ true, "x: y", "a", { "b" }, 1, "x: y\na: b\n" },
		{ true, "# a: z\nA : b \r\nx: y\n", "a", { "B", "c" }, 1,
		    "# a: z\nA : b, c\nx: y\n" },
		{ true, "a:\n", "a", { "b", "c" }, 1, "a: b, c\n" },
		{ true, "a: b, c", "a", { "c", "B" }, 0, "" },
		{ false, "# k\na: b\n\nx: y\n", "A", { NULL }, 1,
		    "# k\n\nx: y\n" },
		{ false, "x: y\na: b", "a", { NULL }, 1, "x: y\n" },
		{ false, "a:b,c ,d\nx: c\n", "a", { "C" }, 1,
		    "a: b, d\nx: c\n" },
		{ false, "a: b, c\n", "a", { "c", "b" }, 1, "" },
		{ false, "a: b\n", "a", { "c" }, 0, "" },
		{ false, "a: b\n", "c", { NULL }, 0, "" },
		{ false, "#a: b\n", "a", { NULL }, 0, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t count = 0;
		struct buf buf;

		while (rows[i].targets[count] != NULL)
			count++;
		buf_init(&buf, TEST_MAX_BYTES);
		assert_int_equal(
		    (rows[i].is_add ? alias_file_add : alias_file_remove)(
			text_of(rows[i].before), rows[i].name, rows[i].targets,
			count, &buf),
		    rows[i].result);
		expect_text(&buf, rows[i].after);
		buf_clear(&buf);
	}
}

static void
only_the_domain_that_is_meant_is_changed(void **state)
{
	static const struct {
		const char *before, *add, *is, *remove;
		int result;
		const char *after;
	} rows[] = {
		{ "host a.b\ndomain a.b\ntls auto\n", "c.d", NULL, NULL, 1,
		    "host a.b\ndomain a.b\ndomain c.d\ntls auto\n" },
		{ "domain a.b", "c.d", "a.b", NULL, 1,
		    "domain a.b\ndomain c.d is a.b" },
		{ "host a.b\n# domain a.b\n", "c.d", NULL, NULL, -1, "" },
		{ "domain a.b  c.d e.f # ours\n", NULL, NULL, "C.D", 1,
		    "domain a.b  e.f # ours\n" },
		{ "domain a.b\n domain c.d # x\nhost c.d\n", NULL, NULL, "c.d",
		    1, "domain a.b\nhost c.d\n" },
		{ "domain a.b\ndomain c.d e.f is a.b", NULL, NULL, "e.f", 1,
		    "domain a.b\ndomain c.d is a.b" },
		{ "domain a.b\ndomain c.d is a.b", NULL, NULL, "c.d", 1,
		    "domain a.b\n" },
		{ "domain a.b # c.d\n#domain c.d\nhost c.d\n", NULL, NULL,
		    "c.d", 0, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text before = text_of(rows[i].before);
		struct buf buf;

		buf_init(&buf, TEST_MAX_BYTES);
		assert_int_equal(rows[i].add != NULL
				     ? config_file_add_domain(before,
					   rows[i].add, rows[i].is, &buf)
				     : config_file_remove_domain(
					   before, rows[i].remove, &buf),
		    rows[i].result);
		expect_text(&buf, rows[i].after);
		buf_clear(&buf);
	}
}

static void
users_file_set_hash_touches_its_line_only(void **state)
{
	static const struct {
		const char *before;
		int status;
		const char *after;
	} rows[] = {
		{ "a@x:{C}old::::::firnmail_id=1 nologin\nb@x:{C}b\n", 0,
		    "a@x:{C}new::::::firnmail_id=1 nologin\nb@x:{C}b\n" },
		{ "#a@x:no\n\nA@X:{C}old:9:9::/h::firnmail_id=1", 0,
		    "#a@x:no\n\nA@X:{C}new:9:9::/h::firnmail_id=1" },
		{ "a@x:\n", 0, "a@x:{C}new\n" },
		{ "aa@x:{C}h\na@xx:{C}h\n", -1, NULL },
		{ "a@x\n", -1, NULL },
		{ "", -1, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf buf;

		buf_init(&buf, TEST_MAX_BYTES);
		assert_int_equal(users_file_set_hash(text_of(rows[i].before),
				     TEXT("a@x"), TEXT("{C}new"), &buf),
		    rows[i].status);
		if (rows[i].after != NULL)
			expect_text(&buf, rows[i].after);
		buf_clear(&buf);
	}
}

static void
users_file_beyond_its_limit_is_an_error(void **state)
{
	struct buf buf;

	buf_init(&buf, 20);
	assert_int_equal(users_file_add(TEXT("# 20 bytes, no less\n"),
			     TEXT("a@x"), TEXT("h"), 1, &buf),
	    -1);
	buf_clear(&buf);
}

static void
written_configuration_is_taken(void **state)
{
	const struct config_template values = { "mail.example.org",
		"example.org", "/etc/firnmail", "/var/lib/firnmail" };
	struct settings *settings = settings_new();
	struct report *report = report_new();
	struct buf buf;

	buf_init(&buf, TEST_MAX_BYTES);
	assert_int_equal(config_template_write(&values, &buf), 0);
	assert_int_equal(
	    settings_parse("firnmail.conf", values.directory,
		text_make(buf.data, buf.size), settings, NULL, report),
	    0);
	assert_int_equal(report_warnings(report), 0);
	assert_string_equal(settings->host, "mail.example.org");
	assert_string_equal(settings->snap_path, "/var/lib/firnmail/snap");
	assert_string_equal(settings->users_path, "/etc/firnmail/users");
	buf_clear(&buf);
	report_free(&report);
	settings_free(&settings);
}

static void
configuration_takes_no_name_of_two_words(void **state)
{
	static const char *const names[] = { "", "a b", "a\nlisten", "a#b",
		"\"a\"" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct config_template values = { names[i], "d", "/e",
			"/s" };
		struct buf buf;

		buf_init(&buf, TEST_MAX_BYTES);
		assert_int_equal(config_template_write(&values, &buf), -1);
		buf_clear(&buf);
	}
}

static void
certificate_is_for_its_host_and_key(void **state)
{
	struct buf certificate, key;
	struct error error;
	X509 *x509;
	EVP_PKEY *pair;
	BIO *bio;

	buf_init(&certificate, TEST_MAX_BYTES);
	buf_init(&key, TEST_MAX_BYTES);
	assert_int_equal(
	    certificate_make("mail.example.org", &certificate, &key, &error),
	    0);
	bio = BIO_new_mem_buf(certificate.data, (int)certificate.size);
	x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(key.data, (int)key.size);
	pair = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	assert_non_null(x509);
	assert_non_null(pair);
	assert_int_equal(X509_check_private_key(x509, pair), 1);
	assert_int_equal(X509_verify(x509, pair), 1);
	assert_int_equal(
	    X509_check_host(x509, "mail.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x509, "example.org", 0, 0, NULL), 0);
	assert_int_equal(EVP_PKEY_get_bits(pair), 256);
	X509_free(x509);
	EVP_PKEY_free(pair);
	buf_clear(&certificate);
	buf_clear(&key);
}

static void
hash_is_that_of_the_password(void **state)
{
	static const struct {
		bool is_cheap;
		const char *start;
	} rows[] = { { false, "{CRYPT}$y$" }, { true, "{CRYPT}$6$" } };
	char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
	char longest[PASSWORD_MAX_BYTES + 2];
	struct error error;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(password_hash("p\xc3\xa4ss", rows[i].is_cheap,
				     hash, &error),
		    0);
		assert_int_equal(password_hash("p\xc3\xa4ss", rows[i].is_cheap,
				     again, &error),
		    0);
		assert_memory_equal(hash, rows[i].start, strlen(rows[i].start));
		assert_string_not_equal(hash, again); /* a salt of its own */
		assert_string_equal(crypt("p\xc3\xa4ss", hash + 7), hash + 7);
		assert_string_not_equal(crypt("pass", hash + 7), hash + 7);
	}
	assert_int_equal(password_hash("", true, hash, &error), -1);
	memset(longest, 'x', sizeof(longest));
	longest[PASSWORD_MAX_BYTES + 1] = '\0';
	assert_int_equal(password_hash(longest, true, hash, &error), -1);
	longest[PASSWORD_MAX_BYTES] = '\0';
	assert_int_equal(password_hash(longest, true, hash, &error), 0);
}

static void
process_line_is_read_or_refused(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *walls;
	} rows[] = {
		{ "role=smtpd pid=12 uid=7 account=0 walls=0x1f uptime_s=3 "
		  "restarts=0 generation=1 new=x",
		    0, "uid chroot capabilities landlock seccomp" },
		{ "role=worker pid=1 walls=0xc", 0, "capabilities landlock" },
		{ "role=worker pid=1 walls=0x3f", 0,
		    "uid chroot capabilities bounding landlock seccomp" },
		{ "role=worker pid=1 walls=0x0", 0, "-" },
		{ "role=smtpd", -1, NULL },
		{ "pid=1", -1, NULL },
		{ "role=smtpd pid=-1", -1, NULL },
		{ "role=smtpd pid=1 walls=31", -1, NULL },
		{ "role=smtpd pid=1 walls", -1, NULL },
		{ "", -1, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct process_line line;
		char walls[64];

		assert_int_equal(
		    process_line_parse(text_of(rows[i].line), &line),
		    rows[i].status);
		if (rows[i].walls == NULL)
			continue;
		process_line_walls(line.walls, walls);
		assert_string_equal(walls, rows[i].walls);
	}
}

/* -- Real files -- */

static char folder[64];

static int
make_folder(void **state)
{
	(void)state;
	scratch_make(folder, "admin_test");
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	scratch_remove(folder);
	return access(folder, F_OK) == -1 ? 0 : -1;
}

static const char *
in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
directory_make_makes_the_way_with_its_modes(void **state)
{
	struct error error;
	struct stat st;
	int fd = directory_make(in_folder("a/b"), 0700, geteuid(), &error);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(in_folder("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	close(fd);
	/* A second time: as it is. */
	assert_int_equal(chmod(in_folder("a/b"), 0750), 0);
	fd = directory_make(in_folder("a/b"), 0700, geteuid(), &error);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	close(fd);
	assert_int_equal(symlink("a", in_folder("link")), 0);
	assert_int_equal(
	    directory_make(in_folder("link/c"), 0700, geteuid(), &error), -1);
	assert_int_equal(access(in_folder("a/c"), F_OK), -1);
}

static void
directory_add_file_never_replaces(void **state)
{
	struct error error;
	struct buf buf;
	int fd = directory_make(in_folder("a/b"), 0700, geteuid(), &error);

	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(
	    directory_add_file(in_folder("a/b/file"), "1", 1, 0600, &error), 1);
	assert_int_equal(
	    directory_add_file(in_folder("a/b/file"), "2", 1, 0600, &error), 0);
	buf_init(&buf, TEST_MAX_BYTES);
	assert_int_equal(
	    settings_read_file(in_folder("a/b/file"), &buf, &error), 0);
	expect_text(&buf, "1");
	buf_clear(&buf);
}

static void
put_file(const char *name, const char *text)
{
	struct error error;

	assert_int_equal(directory_add_file(
			     in_folder(name), text, strlen(text), 0600, &error),
	    1);
}

static void
put_config(const char *more)
{
	char text[1000];

	snprintf(text, sizeof(text),
	    "host mail.example.org\ndomain example.org\n"
	    "listen imap on 127.0.0.1 port 993 tls-required\ntls auto\n"
	    "users file users\nstore maildir mail\n"
	    "snapshot every 15m dir snap\n%s",
	    more);
	put_file("f.conf", text);
}

static void
settings_load_reads_what_belongs_to_the_file(void **state)
{
	struct report *report = report_new();
	struct settings *settings;
	struct account_table *accounts;
	const struct account *account;

	put_config("");
	put_file("certificate.pem", "chain\n");
	put_file("store-id", "00112233445566778899AABBCCDDEEFF\n");
	put_file("users", "# u\nBob@example.org:{CRYPT}$y$j9T$x$y::::::"
			  "firnmail_id=4\n");
	settings = settings_load(in_folder("f.conf"), NULL, report);
	assert_non_null(settings);
	assert_string_equal(
	    settings->store_id, "00112233445566778899aabbccddeeff");
	assert_string_equal(settings->keys[0].certificate_pem, "chain\n");
	accounts = account_table_load(settings, report);
	assert_non_null(accounts);
	account = account_find_address(accounts, TEXT("bob@EXAMPLE.org"));
	assert_non_null(account);
	assert_int_equal(account->number, 4);
	assert_int_equal(account->uid, settings->uid_account_base + 4);
	assert_string_equal(account->hash, "$y$j9T$x$y");
	account_table_free(&accounts);
	settings_free(&settings);
	report_free(&report);
}

static void
settings_load_refuses(const char *what)
{
	struct report *report = report_new();
	struct settings *settings =
	    settings_load(in_folder("f.conf"), NULL, report);
	struct buf text;

	assert_null(settings);
	buf_init(&text, TEST_MAX_BYTES);
	report_format(report, &text);
	assert_int_equal(buf_put_byte(&text, '\0'), 0);
	assert_non_null(strstr((const char *)text.data, what));
	buf_clear(&text);
	report_free(&report);
}

static void
settings_load_names_a_missing_certificate(void **state)
{
	put_config("");
	settings_load_refuses("firnmail setup");
}

static void
settings_load_refuses_a_wrong_store_id(void **state)
{
	put_config("");
	put_file("certificate.pem", "chain\n");
	put_file("store-id", "0011\n");
	settings_load_refuses("is not 32 hex digits");
}

static void
settings_load_follows_no_link(void **state)
{
	put_config("");
	put_file("key.pem", "chain\n");
	assert_int_equal(symlink("key.pem", in_folder("certificate.pem")), 0);
	settings_load_refuses("certificate.pem");
}

static void
missing_users_file_is_no_accounts(void **state)
{
	struct report *report = report_new();
	struct settings *settings;
	struct account_table *accounts;

	put_config("");
	put_file("certificate.pem", "chain\n");
	settings = settings_load(in_folder("f.conf"), NULL, report);
	assert_non_null(settings);
	accounts = account_table_load(settings, report);
	assert_non_null(accounts);
	assert_int_equal(account_table_count(accounts), 0);
	assert_int_equal(report_warnings(report), 1);
	account_table_free(&accounts);
	settings_free(&settings);
	report_free(&report);
}

/* How many warnings the files give; how many secrets they have. */
static size_t
count_warnings(size_t secrets)
{
	struct report *report = report_new();
	struct settings *settings =
	    settings_load(in_folder("f.conf"), NULL, report);
	struct account_table *accounts;
	size_t warnings;

	assert_non_null(settings);
	assert_int_equal(settings->srs_secret_count, secrets);
	accounts = account_table_load(settings, report);
	assert_non_null(accounts);
	warnings = report_warnings(report);
	account_table_free(&accounts);
	settings_free(&settings);
	report_free(&report);
	return warnings;
}

static void
mail_that_is_passed_on_without_a_secret_is_warned_of(void **state)
{
	put_config("aliases file aliases\n");
	put_file("certificate.pem", "chain\n");
	put_file("users", "b@example.org:::::::firnmail_id=1\n");
	put_file("aliases", "a: b, c@else.where\n");
	assert_int_equal(count_warnings(0), 1);
	put_file("srs-secret", "# the new one first\n0123456789abcdef\n\n"
			       "an older one of these\n");
	assert_int_equal(count_warnings(2), 0);
}

static void
a_secret_that_is_too_short_is_refused(void **state)
{
	put_config("");
	put_file("certificate.pem", "chain\n");
	put_file("srs-secret", "0123456789abcde\n");
	settings_load_refuses("srs-secret: has no secrets: 1 to 4 lines");
}

#define FILE_TEST(test) \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_file_add_appends_one_line),
		cmocka_unit_test(
		    an_account_is_retired_and_revived_in_its_last_field),
		cmocka_unit_test(only_the_alias_that_is_meant_is_changed),
		cmocka_unit_test(only_the_domain_that_is_meant_is_changed),
		cmocka_unit_test(users_file_set_hash_touches_its_line_only),
		cmocka_unit_test(users_file_beyond_its_limit_is_an_error),
		cmocka_unit_test(written_configuration_is_taken),
		cmocka_unit_test(configuration_takes_no_name_of_two_words),
		cmocka_unit_test(certificate_is_for_its_host_and_key),
		cmocka_unit_test(hash_is_that_of_the_password),
		cmocka_unit_test(process_line_is_read_or_refused),
		FILE_TEST(directory_make_makes_the_way_with_its_modes),
		FILE_TEST(directory_add_file_never_replaces),
		FILE_TEST(settings_load_reads_what_belongs_to_the_file),
		FILE_TEST(settings_load_names_a_missing_certificate),
		FILE_TEST(mail_that_is_passed_on_without_a_secret_is_warned_of),
		FILE_TEST(a_secret_that_is_too_short_is_refused),
		FILE_TEST(settings_load_refuses_a_wrong_store_id),
		FILE_TEST(settings_load_follows_no_link),
		FILE_TEST(missing_users_file_is_no_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

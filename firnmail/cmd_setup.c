/*
 * firnmail setup: everything that a first start needs, and nothing that is
 * there already: the configuration, users, aliases, a certificate, the
 * directories and the store.  May be run again at any time.
 */
#include "common/file.h"
#include "firnmail/certificate.h"
#include "firnmail/config_template.h"
#include "firnmail/directory.h"
#include "firnmail/firnmail.h"
#include "firnmail/store_setup.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	SETUP_MAX_PEM_BYTES = 16 * 1024
};

static const char users_start[] =
    "# ADDRESS:{SCHEME}HASH::::::firnmail_id=N, a line an account.  "
    "`firnmail account`\n# writes it; numbers are never used again.\n";
static const char aliases_start[] =
    "# NAME: ACCOUNT, ACCOUNT ...  NAME is local@domain, or local for every "
    "domain.\n# RFC 5321 wants a postmaster:\n#postmaster: you@example.org\n";

/* One line for people, one row for scripts. */
static void
tell(struct firnmail *firnmail, const char *what, const char *path, int is_made)
{
	const struct field fields[] = {
		FIELD_T("state", 5, text_of(is_made ? "made" : "there")),
		FIELD_T("what", 13, text_of(what)),
		FIELD_T("path", 0, text_of(path)),
	};

	output_row(firnmail->output, "setup", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
add_file(struct firnmail *firnmail, const char *what, const char *path,
    const void *data, size_t size, mode_t mode)
{
	struct error error;
	int made = directory_add_file(path, data, size, mode, &error);

	if (made == -1)
		return command_fail(EXIT_FAILED, "%s: %s", path, error.text);
	tell(firnmail, what, path, made);
	return EXIT_DONE;
}

/* The directory that the configuration lies in. */
static int
make_config_directory(
    const struct firnmail *firnmail, char *directory, size_t size)
{
	const char *path = firnmail->options.config;
	const char *slash = strrchr(path, '/');
	struct error error;
	int fd;

	if (path[0] != '/' || slash == path ||
	    text_copy(
		text_make(path, (size_t)(slash - path)), directory, size) == -1)
		return command_fail(EXIT_USAGE,
		    "%s is not an absolute path beneath a directory", path);
	fd = directory_make(directory, 0755, geteuid(), &error);
	if (fd == -1)
		return command_fail(EXIT_FAILED, "%s", error.text);
	close(fd);
	return EXIT_DONE;
}

static bool
is_there(const char *path)
{
	int fd = file_open_absolute(path, NULL);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

static int
make_config(struct firnmail *firnmail, const char *directory)
{
	const struct options *options = &firnmail->options;
	const struct config_template values = { options->host,
		options->domain != NULL ? options->domain : options->host,
		directory, options->state };
	struct buf text;
	int code;

	if (is_there(options->config)) {
		if (options->host != NULL || options->domain != NULL)
			return command_fail(EXIT_REFUSED,
			    "%s is there already: change host and domain in it",
			    options->config);
		tell(firnmail, "configuration", options->config, 0);
		return EXIT_DONE;
	}
	if (options->host == NULL)
		return command_fail(EXIT_USAGE,
		    "%s is not there: say --host NAME [--domain NAME] to have "
		    "it written",
		    options->config);
	buf_init(&text, SETTINGS_MAX_FILE_BYTES);
	if (config_template_write(&values, &text) == -1)
		code = command_fail(EXIT_USAGE,
		    "a name or path cannot stand in the configuration");
	else
		code = add_file(firnmail, "configuration", options->config,
		    text.data, text.size, 0644);
	buf_clear(&text);
	return code;
}

/* Without the certificates, which may have to be made yet. */
static int
parse_config(struct firnmail *firnmail, const char *directory)
{
	const char *path = firnmail->options.config;
	struct report *report = report_new();
	struct error error;
	struct buf text;
	int code = EXIT_DONE;

	firnmail->settings = settings_new();
	buf_init(&text, SETTINGS_MAX_FILE_BYTES);
	if (settings_read_file(path, &text, &error) == -1)
		code = command_fail(EXIT_CONFIG, "%s: %s", path, error.text);
	else if (settings_parse(path, directory,
		     text_make(text.data, text.size), firnmail->settings, NULL,
		     report) == -1)
		code = EXIT_CONFIG;
	command_print_report(report);
	report_free(&report);
	buf_clear(&text);
	return code;
}

static int
write_pair(struct firnmail *firnmail, const struct key_setting *setting,
    const struct buf *certificate, const struct buf *key)
{
	/* The key first: a certificate is there only if its key is. */
	int code = add_file(
	    firnmail, "key", setting->key_path, key->data, key->size, 0600);

	if (code != EXIT_DONE)
		return code;
	return add_file(firnmail, "certificate", setting->certificate_path,
	    certificate->data, certificate->size, 0644);
}

static int
make_pair(struct firnmail *firnmail, const struct key_setting *setting)
{
	struct buf certificate, key;
	struct error error;
	int code;

	if (is_there(setting->key_path))
		return command_fail(EXIT_REFUSED,
		    "%s is there, but %s is not: bring the certificate back or "
		    "move the key away",
		    setting->key_path, setting->certificate_path);
	buf_init(&certificate, SETUP_MAX_PEM_BYTES);
	buf_init(&key, SETUP_MAX_PEM_BYTES);
	if (certificate_make(
		firnmail->settings->host, &certificate, &key, &error) == -1)
		code = command_fail(EXIT_FAILED, "%s", error.text);
	else
		code = write_pair(firnmail, setting, &certificate, &key);
	if (key.size > 0)
		explicit_bzero(key.data, key.size);
	buf_clear(&key);
	buf_clear(&certificate);
	return code;
}

/* `tls auto` only: a certificate that the administrator named is his. */
static int
make_certificate(struct firnmail *firnmail, const char *directory)
{
	const struct settings *settings = firnmail->settings;
	char path[600];
	int code = EXIT_DONE;

	(void)snprintf(path, sizeof(path), "%s/certificate.pem", directory);
	for (size_t i = 0; i < settings->key_count && code == EXIT_DONE; i++) {
		const struct key_setting *key = &settings->keys[i];

		if (strcmp(key->certificate_path, path) != 0)
			continue;
		if (is_there(path))
			tell(firnmail, "certificate", path, 0);
		else
			code = make_pair(firnmail, key);
	}
	return code;
}

static int
make_mail(struct firnmail *firnmail)
{
	const char *path = firnmail->settings->mail_path;
	int was_there = file_open_absolute_directory(path, NULL);
	struct error error;
	int fd = directory_make(path, 0700, geteuid(), &error);

	if (was_there != -1)
		close(was_there);
	if (fd == -1)
		return command_fail(EXIT_FAILED, "%s", error.text);
	close(fd);
	tell(firnmail, "mail", path, was_there == -1);
	return EXIT_DONE;
}

static int
make_store(struct firnmail *firnmail)
{
	struct error error;
	int made = store_setup(firnmail, &error);

	if (made == -1)
		return command_fail(
		    error.code == ERROR_REFUSED ? EXIT_REFUSED : EXIT_FAILED,
		    "%s", error.text);
	tell(firnmail, "store", firnmail->settings->snap_path, made);
	return EXIT_DONE;
}

/* Everything as firnmaild will read it, with all that is wrong with it. */
static int
check_all(struct firnmail *firnmail)
{
	settings_free(&firnmail->settings);
	return command_load(firnmail, false);
}

/* 256 bits, in hex. One that is there, or is named elsewhere, stays. */
static int
make_srs_secret(struct firnmail *firnmail, const char *directory)
{
	uint8_t random[32];
	char path[600], text[2 * sizeof(random) + 2];
	int code;

	if (firnmail->settings->is_srs_off ||
	    firnmail->settings->srs_path[0] != '\0')
		return EXIT_DONE;
	(void)snprintf(path, sizeof(path), "%s/srs-secret", directory);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return command_fail(EXIT_FAILED, "no random numbers");
	text_format_hex(random, sizeof(random), text);
	text[sizeof(text) - 2] = '\n';
	code = add_file(
	    firnmail, "srs-secret", path, text, sizeof(text) - 1, 0600);
	explicit_bzero(random, sizeof(random));
	explicit_bzero(text, sizeof(text));
	return code;
}

static int
make_files(struct firnmail *firnmail, const char *directory)
{
	const struct settings *settings = firnmail->settings;
	int code = add_file(firnmail, "users", settings->users_path,
	    users_start, strlen(users_start), 0600);

	if (code == EXIT_DONE && settings->aliases_path[0] != '\0')
		code = add_file(firnmail, "aliases", settings->aliases_path,
		    aliases_start, strlen(aliases_start), 0644);
	if (code == EXIT_DONE)
		code = make_srs_secret(firnmail, directory);
	if (code == EXIT_DONE)
		code = make_certificate(firnmail, directory);
	return code;
}

/* The id that is known, for the decision about the store. */
static int
load_store_id(struct firnmail *firnmail, const char *directory)
{
	struct report *report = report_new();
	int code = EXIT_DONE;

	if (settings_load_store_id(directory, firnmail->settings, report) ==
	    -1) {
		command_print_report(report);
		code = EXIT_CONFIG;
	}
	report_free(&report);
	return code;
}

int
cmd_setup(struct firnmail *firnmail, int argc, char **argv)
{
	char directory[512];
	int code;

	(void)argv;
	if (argc > 0)
		return command_usage(
		    "setup [--host NAME] [--domain NAME] [--state DIR] "
		    "[--new-store]");
	code = make_config_directory(firnmail, directory, sizeof(directory));
	if (code == EXIT_DONE)
		code = make_config(firnmail, directory);
	if (code == EXIT_DONE)
		code = parse_config(firnmail, directory);
	if (code == EXIT_DONE)
		code = make_files(firnmail, directory);
	if (code == EXIT_DONE)
		code = make_mail(firnmail);
	if (code == EXIT_DONE)
		code = load_store_id(firnmail, directory);
	if (code == EXIT_DONE)
		code = make_store(firnmail);
	if (code == EXIT_DONE)
		code = check_all(firnmail);
	if (code == EXIT_DONE && account_table_count(firnmail->accounts) == 0)
		output_say(firnmail->output,
		    "Next: start firnmaild, then `firnmail account add "
		    "ADDRESS`.");
	return code;
}

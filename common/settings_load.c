/*
 * Reads firnmail.conf and what belongs to it: the store's id and the
 * certificate chains.  Master and firnmail only, both as root and before any
 * byte from the network; paths are walked from / without following links.
 */
#include "common/settings_parser.h"

#include "common/file.h"
#include "common/memory.h"
#include "common/settings_grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CHAIN_MAX_BYTES = 200 * 1024,
	CA_MAX_BYTES = 2 * 1024 * 1024 - 1,
	SMALL_MAX_BYTES = 64 * 1024
};

int
settings_read_file(const char *path, struct buf *to, struct error *error)
{
	int fd = file_open_absolute(path, error);
	int status;

	if (fd == -1)
		return -1;
	status = file_read_all(fd, to, error);
	close(fd);
	return status;
}

static void
load_chain(struct key_setting *key, struct report *report)
{
	struct report_place place = { key->certificate_path, 0, 0,
		{ NULL, 0 } };
	struct error error;
	struct buf buf;

	buf_init(&buf, CHAIN_MAX_BYTES);
	if (settings_read_file(key->certificate_path, &buf, &error) == -1)
		report_error(report, &place, "%s%s", error.text,
		    error.code == ERROR_MISSING
			? ": `firnmail setup` makes one for `tls auto`"
			: "");
	else if (buf.size == 0 || memchr(buf.data, '\0', buf.size) != NULL)
		report_error(report, &place, "is not a PEM certificate");
	else if (buf_put_byte(&buf, '\0') == 0)
		key->certificate_pem = memory_copy(buf.data, buf.size);
	buf_clear(&buf);
}

int
settings_load_store_id(
    const char *directory, struct settings *settings, struct report *report)
{
	char path[600];
	struct report_place place = { path, 0, 0, { NULL, 0 } };
	size_t before = report_errors(report);
	uint8_t id[16];
	struct error error;
	struct buf buf;

	(void)snprintf(path, sizeof(path), "%s/store-id", directory);
	buf_init(&buf, 256);
	if (settings_read_file(path, &buf, &error) == -1) {
		if (error.code != ERROR_MISSING)
			report_error(report, &place, "%s", error.text);
	} else if (text_parse_hex(text_trim(text_make(buf.data, buf.size)), id,
		       sizeof(id)) == -1) {
		report_error(report, &place, "is not 32 hex digits");
	} else {
		text_format_hex(id, sizeof(id), settings->store_id);
	}
	buf_clear(&buf);
	return report_errors(report) == before ? 0 : -1;
}

/* A host without the usual file is warned: it can do without, until mail for
 * somebody whose certificate must be checked waits. */
static void
load_ca(struct settings *settings, bool is_default, struct report *report)
{
	struct report_place place = { settings->ca_path, 0, 0, { NULL, 0 } };
	struct error error;
	struct buf buf;

	buf_init(&buf, CA_MAX_BYTES);
	if (settings_read_file(settings->ca_path, &buf, &error) == -1) {
		if (is_default && error.code == ERROR_MISSING)
			report_warning(report, &place,
			    "is not there: no other host's certificate can be "
			    "checked (Debian's package ca-certificates)");
		else
			report_error(report, &place, "%s", error.text);
	} else if (buf.size == 0 || memchr(buf.data, '\0', buf.size) != NULL ||
		   buf_put_byte(&buf, '\0') == -1) {
		report_error(report, &place, "are not PEM certificates");
	} else {
		settings->ca_pem = memory_copy(buf.data, buf.size);
	}
	buf_clear(&buf);
}

/* Reads a file into settings by `take`; `what` it must have, for people. */
static void
load_list(const char *path, int (*take)(struct text, struct settings *),
    const char *what, struct settings *settings, struct report *report)
{
	struct report_place place = { path, 0, 0, { NULL, 0 } };
	struct error error;
	struct buf buf;

	buf_init(&buf, SMALL_MAX_BYTES);
	if (settings_read_file(path, &buf, &error) == -1)
		report_error(report, &place, "%s", error.text);
	else if (take(text_make(buf.data, buf.size), settings) == -1)
		report_error(report, &place, "has no %s", what);
	if (buf.size > 0)
		explicit_bzero(buf.data, buf.size);
	buf_clear(&buf);
}

/* It often is a link to what a service of the system writes. */
static void
load_system_resolver(struct settings *settings, struct report *report)
{
	char *path = realpath("/etc/resolv.conf", NULL);

	load_list(path != NULL ? path : "/etc/resolv.conf",
	    settings_take_nameservers, "nameserver", settings, report);
	memory_free(&path);
}

static void
load_network(
    struct settings *settings, bool is_default_ca, struct report *report)
{
	if (settings->is_system_resolver)
		load_system_resolver(settings, report);
	if (settings->anchor_path[0] != '\0')
		load_list(settings->anchor_path, settings_take_anchors,
		    "trust anchors, or a line that is none", settings, report);
	load_ca(settings, is_default_ca, report);
	if (settings->relay_auth_path[0] != '\0')
		load_list(settings->relay_auth_path, settings_take_login,
		    "line USER:PASSWORD", settings, report);
}

/* setup makes the one beside the configuration; without it senders stay as they
 * are. */
static void
load_srs_secrets(
    const char *directory, struct settings *settings, struct report *report)
{
	bool is_default = settings->srs_path[0] == '\0';
	int fd;

	if (settings->is_srs_off)
		return;
	if (is_default &&
	    (size_t)snprintf(settings->srs_path, sizeof(settings->srs_path),
		"%s/srs-secret", directory) >= sizeof(settings->srs_path)) {
		settings->srs_path[0] = '\0';
		return;
	}
	fd = is_default ? file_open_absolute(settings->srs_path, NULL) : -1;
	if (is_default && fd == -1)
		return;
	if (fd != -1)
		close(fd);
	load_list(settings->srs_path, settings_take_srs_secrets,
	    "secrets: 1 to 4 lines of 16 to 128 bytes", settings, report);
}

struct settings *
settings_load(
    const char *path, struct settings_origin *origin, struct report *report)
{
	const char *name = strrchr(path, '/');
	struct report_place place = { path, 0, 0, { NULL, 0 } };
	struct settings *settings = settings_new();
	struct settings_origin *own = memory_new(1, sizeof(*own));
	struct error error;
	char directory[512];
	struct buf buf;

	buf_init(&buf, SETTINGS_MAX_FILE_BYTES);
	if (path[0] != '/' || (size_t)(name - path) >= sizeof(directory)) {
		report_error(report, &place, "is not an absolute path");
	} else if (settings_read_file(path, &buf, &error) == -1) {
		report_error(report, &place, "%s", error.text);
	} else {
		(void)snprintf(directory, sizeof(directory), "%.*s",
		    (int)(name - path), path);
		(void)settings_parse(name + 1, directory,
		    text_make(buf.data, buf.size), settings, own, report);
		(void)settings_load_store_id(directory, settings, report);
		for (size_t i = 0; i < settings->key_count; i++)
			load_chain(&settings->keys[i], report);
		load_srs_secrets(directory, settings, report);
		load_network(
		    settings, own->directive[DIRECTIVE_CA] == 0, report);
	}
	if (origin != NULL)
		*origin = *own;
	memory_free(&own);
	buf_clear(&buf);
	if (report_errors(report) > 0)
		settings_free(&settings);
	return settings;
}

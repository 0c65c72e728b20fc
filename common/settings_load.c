/*
 * Reads firnmail.conf and what belongs to it: the store's id and the
 * certificate chains.  Master and firnmail only, both as root and before any
 * byte from the network; paths are walked from / without following links.
 */
#include "common/settings_parser.h"

#include "common/file.h"
#include "common/memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	CHAIN_MAX_BYTES = 200 * 1024
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

struct settings *
settings_load(
    const char *path, struct settings_origin *origin, struct report *report)
{
	const char *name = strrchr(path, '/');
	struct report_place place = { path, 0, 0, { NULL, 0 } };
	struct settings *settings = settings_new();
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
		    text_make(buf.data, buf.size), settings, origin, report);
		(void)settings_load_store_id(directory, settings, report);
		for (size_t i = 0; i < settings->key_count; i++)
			load_chain(&settings->keys[i], report);
	}
	buf_clear(&buf);
	if (report_errors(report) > 0)
		settings_free(&settings);
	return settings;
}

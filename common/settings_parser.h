/*
 * The language of firnmail.conf (firnmail.conf(5)): bytes in, struct settings
 * and a report of everything that is wrong out.  One statement a line, words
 * separated by blanks, `#` to the end of the line is a comment, a word with
 * blanks stands in double quotes.  The grammar is a table in
 * settings_directives.c.
 */
#ifndef COMMON_SETTINGS_PARSER_H
#define COMMON_SETTINGS_PARSER_H

#include "common/report.h"
#include "common/settings.h"
#include "common/text.h"

enum {
	SETTINGS_MAX_FILE_BYTES = 256 * 1024,
	SETTINGS_MAX_LINE_BYTES = 4096,
	SETTINGS_MAX_WORDS = 64, /* a line */
	SETTINGS_MAX_DIRECTIVES = 32
};

/* Where each setting came from, for `firnmail check --explain`: line numbers,
 * 0 for a default. */
struct settings_origin {
	unsigned int directive[SETTINGS_MAX_DIRECTIVES];
	unsigned int domain[SETTINGS_MAX_DOMAINS];
	unsigned int listener[SETTINGS_MAX_LISTENERS];
	unsigned int key[SETTINGS_MAX_KEYS];
	unsigned int forwarder[SETTINGS_MAX_FORWARDERS];
	unsigned int anchor[SETTINGS_MAX_ANCHORS];
	unsigned int transport[SETTINGS_MAX_TRANSPORTS];
	unsigned int insecure[SETTINGS_MAX_INSECURE];
};

/*
 * Parses `text` into `settings` (made by settings_new) and checks that it
 * makes sense as a whole; `name` is what the report calls the file, `directory`
 * the absolute one it lies in: relative paths and `tls auto` start there.
 * `origin` may be NULL. Reads no file. 0, or -1 if the report has errors.
 */
int settings_parse(const char *name, const char *directory, struct text text,
    struct settings *settings, struct settings_origin *origin,
    struct report *report);

/*
 * Reads and parses the file `path` (absolute), and reads what belongs to it:
 * `store-id` beside it (empty if there is none), the certificate chains into
 * keys[n].certificate_pem, those of others into ca_pem, trust anchors and the
 * system's nameservers into their lists. Private keys are not opened: master
 * opens keys[n].key_path for keyd. NULL if the report has errors.
 */
struct settings *settings_load(
    const char *path, struct settings_origin *origin, struct report *report);

/* Only `store-id` in `directory`, for setup. -1 if it is there, but wrong. */
int settings_load_store_id(
    const char *directory, struct settings *settings, struct report *report);

/* Appends the whole regular file at an absolute path; no link on the way is
 * followed. */
int settings_read_file(const char *path, struct buf *to, struct error *error);

/* Every setting in force, as lines of the same language, each with a comment
 * that says where it comes from. */
void settings_explain(const char *name, const struct settings *settings,
    const struct settings_origin *origin, struct buf *to);

#endif

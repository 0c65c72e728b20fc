/*
 * firnmail.conf: whatever the bytes are, there is a report or there are
 * settings; settings that are explained parse again to the same ones.
 */
#include "common/settings_parser.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	FUZZ_MAX_BYTES = 4 * 1024 * 1024
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0 if the settings are good; their explanation is appended to `to`. */
static int
parse(struct text text, struct buf *to)
{
	struct settings *settings = settings_new();
	struct settings_origin origin;
	struct report *report = report_new();
	struct buf findings;
	int status = settings_parse(
	    "f.conf", "/etc/firnmail", text, settings, &origin, report);

	buf_init(&findings, FUZZ_MAX_BYTES);
	report_format(report, &findings);
	if ((status == 0) != (report_errors(report) == 0) ||
	    (findings.size == 0) !=
		(report_errors(report) + report_warnings(report) == 0))
		abort();
	/* Where a line stood is not the same in the explanation. */
	memset(&origin, 0, sizeof(origin));
	if (status == 0)
		settings_explain("f.conf", settings, &origin, to);
	buf_clear(&findings);
	report_free(&report);
	settings_free(&settings);
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once, twice;

	if (size > SETTINGS_MAX_FILE_BYTES)
		return 0;
	buf_init(&once, FUZZ_MAX_BYTES);
	buf_init(&twice, FUZZ_MAX_BYTES);
	if (parse(text_make(data, size), &once) == 0) {
		if (parse(text_make(once.data, once.size), &twice) == -1 ||
		    once.size != twice.size ||
		    memcmp(once.data, twice.data, once.size) != 0)
			abort();
	}
	buf_clear(&once);
	buf_clear(&twice);
	return 0;
}

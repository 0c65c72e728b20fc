/* A test's firnmail.conf, parsed, and what was said about it. */
#ifndef TESTS_UNIT_SETTINGS_RUN_H
#define TESTS_UNIT_SETTINGS_RUN_H

#include "common/settings_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct run {
	struct settings *settings;
	struct settings_origin origin;
	struct report *report;
	struct buf text; /* of the report */
	int status;
};

static inline void
run_config(struct run *run, const char *name, const char *config)
{
	memset(run, 0, sizeof(*run));
	run->settings = settings_new();
	run->report = report_new();
	run->status = settings_parse(name, "/etc/firnmail", text_of(config),
	    run->settings, &run->origin, run->report);
	buf_init(&run->text, 1024 * 1024);
	report_format(run->report, &run->text);
	assert_int_equal(buf_put_byte(&run->text, '\0'), 0);
}

static inline void
run_end(struct run *run)
{
	settings_free(&run->settings);
	report_free(&run->report);
	buf_clear(&run->text);
}

#endif

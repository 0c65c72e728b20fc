/* See config.h.  Parsing is common's; here is only what master needs of it. */
#include "master/config.h"

#include "common/account_parser.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/report.h"
#include "common/settings_parser.h"

#include <stdio.h>

enum {
	CONFIG_MAX_REPORT_BYTES = 1024 * 1024
};

static void
tell_findings(const struct report *report)
{
	struct buf text;

	if (report_errors(report) + report_warnings(report) == 0)
		return;
	buf_init(&text, CONFIG_MAX_REPORT_BYTES);
	report_format(report, &text);
	fwrite(text.data, 1, text.size, stderr);
	buf_clear(&text);
	log_warning("config", "errors=%zu warnings=%zu", report_errors(report),
	    report_warnings(report));
}

struct config *
config_load(const char *path, uint64_t generation)
{
	struct config *config = memory_new(1, sizeof(*config));
	struct report *report = report_new();

	config->path = path;
	config->settings = settings_load(path, NULL, report);
	if (config->settings != NULL) {
		config->settings->generation = generation;
		config->accounts = account_table_load(config->settings, report);
	}
	tell_findings(report);
	report_free(&report);
	if (config->accounts == NULL)
		config_free(&config);
	return config;
}

void
config_free(struct config **config)
{
	if (*config == NULL)
		return;
	if ((*config)->accounts != NULL)
		account_table_free(&(*config)->accounts);
	if ((*config)->settings != NULL)
		settings_free(&(*config)->settings);
	memory_free(config);
}

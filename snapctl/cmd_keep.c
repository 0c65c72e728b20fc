/*
 * snapctl keep: how long is kept. A longer policy is in force at once; what a
 * shorter one shortens stays in force until its own minimum has passed.
 */
#include "snapctl/snapctl.h"

#include "common/retention_policy.h"
#include "common/span.h"

#include <string.h>

static const char synopsis[] =
    "keep show | keep set [--dry-run] \"15m for 24h, 1d for 90d minimum 30d\"";

static int
print_policy(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	char every[SPAN_SIZE], left[SPAN_SIZE];
	struct control_policy row;

	(void)context;
	if (kind != CONTROL_POLICY || control_get_policy(record, &row) == -1)
		return EXIT_DONE;
	span_format(row.every_s, every);
	/* Hours are enough for people. */
	span_format(
	    row.left_s < 7200 ? row.left_s : row.left_s / 3600 * 3600, left);
	const struct field fields[] = {
		FIELD_T(
		    "state", 7, row.has_end ? TEXT("ends") : TEXT("in-force")),
		FIELD_T("ends_in", 8, row.has_end ? text_of(left) : TEXT("-")),
		FIELD_T("every", 5, text_of(every)),
		FIELD_T("from", 13,
		    row.is_settings ? TEXT("configuration") : TEXT("snapctl")),
		FIELD_T("keep", 0, row.keep),
	};
	output_row(snapctl->output, "policy", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

static int
set(struct snapctl *snapctl, struct text text)
{
	struct message request = { .type = MESSAGE_control_keep_set };
	uint8_t data[RETENTION_POLICY_MAX];
	struct retention policy;
	struct error error;
	struct writer w;

	if (retention_policy_parse(text, &policy, &error) != 0)
		return command_fail(&error);
	writer_init(&w, data, sizeof(data));
	retention_policy_put(&w, &policy);
	request.control_keep_set.is_dry_run = snapctl->options.is_dry_run;
	request.control_keep_set.policy = text_make(data, w.size);
	return client_ask(snapctl, &request, print_policy, NULL);
}

int
cmd_keep(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_keep_show };

	if (argc == 2 && strcmp(argv[0], "set") == 0)
		return set(snapctl, text_of(argv[1]));
	if (argc != 1 || strcmp(argv[0], "show") != 0)
		return command_usage(synopsis);
	return client_ask(snapctl, &request, print_policy, NULL);
}

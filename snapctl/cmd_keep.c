/*
 * snapctl keep: how long is kept. A longer policy is in force at once; what a
 * shorter one shortens stays in force until its own minimum has passed.
 */
#include "snapctl/snapctl.h"

#include "common/retention_policy.h"
#include "common/span.h"

#include <string.h>

static const char synopsis[] =
    "keep show | keep set [--dry-run] [--sign KEY:SIGNATURE]... \"15m for 24h, "
    "1d for 90d minimum 30d\" | keep keys | keep add-key [--dry-run] [--sign "
    "KEY:SIGNATURE]... KEY | keep remove-key [--dry-run] [--sign "
    "KEY:SIGNATURE]... KEY";

enum {
	KEY_SIZE = 32,
	SIGNATURE_SIZE = KEY_SIZE + 64
};

static int
print_policy(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	char every[SPAN_SIZE], left[SPAN_SIZE];
	struct control_policy row;
	struct control_fact fact;

	if (kind == CONTROL_FACT && control_get_fact(record, &fact) == 0 &&
	    (context != NULL || snapctl->options.is_dry_run)) {
		const struct field said[] = {
			FIELD_T("name", 10, fact.name),
			FIELD_T("value", 0, fact.value),
		};

		output_row(snapctl->output, "fact", said,
		    sizeof(said) / sizeof(said[0]));
	}
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

/* Each --sign is KEY:SIGNATURE, in hex. */
static int
read_signatures(const struct snapctl *snapctl,
    uint8_t data[OPTIONS_MAX_SIGNATURES * SIGNATURE_SIZE], struct text *to)
{
	size_t i, count = snapctl->options.signature_count;
	struct text rest, key;

	for (i = 0; i < count; i++) {
		uint8_t *place = data + i * SIGNATURE_SIZE;

		rest = text_of(snapctl->options.signatures[i]);
		if (!text_next(&rest, ':', &key) ||
		    text_parse_hex(key, place, KEY_SIZE) != 0 ||
		    text_parse_hex(
			rest, place + KEY_SIZE, SIGNATURE_SIZE - KEY_SIZE) != 0)
			return command_usage(
			    "keep: --sign takes KEY:SIGNATURE, in hex");
	}
	*to = text_make(data, count * SIGNATURE_SIZE);
	return EXIT_DONE;
}

static int
keys(struct snapctl *snapctl, const char *key, bool is_leaving)
{
	struct message request = { .type = MESSAGE_control_keep_key };
	uint8_t signatures[OPTIONS_MAX_SIGNATURES * SIGNATURE_SIZE];
	uint8_t bytes[KEY_SIZE];
	bool has_facts = key == NULL || is_leaving;
	int code;

	if (key != NULL && text_parse_hex(text_of(key), bytes, KEY_SIZE) != 0)
		return command_usage("keep: a key is 64 hex digits");
	code = read_signatures(
	    snapctl, signatures, &request.control_keep_key.signatures);
	if (code != EXIT_DONE)
		return code;
	if (key != NULL)
		request.control_keep_key.key = text_make(bytes, KEY_SIZE);
	request.control_keep_key.is_dry_run = snapctl->options.is_dry_run;
	request.control_keep_key.is_leaving = is_leaving;
	return client_ask(
	    snapctl, &request, print_policy, has_facts ? &has_facts : NULL);
}

static int
set(struct snapctl *snapctl, struct text text)
{
	uint8_t signatures[OPTIONS_MAX_SIGNATURES * SIGNATURE_SIZE];
	int code;
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
	code = read_signatures(
	    snapctl, signatures, &request.control_keep_set.signatures);
	if (code != EXIT_DONE)
		return code;
	return client_ask(snapctl, &request, print_policy, NULL);
}

int
cmd_keep(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_keep_show };

	if (argc == 2 && strcmp(argv[0], "set") == 0)
		return set(snapctl, text_of(argv[1]));
	if (argc == 1 && strcmp(argv[0], "keys") == 0)
		return keys(snapctl, NULL, false);
	if (argc == 2 && strcmp(argv[0], "add-key") == 0)
		return keys(snapctl, argv[1], false);
	if (argc == 2 && strcmp(argv[0], "remove-key") == 0)
		return keys(snapctl, argv[1], true);
	if (argc != 1 || strcmp(argv[0], "show") != 0)
		return command_usage(synopsis);
	return client_ask(snapctl, &request, print_policy, NULL);
}

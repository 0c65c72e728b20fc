/*
 * snapctl verify: has the store checked by a program that shares nothing with
 * it but the format.  Proofs are verify_proof.c's.
 */
#include "snapctl/snapctl.h"

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	uint64_t *findings = context;
	struct control_progress progress;
	struct control_finding row;
	char what[CONTROL_MAX_NAME + 1];

	if (kind == CONTROL_PROGRESS &&
	    control_get_progress(record, &progress) == 0 &&
	    text_copy(progress.what, what, sizeof(what)) == 0)
		output_progress(
		    snapctl->output, what, progress.done, progress.total);
	if (kind != CONTROL_FINDING || control_get_finding(record, &row) == -1)
		return EXIT_DONE;
	++*findings;
	const struct field fields[] = {
		FIELD_T("where", 24, row.where),
		FIELD_T("what", 0, row.what),
	};
	output_row(snapctl->output, "finding", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

int
cmd_verify(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_verify };
	uint64_t findings = 0;
	int code;

	(void)argv;
	if (argc > 0)
		return command_usage(
		    "verify [--read-data[=N%]] | verify --proof FILE");
	request.control_verify.read_percent =
	    (uint8_t)snapctl->options.read_percent;
	code = client_ask(snapctl, &request, take_row, &findings);
	if (code == EXIT_DONE && findings > 0)
		return EXIT_DAMAGED;
	if (code == EXIT_DONE)
		output_say(snapctl->output, "no damage found");
	return code;
}

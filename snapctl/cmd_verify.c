/*
 * snapctl verify: has the store checked by a program that shares nothing with
 * it but the format; or checks a proof, for which no store is needed.
 */
#include "snapctl/snapctl.h"

#include "common/file.h"
#include "common/proof.h"

#include <stdio.h>

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

/* -- A proof in a file: nobody is asked -- */

static void
put_number(struct output *output, const char *name, uint64_t number)
{
	const struct field fields[] = {
		FIELD_T("name", 12, text_of(name)),
		FIELD_N("value", 0, number),
	};

	output_row(output, "fact", fields, sizeof(fields) / sizeof(fields[0]));
}

static void
put_hex(struct output *output, const char *name, const void *data, size_t size)
{
	char hex[129];
	const struct field fields[] = {
		FIELD_T("name", 12, text_of(name)),
		FIELD_T("value", 0, text_make(hex, 2 * size)),
	};

	text_format_hex(data, size, hex);
	output_row(output, "fact", fields, sizeof(fields) / sizeof(fields[0]));
}

static void
print_proof(struct output *output, const struct proof *proof)
{
	put_hex(output, "store", proof->store.bytes, 16);
	put_hex(output, "key", proof->key, sizeof(proof->key));
	if (proof->is_message) {
		put_number(output, "account", proof->account);
		put_number(output, "mailbox", proof->mailbox);
		put_number(output, "uid", proof->uid);
		put_number(output, "event", proof->event);
		put_number(
		    output, "event_time", proof->event_wall_us / 1000000);
		put_number(output, "size", proof->size);
		put_hex(output, "sha256", proof->message.bytes, 32);
	} else {
		put_number(output, "older_events", proof->older.events);
		put_number(
		    output, "older_time", proof->older.wall_us / 1000000);
	}
	put_number(output, "events", proof->head.events);
	put_number(output, "time", proof->head.wall_us / 1000000);
}

static int
check_proof(struct snapctl *snapctl, const uint8_t *key)
{
	struct proof proof;
	struct error error;
	struct buf text;
	int result;

	buf_init(&text, PROOF_MAX_BYTES);
	result = file_read_all(snapctl->file, &text, &error);
	if (result == 0)
		result = proof_check(
		    text_make(text.data, text.size), key, &proof, &error);
	buf_clear(&text);
	if (result != 0) {
		fprintf(stderr, "snapctl: %s\n", error.text);
		return error.code == ERROR_DAMAGED ? EXIT_DAMAGED : EXIT_FAILED;
	}
	print_proof(snapctl->output, &proof);
	output_say(snapctl->output, "%s",
	    key != NULL ? "the proof holds"
			: "the proof holds, if the key is that of the store: "
			  "compare it with what you know");
	return EXIT_DONE;
}

static int
verify_proof(struct snapctl *snapctl)
{
	const char *given = snapctl->options.key;
	uint8_t key[HEAD_KEY_SIZE];

	if (snapctl->file == -1)
		return command_usage("verify --proof [--key HEX] FILE");
	if (given == NULL)
		return check_proof(snapctl, NULL);
	if (text_parse_hex(text_of(given), key, sizeof(key)) != 0)
		return command_usage("verify: a key is 64 hex digits: "
				     "signing_key of snapctl status");
	return check_proof(snapctl, key);
}

int
cmd_verify(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_verify };
	uint64_t findings = 0;
	int code;

	(void)argv;
	if (snapctl->options.is_proof)
		return verify_proof(snapctl);
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

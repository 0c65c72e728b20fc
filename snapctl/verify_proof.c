/*
 * snapctl verify --proof: checks a proof in a file, for which no store is
 * needed and nobody is asked.
 */
#include "snapctl/snapctl.h"

#include "common/digest.h"
#include "common/file.h"
#include "common/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
check(struct snapctl *snapctl, int fd, const uint8_t *key)
{
	struct proof proof;
	struct error error;
	struct buf text;
	int result;

	buf_init(&text, PROOF_MAX_BYTES);
	result = file_read_all(fd, &text, &error);
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

int
cmd_verify_proof(struct snapctl *snapctl, int argc, char **argv)
{
	const char *given = snapctl->options.key;
	uint8_t key[HEAD_KEY_SIZE];
	int fd, code;

	if (argc != 1)
		return command_usage("verify --proof [--key HEX] FILE");
	if (given != NULL &&
	    text_parse_hex(text_of(given), key, sizeof(key)) != 0)
		return command_usage("verify: a key is 64 hex digits: "
				     "signing_key of snapctl status");
	digest_prepare();
	fd = open(argv[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1) {
		fprintf(stderr, "snapctl: %s: %s\n", argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	code = client_confine(snapctl);
	if (code == EXIT_DONE)
		code = check(snapctl, fd, given != NULL ? key : NULL);
	close(fd);
	return code;
}

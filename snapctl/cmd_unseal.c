/* snapctl unseal: what cat wrote of a sealed secret, opened anywhere, without a
 * store or its host: the recovery key need not come near it. */
#include "snapctl/unseal.h"

#include "common/file.h"

#include <string.h>
#include <unistd.h>

enum {
	MAX_KEY_LINE = 4096
};

static int
read_key(FILE *file, uint8_t key[RECOVERY_KEY_SIZE])
{
	char line[MAX_KEY_LINE];
	int result = -1;

	if (isatty(fileno(file)) == 1)
		fprintf(stderr, "The recovery key of the store: ");
	if (fgets(line, sizeof(line), file) != NULL)
		result = recovery_key_parse(text_of(line), key);
	explicit_bzero(line, sizeof(line));
	if (result != 0)
		fprintf(stderr, "snapctl: a recovery key has 64 "
				"hexadecimal digits\n");
	return result;
}

int
unseal_read_key(const char *path, uint8_t key[RECOVERY_KEY_SIZE])
{
	FILE *file;
	int result;

	if (strcmp(path, "-") == 0)
		return read_key(stdin, key);
	file = fopen(path, "re");
	if (file == NULL) {
		fprintf(stderr, "snapctl: %s cannot be read\n", path);
		return -1;
	}
	result = read_key(file, key);
	fclose(file);
	return result;
}

int
unseal_print(struct snapctl *snapctl, struct text sealed, struct text name)
{
	struct error error = { .code = ERROR_NONE };
	int code = EXIT_DONE;
	struct buf secret;

	buf_init(&secret, UNSEAL_MAX_BYTES);
	if (sealed_secret_open(
		sealed, name, snapctl->recovery_key, &secret, &error) == 0) {
		output_bytes(
		    snapctl->output, text_make(secret.data, secret.size));
	} else {
		fprintf(stderr, "snapctl: %s\n", error.text);
		code = error.code == ERROR_DAMAGED ? EXIT_DAMAGED : EXIT_FAILED;
	}
	if (secret.data != NULL)
		explicit_bzero(secret.data, secret.size);
	buf_clear(&secret);
	return code;
}

int
cmd_unseal(struct snapctl *snapctl, int argc, char **argv)
{
	struct error error = { .code = ERROR_NONE };
	int code = EXIT_FAILED;
	struct buf sealed;

	(void)argv;
	if (argc != 1 || snapctl->options.recovery_key == NULL)
		return command_usage("unseal --recovery-key KEYFILE FILE");
	buf_init(&sealed, UNSEAL_MAX_BYTES);
	if (file_read_all(snapctl->file, &sealed, &error) == 0)
		code = unseal_print(snapctl,
		    text_make(sealed.data, sealed.size), text_make(NULL, 0));
	else
		fprintf(stderr, "snapctl: %s\n", error.text);
	buf_clear(&sealed);
	return code;
}

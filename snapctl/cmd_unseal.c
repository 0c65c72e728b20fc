/*
 * What is opened with the recovery key: snapctl cat --recovery-key, where the
 * store is, and snapctl unseal, anywhere, of what cat wrote: the key need not
 * come near the store or its host.
 */
#include "snapctl/cat.h"
#include "snapctl/unseal.h"

#include "common/digest.h"
#include "common/file.h"
#include "common/sealed_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_KEY_LINE = 4096
};

/* Read before rights are given up. */
static uint8_t recovery_key[RECOVERY_KEY_SIZE];

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

static int
print_secret(struct snapctl *snapctl, struct text sealed, struct text name)
{
	struct error error = { .code = ERROR_NONE };
	int code = EXIT_DONE;
	struct buf secret;

	buf_init(&secret, CAT_MAX_SECRET);
	if (sealed_secret_open(sealed, name, recovery_key, &secret, &error) ==
	    0) {
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
cmd_cat_secret(struct snapctl *snapctl, int argc, char **argv)
{
	if (snapctl->options.recovery_key == NULL)
		return command_usage("cat --recovery-key KEYFILE SNAP:0/FILE");
	digest_prepare();
	if (unseal_read_key(snapctl->options.recovery_key, recovery_key) != 0)
		return EXIT_USAGE;
	return cat_print(snapctl, argc, argv, print_secret);
}

static int
unseal_file(struct snapctl *snapctl, int fd)
{
	struct error error = { .code = ERROR_NONE };
	int code = EXIT_FAILED;
	struct buf sealed;

	buf_init(&sealed, CAT_MAX_SECRET);
	if (file_read_all(fd, &sealed, &error) == 0)
		code = print_secret(snapctl,
		    text_make(sealed.data, sealed.size), text_make(NULL, 0));
	else
		fprintf(stderr, "snapctl: %s\n", error.text);
	buf_clear(&sealed);
	return code;
}

int
cmd_unseal(struct snapctl *snapctl, int argc, char **argv)
{
	int fd, code;

	if (argc != 1 || snapctl->options.recovery_key == NULL)
		return command_usage("unseal --recovery-key KEYFILE FILE");
	digest_prepare();
	if (unseal_read_key(snapctl->options.recovery_key, recovery_key) != 0)
		return EXIT_USAGE;
	fd = open(argv[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1) {
		fprintf(stderr, "snapctl: %s: %s\n", argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	code = client_confine(snapctl);
	if (code == EXIT_DONE)
		code = unseal_file(snapctl, fd);
	close(fd);
	return code;
}

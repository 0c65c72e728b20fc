/*
 * Prints what our IMAP server says about message files, for the comparison
 * with Dovecot in tests/interop/bodystructure: for each file named on the
 * command line three records of a decimal size, a line end and that many
 * bytes: ENVELOPE, BODY, BODYSTRUCTURE.
 */
#include "common/buf.h"
#include "common/mime_parser.h"
#include "common/pool.h"
#include "imapd/body_structure.h"
#include "imapd/envelope.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_SIZE = 64 * 1024 * 1024
};

static void
print_record(struct buf *out)
{
	printf("%zu\n", out->size);
	fwrite(out->data, 1, out->size, stdout);
	buf_reset(out);
}

static int
dump(const char *path)
{
	static char chunk[4093];
	struct pool *pool = pool_new();
	struct mime_parser *parser = mime_parser_new(pool);
	struct mime_part *root;
	FILE *file = fopen(path, "rb");
	struct buf out, structure;
	size_t size;

	if (file == NULL)
		return -1;
	while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0)
		mime_parser_feed(parser, chunk, size);
	fclose(file);
	root = mime_parser_finish(&parser);
	buf_init(&out, MAX_SIZE);
	envelope_format(root->header_text, pool, &out);
	print_record(&out);
	buf_init(&structure, MAX_SIZE);
	body_structure_format(root, pool, &out, &structure);
	print_record(&out);
	print_record(&structure);
	buf_clear(&structure);
	buf_clear(&out);
	pool_free(&pool);
	return 0;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (dump(argv[i]) < 0) {
			perror(argv[i]);
			return 1;
		}
	return 0;
}

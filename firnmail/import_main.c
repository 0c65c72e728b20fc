/*
 * firnmail-import: copies a foreign Maildir into the home of an account, for
 * `firnmail import`, who starts it as root with everything opened:
 *
 *   3 the source  4 the account's home  5 the filter  6 what the store knows
 *
 * Before it reads a byte of what mail users wrote it becomes the account's
 * uid, in the account's home as its root; it may still read what others own
 * (CAP_DAC_READ_SEARCH), but Landlock leaves it nothing to read but the source
 * and nothing to write but the home.  It has no channel to anybody: what it
 * says on standard output is data.
 */
#include "common/file.h"
#include "common/memory.h"
#include "common/sandbox.h"
#include "firnmail/import_tree.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* The leak check at the end needs ptrace. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return 1;
}
#endif

enum {
	SOURCE_FD = 3,
	HOME_FD,
	FILTER_FD,
	KNOWN_FD,
	MAX_KNOWN_BYTES = 16 << 20
};

/* Arguments, checked by nobody but us: root wrote them. */
enum {
	ARGUMENT_FORM = 1, /* dovecot or maildir */
	ARGUMENT_RUN,      /* run or dry-run */
	ARGUMENT_UID,
	ARGUMENT_INTO,
	ARGUMENT_COUNT
};

static int
fail(const struct error *error)
{
	fprintf(stderr, "firnmail: import: %s\n", error->text);
	return 1;
}

static int
shut_walls(uint32_t uid, struct error *error)
{
	const struct sandbox_request request = { .role = ROLE_IMPORT,
		.uid = uid,
		.gid = uid,
		.root_fd = HOME_FD,
		.has_source = true,
		.source_fd = SOURCE_FD,
		.seccomp_fd = FILTER_FD,
#ifdef __SANITIZE_ADDRESS__
		.is_sanitizer = true,
#endif
		.is_one_uid = geteuid() != 0 };
	uint32_t walls;

	if (sandbox_enter(&request, &walls, error) == -1)
		return -1;
	/* With the capability alone every file of the disk could be read. */
	if (!request.is_one_uid && (walls & WALL_LANDLOCK) == 0)
		return error_set(error, ERROR_REFUSED,
		    "this kernel has no Landlock, which is to keep an import "
		    "from reading anything else");
	return 0;
}

/* Lines "UIDVALIDITY UIDNEXT NAME". */
static int
read_known(struct table *known, struct error *error)
{
	static struct buf file;
	struct text rest, line, word;
	uint64_t uidvalidity, uidnext;

	buf_init(&file, MAX_KNOWN_BYTES);
	if (file_read_all(KNOWN_FD, &file, error) == -1)
		return -1;
	rest = text_make(file.data, file.size);
	while (text_next(&rest, '\n', &line) && line.size > 0) {
		struct import_known *one = memory_new(1, sizeof(*one));

		if (!text_next(&line, ' ', &word) ||
		    text_parse_number(word, UINT32_MAX, &uidvalidity) == -1 ||
		    !text_next(&line, ' ', &word) ||
		    text_parse_number(word, UINT32_MAX, &uidnext) == -1) {
			free(one);
			return error_set(error, ERROR_INPUT, "list of known");
		}
		one->uidvalidity = (uint32_t)uidvalidity;
		one->is_used = uidnext > 1;
		table_put(known, line.data, line.size, one);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct import_tree tree = {
		.source_fd = SOURCE_FD, .home_fd = HOME_FD, .to = stdout
	};
	struct error error;
	uint64_t uid;

	if (argc != ARGUMENT_COUNT ||
	    text_parse_number(text_of(argv[ARGUMENT_UID]), UINT32_MAX, &uid) ==
		-1) {
		fprintf(stderr, "firnmail-import is started by firnmail(8)\n");
		return 2;
	}
	tree.is_dovecot = strcmp(argv[ARGUMENT_FORM], "dovecot") == 0;
	tree.is_dry_run = strcmp(argv[ARGUMENT_RUN], "dry-run") == 0;
	tree.into = argv[ARGUMENT_INTO];
	tree.known = table_new();
	if (shut_walls((uint32_t)uid, &error) == -1 ||
	    read_known(tree.known, &error) == -1 ||
	    import_tree_run(&tree, &error) == -1)
		return fail(&error);
	if (fflush(stdout) == EOF) {
		error_set_errno(&error, "standard output");
		return fail(&error);
	}
	return 0;
}

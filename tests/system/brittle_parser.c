/*
 * imapd-worker with a flaw in its parser, for the test of the quarantine: the
 * linker puts this in the place of the real end of a message (--wrap), and a
 * message with the field X-Brittle kills the process.  Part of no program that
 * is installed.
 */
#include "common/mime_parser.h"

#include <string.h>

struct mime_part *__real_mime_parser_finish(struct mime_parser **parser);
struct mime_part *__wrap_mime_parser_finish(struct mime_parser **parser);

struct mime_part *
__wrap_mime_parser_finish(struct mime_parser **parser)
{
	struct mime_part *root = __real_mime_parser_finish(parser);

	if (memmem(root->header_text.data, root->header_text.size,
		"X-Brittle:", 10) != NULL)
		__builtin_trap();
	return root;
}

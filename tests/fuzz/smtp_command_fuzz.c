/*
 * smtp_command_parse: whatever it takes lies within the line, and a path that
 * it took is a mailbox again when parsed by itself.
 */
#include "smtpd/smtp_command.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_command command;
	struct smtp_path again;
	char local[SMTP_PATH_MAX_LOCAL_SIZE];

	if (size > SMTP_COMMAND_MAX_SIZE)
		return 0;
	if (smtp_command_parse(text_make(data, size), &command) !=
	    SMTP_COMMAND_OK)
		return 0;
	if (command.path.domain.size > 0 &&
	    smtp_mailbox_parse(command.path.address, &again) == -1)
		abort();
	if (command.path.local.size > 0 &&
	    smtp_local_unquote(command.path.local, local).size >
		command.path.local.size)
		abort();
	return 0;
}

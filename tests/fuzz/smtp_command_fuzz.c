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
	struct mailbox_address again;

	if (size > SMTP_COMMAND_MAX_SIZE)
		return 0;
	if (smtp_command_parse(text_make(data, size), &command) !=
	    SMTP_COMMAND_OK)
		return 0;
	if (command.path.domain.size > 0 &&
	    mail_address_parse_mailbox(
		command.path.address, true, 0, &again, NULL) == -1)
		abort();
	if (command.path.domain.size > 0 &&
	    !text_equal(command.path.local, again.local))
		abort();
	return 0;
}

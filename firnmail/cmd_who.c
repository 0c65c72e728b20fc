/* firnmail who: the accounts that have a session or mail in hand just now. */
#include "firnmail/process_list.h"

static void
print_worker(struct firnmail *firnmail, const struct process_line *process)
{
	const struct account *account =
	    account_find_number(firnmail->accounts, (uint32_t)process->account);

	if (!text_is(process->role, role_name(ROLE_WORKER)))
		return;
	const struct field fields[] = {
		FIELD_N("number", 6, process->account),
		FIELD_N("pid", 8, process->pid),
		FIELD_N("since_s", 8, process->uptime_s),
		FIELD_T("account", 0,
		    text_of(account != NULL ? account->address : "-")),
	};
	output_row(firnmail->output, "worker", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

int
cmd_who(struct firnmail *firnmail, int argc, char **argv)
{
	struct daemon broker;
	int code;

	(void)argv;
	if (argc > 0)
		return command_usage("who");
	code = command_load(firnmail, false);
	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_BROKER, &broker);
	if (code != EXIT_DONE)
		return code;
	code = command_drop_rights();
	if (code == EXIT_DONE)
		code = process_list_each(firnmail, &broker, print_worker);
	daemon_close(&broker);
	return code;
}

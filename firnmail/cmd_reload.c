/*
 * firnmail reload: checks the files first, so that what is wrong is seen here
 * and not in a log; has the store know every account, those that were written
 * into the users file by hand too; then asks the daemon.
 */
#include "firnmail/firnmail.h"

static int
create_accounts(const struct firnmail *firnmail)
{
	const struct account_table *accounts = firnmail->accounts;
	struct daemon snapd;
	uint8_t status;
	int code = daemon_open(firnmail, ROLE_SNAPD, &snapd);

	if (code != EXIT_DONE)
		return code;
	for (size_t i = 0;
	     i < account_table_count(accounts) && code == EXIT_DONE; i++)
		code = daemon_create_account(
		    &snapd, account_table_at(accounts, i)->number, &status);
	daemon_close(&snapd);
	return code;
}

int
cmd_reload(struct firnmail *firnmail, int argc, char **argv)
{
	struct daemon broker;
	uint64_t generation;
	int code;

	(void)argv;
	if (argc > 0)
		return command_usage("reload");
	code = command_load(firnmail, true);
	if (code == EXIT_DONE)
		code = daemon_open(firnmail, ROLE_BROKER, &broker);
	if (code != EXIT_DONE)
		return code;
	code = create_accounts(firnmail);
	if (code == EXIT_DONE)
		code = daemon_reload(&broker, &generation);
	daemon_close(&broker);
	if (code != EXIT_DONE)
		return code;
	const struct field fields[] = {
		FIELD_N("generation", 10, generation),
		FIELD_N("accounts", 8, account_table_count(firnmail->accounts)),
	};
	output_row(firnmail->output, "reload", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

/*
 * One attack from inside a role's sandbox.  The runner (redteam.c) says which
 * by the start message: `account` is the attack, `instance` the pid of the
 * keeper in its low half and the walls to leave open in its high half; the
 * role's START_CONTROL descriptor holds the store's path.  Exit: 0 it went
 * through, 1 it was refused; a seccomp kill speaks for itself.
 */
#include "common/process.h"
#include "tests/redteam/attacks.h"

#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct process process;
	enum role role = ROLE_COUNT;
	char store[200] = "";
	unsigned int without;
	ssize_t size;
	int target;

	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(role_name((enum role)i), strchr(argv[0], '-') + 1) ==
		    0)
			role = (enum role)i;
	process_begin(&process, role);
	target = process_take(&process, START_CONTROL, 0);
	size = pread(target, store, sizeof(store) - 1, 0);
	close(target);
	if (size <= 0 || process.account >= attacks_count())
		return 2;
	without = (unsigned int)(process.instance >> 32);
	attacks_aim(store, (pid_t)(uint32_t)process.instance,
	    0x6fff0000 + ROLE_SNAPD, 0x70000002);
	(void)process_confine_with(&process, NULL, 0, without);
	return attacks_run(process.account) ? 0 : 1;
}

/*
 * One attack from inside a role's sandbox.  The runner (redteam.c) says which
 * by the start message: `account` is the attack, `instance` the pid of the
 * keeper in its low half and the walls to leave open in its high half; the
 * role's START_CONTROL descriptor holds the store's path.  Exit: 0 it went
 * through, 1 it was refused; a seccomp kill speaks for itself.
 */
#include "authd/password_walls.h"
#include "common/process.h"
#include "tests/redteam/attacks.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

static void
enter_walls(struct process *process, unsigned int without)
{
	(void)process_confine_with(process, NULL, 0,
	    without & ~(unsigned int)ATTACK_AS_PASSWORD_CHILD);
	if ((without & ATTACK_AS_PASSWORD_CHILD) &&
	    password_walls_enter() == -1)
		_exit(2);
	/* What goes through without walls is gone with us. */
	if ((without & WALL_SECCOMP) && (without & WALL_UID))
		(void)unshare(CLONE_NEWNS);
}

int
main(int argc, char **argv)
{
	struct process process;
	enum role role = ROLE_COUNT;
	char store[200] = "";
	ssize_t size;
	int target_fd;

	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(role_name((enum role)i), strchr(argv[0], '-') + 1) ==
		    0)
			role = (enum role)i;
	process_begin(&process, role);
	target_fd = process_take(&process, START_CONTROL, 0);
	size = pread(target_fd, store, sizeof(store) - 1, 0);
	close(target_fd);
	if (size <= 0 || process.account >= attacks_count())
		return 2;
	attacks_aim(store, (pid_t)(uint32_t)process.instance,
	    0x6fff0000 + ROLE_SNAPD, 0x70000002);
	attacks_take();
	enter_walls(&process, (unsigned int)(process.instance >> 32));
	return attacks_run(process.account) ? 0 : 1;
}

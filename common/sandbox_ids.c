/* See sandbox_ids.h. */
#include "common/sandbox_ids.h"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

int
sandbox_become(uint32_t uid, struct error *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return error_set_errno(error, "cannot give up new rights");
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) == -1 || setresgid(uid, uid, uid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return error_set_errno(error, "cannot become uid %u", uid);
	return 0;
}

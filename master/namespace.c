/*
 * See namespace.h.  The uid is mapped to itself, so files look as before; of
 * the capabilities in the namespace only CAP_SYS_CHROOT is kept, ambient, for
 * the children, and CAP_SETPCAP, with which they empty their bounding set; they
 * drop both as root's children drop theirs.
 */
#include "master/namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_written;

	if (fd == -1)
		return false;
	is_written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return is_written;
}

static bool
keep_what_children_need(void)
{
	static const unsigned int kept[] = { CAP_SYS_CHROOT, CAP_SETPCAP };
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	data[0].permitted = data[0].effective = data[0].inheritable =
	    1U << CAP_SYS_CHROOT | 1U << CAP_SETPCAP;
	if (syscall(SYS_capset, &header, data) == -1)
		return false;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0,
			0) == -1)
			return false;
	return true;
}

bool
namespace_enter(void)
{
	unsigned int uid = geteuid(), gid = getegid();
	char text[40];

	if (unshare(CLONE_NEWUSER) == -1)
		return false;
	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	if (!write_text("/proc/self/uid_map", text))
		return false;
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	if (!write_text("/proc/self/setgroups", "deny") ||
	    !write_text("/proc/self/gid_map", text))
		return false;
	return keep_what_children_need();
}

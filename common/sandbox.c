/*
 * Shuts the walls of sandbox_profile.c around this process: ids, chroot,
 * capabilities, Landlock, seccomp, in this order, each step still having what
 * the next one needs.  Nothing is taken on trust: ids and capabilities are
 * read back, the bounding set too.  To empty that one takes CAP_SETPCAP, which
 * the broker hands to its children for this and nothing else; without root and
 * without a namespace nobody has it, and `ready` says that the wall is missing.
 */
#include "common/sandbox.h"

#include "common/sandbox_landlock.h"
#include "common/sandbox_profile.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FILTER_MAX_INSTRUCTIONS = 4096, /* BPF_MAXINSNS */
	CAPABILITIES_MAX = 64 /* the kernel knows fewer: EINVAL to the rest */
};

static int
capabilities_get(struct __user_cap_data_struct data[2], struct error *error)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};

	if (syscall(SYS_capget, &header, data) == -1)
		return error_set_errno(error, "capget");
	return 0;
}

static int
capabilities_set(uint64_t permitted, uint64_t inheritable, struct error *error)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	if (syscall(SYS_capset, &header, data) == -1)
		return error_set_errno(error, "capset");
	return 0;
}

static int
capabilities_permitted(uint64_t *permitted, struct error *error)
{
	struct __user_cap_data_struct data[2];

	if (capabilities_get(data, error) == -1)
		return -1;
	*permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

/* What a setresuid away from root took out of the effective set comes back. */
static int
capabilities_raise(struct error *error)
{
	uint64_t permitted;

	if (capabilities_permitted(&permitted, error) == -1)
		return -1;
	return capabilities_set(permitted, 0, error);
}

static int
check_ids(const struct sandbox_request *request, struct error *error)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) == -1 ||
	    getresgid(&gid[0], &gid[1], &gid[2]) == -1)
		return error_set_errno(error, "getresuid");
	for (int i = 0; i < 3; i++)
		if (uid[i] != request->uid || gid[i] != request->gid)
			return error_set(
			    error, ERROR_REFUSED, "ids are not what was set");
	if (getgroups(0, NULL) != 0)
		return error_set(error, ERROR_REFUSED, "groups are left");
	return 0;
}

static int
enter_ids(
    const struct sandbox_request *request, uint32_t *walls, struct error *error)
{
	if (request->is_one_uid || request->uid == (uint32_t)-1 ||
	    (request->without & WALL_UID))
		return 0;
	if (request->uid == 0 || request->gid == 0)
		return error_set(error, ERROR_REFUSED, "root is no role's id");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		return error_set_errno(error, "keep capabilities");
	if (setgroups(0, NULL) == -1)
		return error_set_errno(error, "setgroups");
	if (setresgid(request->gid, request->gid, request->gid) == -1)
		return error_set_errno(error, "setresgid");
	if (setresuid(request->uid, request->uid, request->uid) == -1)
		return error_set_errno(error, "setresuid");
	if (check_ids(request, error) == -1)
		return -1;
	*walls |= WALL_UID;
	return capabilities_raise(error);
}

static int
enter_root(const struct sandbox_request *request,
    const struct sandbox_profile *profile, uint32_t *walls, struct error *error)
{
	/* The broker's programs need the system's libraries. */
	if (request->root_fd == -1 || profile->files == FILES_STARTER)
		return 0;
	if (fchdir(request->root_fd) == -1)
		return error_set_errno(error, "fchdir");
	if (request->without & WALL_CHROOT)
		return 0;
	if (chroot(".") == -1) {
		/* Without root there may be no way; Landlock and seccomp
		 * hold, and `ready` says what is missing. */
		if (request->is_one_uid && errno == EPERM)
			return 0;
		return error_set_errno(error, "chroot");
	}
	if (chdir("/") == -1)
		return error_set_errno(error, "chdir");
	*walls |= WALL_CHROOT;
	return 0;
}

/* Whether it is not in the set any more. */
static bool
drop_bound(unsigned long n)
{
	(void)prctl(PR_CAPBSET_DROP, n, 0, 0, 0);
	return prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 0;
}

/* Whether nothing but `kept` is in the set any more. The broker's children have
 * most of them not from the start, so each is asked for first. */
static bool
bound(uint64_t kept)
{
	bool is_bounded = true;

	for (unsigned long n = 0; n < CAPABILITIES_MAX; n++) {
		int is_in = prctl(PR_CAPBSET_READ, n, 0, 0, 0);

		if (is_in == -1)
			return is_bounded && errno == EINVAL && n > CAP_SETFCAP;
		if (is_in == 1 && (kept & UINT64_C(1) << n) == 0)
			is_bounded = drop_bound(n) && is_bounded;
	}
	return is_bounded;
}

static int
drop_bounding(const struct sandbox_request *request, uint64_t kept,
    uint32_t *walls, struct error *error)
{
	if (bound(kept))
		*walls |= WALL_BOUNDING;
	else if (!request->is_one_uid)
		return error_set(error, ERROR_REFUSED,
		    "capabilities are left in the bounding set");
	return 0;
}

static int
raise_ambient(uint64_t kept, struct error *error)
{
	for (unsigned long n = 0; n < CAPABILITIES_MAX; n++)
		if ((kept & UINT64_C(1) << n) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) == -1)
			return error_set_errno(error, "ambient %lu", n);
	return 0;
}

static int
check_capabilities(uint64_t kept, struct error *error)
{
	struct __user_cap_data_struct data[2];

	if (capabilities_get(data, error) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		uint32_t want = (uint32_t)(kept >> (32 * i));

		if (data[i].permitted != want || data[i].effective != want ||
		    data[i].inheritable != want)
			return error_set(
			    error, ERROR_REFUSED, "capabilities are left");
	}
	for (unsigned long n = 0; n < CAPABILITIES_MAX; n++) {
		int is_set =
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, n, 0, 0);

		if (is_set == -1)
			break;
		if (is_set == 1 && (kept & UINT64_C(1) << n) == 0)
			return error_set(error, ERROR_REFUSED,
			    "ambient capability %lu is left", n);
	}
	return 0;
}

static int
enter_capabilities(const struct sandbox_request *request,
    const struct sandbox_profile *profile, uint32_t *walls, struct error *error)
{
	uint64_t kept = profile->capabilities;
	uint64_t permitted;

	if (request->without & WALL_CAPABILITIES)
		return 0;
	if (capabilities_permitted(&permitted, error) == -1)
		return -1;
	if (request->is_one_uid)
		kept &= permitted;
	if (drop_bounding(request, kept, walls, error) == -1)
		return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		return error_set_errno(error, "clear ambient");
	if (capabilities_set(kept, kept, error) == -1 ||
	    raise_ambient(kept, error) == -1 ||
	    check_capabilities(kept, error) == -1)
		return -1;
	*walls |= WALL_CAPABILITIES;
	return 0;
}

int
sandbox_enter_filter(int fd, struct error *error)
{
	static struct sock_filter program[FILTER_MAX_INSTRUCTIONS];
	struct sock_fprog filter = { .filter = program };
	ssize_t size;

	size = pread(fd, program, sizeof(program), 0);
	if (size == -1)
		return error_set_errno(error, "read filter");
	if (size == 0 || (size_t)size % sizeof(program[0]) != 0)
		return error_set(error, ERROR_INPUT, "not a filter");
	filter.len = (unsigned short)((size_t)size / sizeof(program[0]));
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == -1)
		return error_set_errno(error, "seccomp");
	return 0;
}

static int
limit(int resource, rlim_t most, struct error *error)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)resource, &now) == -1)
		return error_set_errno(error, "getrlimit");
	if (most < now.rlim_max)
		now.rlim_max = most;
	/* No more than master has, all of it. */
	now.rlim_cur = now.rlim_max;
	if (setrlimit((__rlimit_resource_t)resource, &now) == -1)
		return error_set_errno(error, "setrlimit");
	return 0;
}

/* ASan's shadow alone is above any limit. */
static int
enter_limits(const struct sandbox_request *request,
    const struct sandbox_profile *profile, struct error *error)
{
	if (!request->is_sanitizer &&
	    limit(RLIMIT_DATA, (rlim_t)profile->memory_mib << 20, error) == -1)
		return -1;
	/* A uid that others share is theirs to fill, too. */
	if (profile->processes != 0 && !request->is_one_uid &&
	    limit(RLIMIT_NPROC, profile->processes, error) == -1)
		return -1;
	return limit(RLIMIT_NOFILE, profile->descriptors, error);
}

/* What holds for everybody, root of the red team included. */
static int
enter_always(struct error *error)
{
	const struct rlimit no_core = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return error_set_errno(error, "no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return error_set_errno(error, "not dumpable");
	if (setrlimit(RLIMIT_CORE, &no_core) == -1)
		return error_set_errno(error, "no core");
	umask(077);
	return 0;
}

int
sandbox_enter(
    const struct sandbox_request *request, uint32_t *walls, struct error *error)
{
	const struct sandbox_profile *profile;
	int landlock = 0;

	*walls = 0;
	profile = sandbox_profile_find(request->role);
	if (profile == NULL)
		return error_set(error, ERROR_MISSING, "no profile of %s",
		    role_name(request->role));
	if (enter_ids(request, walls, error) == -1 ||
	    enter_root(request, profile, walls, error) == -1 ||
	    enter_capabilities(request, profile, walls, error) == -1 ||
	    enter_limits(request, profile, error) == -1 ||
	    enter_always(error) == -1)
		return -1;
	if ((request->without & WALL_LANDLOCK) == 0)
		landlock = sandbox_landlock_enter(request, profile, error);
	if (landlock == -1)
		return -1;
	if (landlock == 1)
		*walls |= WALL_LANDLOCK;
	if (request->seccomp_fd == -1 || (request->without & WALL_SECCOMP))
		return 0;
	if (sandbox_enter_filter(request->seccomp_fd, error) == -1)
		return -1;
	*walls |= WALL_SECCOMP;
	return 0;
}

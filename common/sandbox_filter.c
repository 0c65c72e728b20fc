/*
 * Compiles the call groups of a role into a BPF program in a sealed memfd: the
 * one user of libseccomp, in master's process, in the build and in tests.  What
 * is not allowed kills the process.  clone3 hides its flags in memory, so it
 * answers ENOSYS and glibc takes clone instead.
 */
#include "common/sandbox.h"

#include "common/buf.h"
#include "common/file.h"
#include "common/process.h"
#include "common/sandbox_profile.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	FILTER_MAX_BYTES = 65536
};

static int
add_call(
    scmp_filter_ctx filter, const struct call_rule *rule, struct error *error)
{
	int number = seccomp_syscall_resolve_name(rule->name);
	struct scmp_arg_cmp conditions[2];
	int result;

	/* A call that this libseccomp does not know stays forbidden. */
	if (number == __NR_SCMP_ERROR)
		return 0;
	for (size_t i = 0; i < rule->condition_count; i++)
		conditions[i] = (struct scmp_arg_cmp){
			.arg = rule->conditions[i].argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = rule->conditions[i].mask,
			.datum_b = rule->conditions[i].value,
		};
	result = seccomp_rule_add_array(
	    filter, SCMP_ACT_ALLOW, number, rule->condition_count, conditions);
	/* EDOM: the architecture does not have this call. */
	if (result < 0 && result != -EDOM && result != -EEXIST)
		return error_set(error, ERROR_SYSTEM, "filter rule %s: %s",
		    rule->name, strerror(-result));
	return 0;
}

static int
add_groups(scmp_filter_ctx filter, unsigned int calls, struct error *error)
{
	const struct call_rule *rules;
	size_t count;

	for (unsigned int group = 1; group <= CALLS_SANITIZER; group <<= 1) {
		if ((calls & group) == 0)
			continue;
		rules = sandbox_profile_calls((enum call_group)group, &count);
		for (size_t i = 0; i < count; i++)
			if (add_call(filter, &rules[i], error) == -1)
				return -1;
	}
	return 0;
}

/*
 * All three ids of one setresuid or setresgid must lie in the range; -1 (leave
 * as is) and 0 are outside of it. Masked equality compares all 64 bits but
 * those of the range, so that no upper bit helps anybody past it.
 */
static int
add_id_range(scmp_filter_ctx filter, uint32_t first, uint32_t size_mask,
    struct error *error)
{
	const int calls[] = { SCMP_SYS(setresuid), SCMP_SYS(setresgid) };
	uint64_t mask = ~(uint64_t)size_mask;
	int result;

	for (size_t i = 0; i < 2; i++) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 3,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, mask, first),
		    SCMP_A1(SCMP_CMP_MASKED_EQ, mask, first),
		    SCMP_A2(SCMP_CMP_MASKED_EQ, mask, first));
		if (result < 0)
			return error_set(error, ERROR_SYSTEM,
			    "filter of ids: %s", strerror(-result));
	}
	return 0;
}

/* A single id: one of the broker's own services. */
static int
add_service_ids(
    scmp_filter_ctx filter, uint32_t service_base, struct error *error)
{
	const enum role roles[] = { ROLE_AUTHD, ROLE_SMTPD, ROLE_QUEUE,
		ROLE_IMAPD };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (add_id_range(filter, service_base + roles[i], 0, error) ==
		    -1)
			return -1;
	return 0;
}

/* The program of `filter`, through a memfd that is thrown away, since
 * libseccomp writes to a descriptor only. */
static int
export_program(scmp_filter_ctx filter, const char *name, struct error *error)
{
	struct buf program;
	int fd, result;

	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd == -1)
		return error_set_errno(error, "memfd of filter");
	buf_init(&program, FILTER_MAX_BYTES);
	result = seccomp_export_bpf(filter, fd);
	if (result < 0)
		result = error_set(error, ERROR_SYSTEM, "export of filter: %s",
		    strerror(-result));
	else if (lseek(fd, 0, SEEK_SET) == -1)
		result = error_set_errno(error, "seek of filter");
	else
		result = file_read_all(fd, &program, error);
	close(fd);
	if (result == 0)
		result =
		    file_sealed_memory(name, program.data, program.size, error);
	buf_clear(&program);
	return result;
}

static int
fill_filter(scmp_filter_ctx filter, enum role role,
    const struct sandbox_ranges *ranges, unsigned int process_flags,
    struct error *error)
{
	unsigned int calls = sandbox_profile_find(role)->calls;

	if (process_flags & PROCESS_SANITIZER)
		calls |= CALLS_SANITIZER;
	if (add_groups(filter, calls, error) == -1)
		return -1;
	if (seccomp_rule_add(
		filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0)
		return error_set(error, ERROR_SYSTEM, "filter of clone3");
	if ((calls & CALLS_CONFINE) == 0)
		return 0;
	if (add_service_ids(filter, ranges->service_base, error) == -1)
		return -1;
	return add_id_range(
	    filter, ranges->account_base, ~ranges->account_mask, error);
}

void
sandbox_filter_assume_kernel(void)
{
	(void)seccomp_api_set(3);
}

int
sandbox_filter_compile(enum role role, const struct sandbox_ranges *ranges,
    unsigned int process_flags, struct error *error)
{
	scmp_filter_ctx filter;
	int result;

	if (sandbox_profile_find(role) == NULL)
		return error_set(
		    error, ERROR_MISSING, "no profile of %s", role_name(role));
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return error_set(error, ERROR_SYSTEM, "seccomp_init");
	result = fill_filter(filter, role, ranges, process_flags, error);
	if (result == 0)
		result = export_program(filter, role_name(role), error);
	seccomp_release(filter);
	return result;
}

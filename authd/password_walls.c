/*
 * A filter small enough to be written by hand, as the process has no way to
 * take one from master any more: what is not in the list kills.
 */
#include "authd/password_walls.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#error "name this architecture as linux/audit.h does"
#endif

/* All of these are little-endian: the low half of an argument comes first. */
#define LOAD(member)                                            \
	(struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	    (uint32_t)offsetof(struct seccomp_data, member))
#define IF_IS(value, yes, no) \
	(struct sock_filter)  \
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define IF_HAS(bits, yes, no) \
	(struct sock_filter)  \
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), yes, no)
#define RETURN(action) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action)

static const int allowed[] = {
	SYS_recvfrom, SYS_sendto, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise,
	SYS_futex, SYS_rt_sigreturn, SYS_exit, SYS_exit_group,
#ifdef __SANITIZE_ADDRESS__
	SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_sigaltstack,
	SYS_rt_sigprocmask, SYS_write, SYS_clock_gettime
#endif
};

/* Memory, but none that can be executed. */
static const int memory[] = { SYS_mmap, SYS_mprotect };

enum {
	ALLOWED = sizeof(allowed) / sizeof(allowed[0]),
	MEMORY = sizeof(memory) / sizeof(memory[0])
};

int
password_walls_enter(void)
{
	struct sock_filter program[4 + 2 * ALLOWED + 5 * MEMORY + 1];
	struct sock_fprog filter = { .filter = program };
	struct sock_filter *next = program;

	*next++ = LOAD(arch);
	*next++ = IF_IS(OUR_ARCHITECTURE, 1, 0);
	*next++ = RETURN(SECCOMP_RET_KILL_PROCESS);
	*next++ = LOAD(nr);
	for (size_t i = 0; i < ALLOWED; i++) {
		*next++ = IF_IS(allowed[i], 0, 1);
		*next++ = RETURN(SECCOMP_RET_ALLOW);
	}
	for (size_t i = 0; i < MEMORY; i++) {
		*next++ = IF_IS(memory[i], 0, 4);
		*next++ = LOAD(args[2]);
		*next++ = IF_HAS(PROT_EXEC, 0, 1);
		*next++ = RETURN(SECCOMP_RET_KILL_PROCESS);
		*next++ = RETURN(SECCOMP_RET_ALLOW);
	}
	*next++ = RETURN(SECCOMP_RET_KILL_PROCESS);
	filter.len = (unsigned short)(next - program);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0
		   ? 0
		   : -1;
}

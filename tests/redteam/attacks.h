/* The attacks of attacks.def, for the programs that run them. */
#ifndef TESTS_REDTEAM_ATTACKS_H
#define TESTS_REDTEAM_ATTACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whom: the store's directory, a process that has it open, the uids of snapd
 * and of an account that is not ours. */
void attacks_aim(const char *store_path, pid_t keeper_pid, uint32_t snapd,
    uint32_t other_account);

size_t attacks_count(void);
/* -1 if there is none of that name. */
int attacks_find(const char *name);
/* True: it went through. */
bool attacks_run(size_t number);

#endif

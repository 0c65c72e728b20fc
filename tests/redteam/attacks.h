/*
 * The attacks of attacks.def, for the programs that run them: attack.c in a
 * sandbox that the runner made, intruder.c in one that the broker made.
 */
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

/* Beside the WALL_* of `without` in the runner's orders: a child of authd's
 * that computes hashes, and what it has no more. */
enum {
	ATTACK_AS_PASSWORD_CHILD = 1 << 16
};

/* Before the walls are shut: what a role gets from others who may make it.
 * (Not where the broker started it, whose children may make none either.) */
void attacks_take(void);
size_t attacks_count(void);
/* -1 if there is none of that name. */
int attacks_find(const char *name);
/* True: it went through. */
bool attacks_run(size_t number);

/* -- For attacks_store.c and attacks_system.c, one function a row -- */

struct attack_target {
	char store[200]; /* DIR/lib/snap/index of an instance */
	char file[220];  /* its data.mdb */
	char other[220]; /* a name that may be taken */
	pid_t keeper;
	uint32_t snapd_uid;
	uint32_t other_uid;
	int client; /* a connection with a client, as a worker gets it */
};

extern struct attack_target target;

#define ATTACK(name, kind) bool attack_##name(void);
#include "tests/redteam/attacks.def"
#undef ATTACK

#define IN(name) bool attack_##name(void)

#endif

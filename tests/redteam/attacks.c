/* The table of attacks, and whom they aim at. See attacks.h. */
#include "tests/redteam/attacks.h"

#include <stdio.h>
#include <string.h>

struct attack_target target;

void
attacks_aim(const char *store_path, pid_t keeper_pid, uint32_t snapd,
    uint32_t other_account)
{
	snprintf(target.store, sizeof(target.store), "%s", store_path);
	snprintf(target.file, sizeof(target.file), "%s/data.mdb", target.store);
	snprintf(target.other, sizeof(target.other), "%s.taken", target.store);
	target.keeper = keeper_pid;
	target.snapd_uid = snapd;
	target.other_uid = other_account;
}

static const struct {
	const char *name;
	bool (*run)(void);
} attacks[] = {
#define ATTACK(name, kind) { #name, attack_##name },
#include "tests/redteam/attacks.def"
#undef ATTACK
};

size_t
attacks_count(void)
{
	return sizeof(attacks) / sizeof(attacks[0]);
}

bool
attacks_run(size_t number)
{
	return attacks[number].run();
}

int
attacks_find(const char *name)
{
	for (size_t i = 0; i < attacks_count(); i++)
		if (strcmp(attacks[i].name, name) == 0)
			return (int)i;
	return -1;
}

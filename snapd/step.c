/* See step.h. */
#include "snapd/step.h"

#include <stddef.h>

static void (*step_hook)(enum step step);

static const char *const names[STEP_COUNT] = {
#define STEP(name, what) what,
	STEP_LIST(STEP)
#undef STEP
};

void
step_reached(enum step step)
{
	if (step_hook != NULL)
		step_hook(step);
}

void
step_set_hook(void (*hook)(enum step step))
{
	step_hook = hook;
}

const char *
step_name(enum step step)
{
	return names[step];
}

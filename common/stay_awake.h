/*
 * Whether an event loop shall look once more before it sleeps.  On a machine
 * with nothing else to do it takes longer to be woken, by an interrupt of
 * another processor's, than a client takes who asks again when he has his
 * answer, and more of the processor: in a virtual machine 25 us.  So while
 * nobody is heard but one or two descriptors (a client; a client and his
 * worker), and each time soon, the loop stays awake for a moment.  A moment
 * that was for nothing makes the next one come later; anybody else who is heard
 * ends it, so that a loop with much to do, or with little, never waits awake.
 *
 * Pure: the time and who was heard come in, whether to stay comes out.
 */
#ifndef COMMON_STAY_AWAKE_H
#define COMMON_STAY_AWAKE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STAY_AWAKE_US = 50,
	STAY_QUICK_US = 100, /* such a wait has two wakes in it */
	STAY_AFTER = 8,      /* such waits in a row; at most */
	STAY_AFTER_MOST = 64
};

struct stay_awake {
	int fds[2];         /* who was heard last */
	unsigned int quick; /* waits in a row: only for those, and soon over */
	unsigned int after; /* so many are wanted */
	int64_t silent_us;  /* nobody was heard since */
	int64_t until_us;   /* it stays awake until then. 0: it sleeps */
	int64_t heard_us;   /* in this round. 0: nobody yet */
	bool is_other;      /* somebody else than those was */
};

void stay_awake_init(struct stay_awake *stay);

/* A round begins: true if it is to be awake. */
bool stay_awake_begin(struct stay_awake *stay, int64_t now_us);
/* `fd` is ready. */
void stay_awake_heard(struct stay_awake *stay, int fd, int64_t now_us);
/* Nobody was heard yet, and the moment is not over. */
bool stay_awake_goes_on(const struct stay_awake *stay, int64_t now_us);
/* The round is over. */
void stay_awake_end(struct stay_awake *stay);

#endif

/* One-uid mode: chroot without root, by a user namespace of our own. */
#ifndef MASTER_NAMESPACE_H
#define MASTER_NAMESPACE_H

#include <stdbool.h>

/* True if this process and those it starts may chroot now. */
bool namespace_enter(void);

#endif

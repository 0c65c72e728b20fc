/*
 * Giving up root for good: the administrator's commands (sandbox_tool.h) and
 * the program that setup starts.
 */
#ifndef COMMON_SANDBOX_IDS_H
#define COMMON_SANDBOX_IDS_H

#include "common/error.h"

#include <stdint.h>

enum {
	SANDBOX_NOBODY = 65534
};

/* Becomes `uid` (and the group of that number, no others), and can gain
 * nothing by exec any more. Who is not root stays who he is. 0, or -1. */
int sandbox_become(uint32_t uid, struct error *error);

#endif

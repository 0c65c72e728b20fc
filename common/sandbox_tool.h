/*
 * The walls of the administrator's commands.  They show what the store and the
 * broker say, mail included, so that from here on they can do nothing but talk
 * on what is open and print: no uid of root's, no file, socket or program.
 */
#ifndef COMMON_SANDBOX_TOOL_H
#define COMMON_SANDBOX_TOOL_H

#include "common/error.h"
#include "common/messages.h"

/* For ROLE_SNAPCTL and ROLE_FIRNMAIL, by the profile of that role. Who is not
 * root stays who he is. 0, or -1. */
int sandbox_tool_enter(enum role tool, struct error *error);

#endif

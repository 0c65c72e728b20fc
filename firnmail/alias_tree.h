/*
 * The way of an address, step by step, as the queue takes it (common/route.h)
 * and as the aliases file is followed (common/account_parser.h).
 */
#ifndef FIRNMAIL_ALIAS_TREE_H
#define FIRNMAIL_ALIAS_TREE_H

#include "firnmail/firnmail.h"

/* Prints a row a step and one of the end. EXIT_DONE; EXIT_NONE: nobody here has
 * it; EXIT_CONFIG: something on the way is wrong, which was said. */
int alias_tree_print(struct firnmail *firnmail, const char *address);

#endif

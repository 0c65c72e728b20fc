/* firnmail account show: one account and what it may do. */
#ifndef FIRNMAIL_ACCOUNT_SHOW_H
#define FIRNMAIL_ACCOUNT_SHOW_H

#include "firnmail/firnmail.h"

/* After command_load. EXIT_DONE, or a code after it was said. */
int account_show(struct firnmail *firnmail, const char *address);

#endif

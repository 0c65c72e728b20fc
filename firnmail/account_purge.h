/* firnmail account purge-request, purge-confirm, purge-withdraw. */
#ifndef FIRNMAIL_ACCOUNT_PURGE_H
#define FIRNMAIL_ACCOUNT_PURGE_H

#include "common/control_record.h"
#include "firnmail/firnmail.h"

/* Is this word of `account` one of them? */
bool account_is_purge(const char *verb);
/* The files were loaded; the exit code. */
int account_purge(
    struct firnmail *firnmail, const char *verb, const char *address);

#endif

/*
 * Users of this machine as senders of mail: what master read of them, and the
 * name that a uid is given.
 */
#ifndef COMMON_LOCAL_USER_H
#define COMMON_LOCAL_USER_H

#include "common/error.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOCAL_USER_SIZE = 33 /* of a name with its NUL */
};

/* Letters, digits, "_", "-" and ".", as useradd(8) makes them. */
bool local_user_is_name(struct text name);

struct local_users;

/* From a sealed memfd of master's local_users_slice; NULL and error if it is
 * none. */
struct local_users *local_users_read(int fd, struct error *error);
void local_users_free(struct local_users **users);

/* The name of a uid: "uid-1000" for one without. True if he may send as
 * anybody: root, and those whom the administrator trusts. */
bool local_users_find(
    const struct local_users *users, uint32_t uid, char name[LOCAL_USER_SIZE]);

#endif

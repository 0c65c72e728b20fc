/* A password from whoever sits there: asked twice on a terminal, else the
 * first line of standard input. */
#ifndef FIRNMAIL_PASSWORD_INPUT_H
#define FIRNMAIL_PASSWORD_INPUT_H

#include "common/error.h"
#include "common/password.h"

/* 0, or -1. The caller wipes `to`. */
int password_input(char to[PASSWORD_MAX_BYTES + 1], struct error *error);

#endif

/*
 * The result of a login as authd tells it to a front.  A front shows the same
 * answer for an unknown user, a wrong password and a disabled account: authd
 * does not say which it was.
 */
#ifndef COMMON_LOGIN_H
#define COMMON_LOGIN_H

enum login_result {
	LOGIN_OK,          /* and the grant is in force */
	LOGIN_FAILED,      /* authentication failed; may be tried again */
	LOGIN_UNAVAILABLE, /* not now (queue full, no broker): try again later
			    */
	LOGIN_TOO_MANY     /* failed; the front should close the connection */
};

#endif

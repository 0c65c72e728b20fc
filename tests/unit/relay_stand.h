/*
 * The whole relay on a real loop with real sockets: spool, resolver and fetcher
 * are the test's, and so are the servers (odd_servers.h).  What they answer,
 * and what the spool was told, stands here.
 */
#ifndef TESTS_UNIT_RELAY_STAND_H
#define TESTS_UNIT_RELAY_STAND_H

#include "common/status.h"
#include "smtpd/relay.h"
#include "tests/unit/odd_servers.h"

#include <stdbool.h>

struct relay_stand {
	struct event_loop *loop;
	struct settings *settings;
	struct relay *relay;
	struct channel *spool, *resolver, *fetcher;
	/* The resolver. */
	enum dns_security security;
	const char *mx; /* "10:good.test 20:..."; NULL: the domain has none */
	bool has_v6;    /* hosts have ::1 as well */
	enum dns_result tlsa_result;
	const char *rua; /* who wants reports of TLS; NULL: nobody */
	unsigned int rua_questions;
	/* And the fetcher. */
	const char *policy; /* NULL: none */
	const char *policy_id;
	enum status policy_status;
	bool is_fetcher_silent;
	unsigned int fetches;
	/* The spool. */
	const char *via; /* "": by MX */
	unsigned int dones;
	char outcomes[8000]; /* of recipients */
	char ending[1000];   /* of the last job */
	unsigned int told;
	char sessions[4000]; /* of TLS, as told */
};

extern struct relay_stand stand;

/* For cmocka. */
int stand_set_up(void **state);
int stand_tear_down(void **state);
#define IN_STAND(name) \
	cmocka_unit_test_setup_teardown(name, stand_set_up, stand_tear_down)

/* Until `is_so`, within a deadline. */
void stand_wait(bool (*is_so)(void));
bool stand_is_done(void);

#define STAND_BODY "Subject: x\r\n\r\nhello\r\n"

/* A message of `size` bytes, with that body, to a@x.test; by `domain`. */
void stand_send_job(uint64_t number, const char *domain, unsigned int flags,
    enum relay_tls tls, const char *body, uint64_t size);
/* An ordinary one, until it is done. */
void stand_run_job(const char *domain);
/* The resolver, again. */
void stand_connect_resolver(void);

#endif

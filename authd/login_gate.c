/* See login_gate.h. */
#include "authd/login_gate.h"

#include "common/log.h"
#include "common/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct login_gate {
	struct login_delay *addresses;
	struct login_delay *users;
	struct login_delay *pairs;
};

struct login_gate *
login_gate_new(void)
{
	struct login_gate *gate = memory_new(1, sizeof(*gate));
	uint8_t key[16];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		fatal("why=\"no random bytes\"");
	gate->addresses = login_delay_new(key);
	gate->users = login_delay_new(key);
	gate->pairs = login_delay_new(key);
	return gate;
}

void
login_gate_free(struct login_gate **gate)
{
	if (*gate == NULL)
		return;
	login_delay_free(&(*gate)->addresses);
	login_delay_free(&(*gate)->users);
	login_delay_free(&(*gate)->pairs);
	memory_free(gate);
}

/* What one client can have many of is one: a /64 of IPv6. */
static void
network_of(struct text client_ip, char network[65], bool *is_local)
{
	struct in6_addr address;

	*is_local = false;
	if (text_copy(client_ip, network, 65) == -1)
		network[0] = '\0';
	if (inet_pton(AF_INET6, network, &address) != 1) {
		*is_local = strncmp(network, "127.", 4) == 0;
		return;
	}
	*is_local = IN6_IS_ADDR_LOOPBACK(&address);
	if (IN6_IS_ADDR_V4MAPPED(&address)) {
		*is_local = address.s6_addr[12] == 127;
		return;
	}
	memset(address.s6_addr + 8, 0, 8);
	(void)inet_ntop(AF_INET6, &address, network, 65);
}

/* A name is the same user in any case of its letters. */
struct login_who
login_gate_who(
    const struct login_gate *gate, struct text user, struct text client_ip)
{
	struct login_who who = { 0 };
	char network[65], name[400], pair[500];
	int size;

	network_of(client_ip, network, &who.is_local);
	if (text_copy(user, name, sizeof(name)) == -1)
		name[0] = '\0';
	for (char *c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	size = snprintf(pair, sizeof(pair), "%s %s", network, name);
	who.address = login_delay_key(gate->addresses, text_of(network));
	who.user = login_delay_key(gate->users, text_of(name));
	who.pair = login_delay_key(gate->pairs, text_make(pair, (size_t)size));
	return who;
}

/* One after the other, each after the delay from the last mistake. */
static int64_t
wait_in_line(
    const struct login_standing *standing, int64_t max_ms, int64_t now_us)
{
	int64_t until_us;

	if (standing->mistakes + standing->running < LOGIN_DELAY_FREE)
		return 0;
	if (standing->running > 0)
		return LOGIN_GATE_WAIT;
	until_us = standing->last_us +
		   1000 * login_delay_ms(standing->mistakes, max_ms);
	return until_us > now_us ? (until_us - now_us + 999) / 1000 : 0;
}

static int64_t
wait_from_arrival(const struct login_standing *standing, int64_t max_ms,
    int64_t arrived_us, int64_t now_us)
{
	int64_t until_us =
	    arrived_us + 1000 * login_delay_ms(standing->mistakes, max_ms);

	return until_us > now_us ? (until_us - now_us + 999) / 1000 : 0;
}

static int64_t
longer(int64_t a, int64_t b)
{
	if (a == LOGIN_GATE_WAIT || b == LOGIN_GATE_WAIT)
		return LOGIN_GATE_WAIT;
	return a > b ? a : b;
}

int64_t
login_gate_wait_ms(struct login_gate *gate, const struct login_who *who,
    int64_t arrived_us, int64_t now_us)
{
	int64_t max_ms =
	    who->is_local ? LOGIN_DELAY_LOCAL_MAX_MS : LOGIN_DELAY_MAX_MS;
	struct login_standing pair =
	    login_delay_standing(gate->pairs, who->pair, now_us);
	struct login_standing user =
	    login_delay_standing(gate->users, who->user, now_us);
	struct login_standing address =
	    login_delay_standing(gate->addresses, who->address, now_us);
	int64_t wait;

	/* A trusted pair's checks may run at once until it makes mistakes: a
	 * mail program opens many connections. */
	if (login_delay_is_trusted(gate->pairs, who->pair, now_us))
		return pair.mistakes == 0 ? 0
					  : wait_in_line(&pair, max_ms, now_us);
	wait = longer(wait_in_line(&pair, max_ms, now_us),
	    wait_from_arrival(&user, max_ms, arrived_us, now_us));
	if (!who->is_local)
		wait = longer(wait, wait_in_line(&address, max_ms, now_us));
	return wait;
}

void
login_gate_started(
    struct login_gate *gate, const struct login_who *who, int64_t now_us)
{
	login_delay_started(gate->addresses, who->address, now_us);
	login_delay_started(gate->users, who->user, now_us);
	login_delay_started(gate->pairs, who->pair, now_us);
}

void
login_gate_finished(struct login_gate *gate, const struct login_who *who,
    enum login_outcome outcome, int64_t now_us)
{
	bool is_mistake = outcome == LOGIN_WAS_WRONG;

	login_delay_finished(gate->addresses, who->address,
	    is_mistake && !who->is_local, now_us);
	login_delay_finished(gate->users, who->user, is_mistake, now_us);
	login_delay_finished(gate->pairs, who->pair, is_mistake, now_us);
	if (outcome == LOGIN_WAS_RIGHT)
		login_delay_trust(gate->pairs, who->pair, now_us);
}

bool
login_gate_is_too_many(
    struct login_gate *gate, const struct login_who *who, int64_t now_us)
{
	struct login_standing pair =
	    login_delay_standing(gate->pairs, who->pair, now_us);
	struct login_standing address =
	    login_delay_standing(gate->addresses, who->address, now_us);

	if (who->is_local ||
	    login_delay_is_trusted(gate->pairs, who->pair, now_us))
		return pair.mistakes >= LOGIN_DELAY_MANY;
	return address.mistakes >= LOGIN_DELAY_MANY ||
	       pair.mistakes >= LOGIN_DELAY_MANY;
}

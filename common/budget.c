/* See budget.h. */
#include "common/budget.h"

#include "common/memory.h"
#include "common/table.h"

#include <stdlib.h>
#include <string.h>

struct budget {
	struct budget_limits limits;
	uint32_t count;
	struct table *addresses; /* with a connection: to uint32_t */
	struct table *networks;
	struct rate_sketch *address_connections;
	struct rate_sketch *network_connections;
	struct rate_sketch *address_errors;
	struct rate_sketch *network_errors;
};

const char *
budget_name(enum budget_verdict verdict)
{
	static const char *const names[BUDGET_VERDICT_COUNT] = { [BUDGET_OK] =
								     "none",
		[BUDGET_ALL] = "all",
		[BUDGET_ADDRESS] = "address",
		[BUDGET_NETWORK] = "network",
		[BUDGET_ADDRESS_RATE] = "address-rate",
		[BUDGET_NETWORK_RATE] = "network-rate",
		[BUDGET_ADDRESS_ERRORS] = "address-errors",
		[BUDGET_NETWORK_ERRORS] = "network-errors" };

	return names[verdict];
}

struct budget *
budget_new(const uint8_t key[16])
{
	struct budget *budget = memory_new(1, sizeof(*budget));

	budget->addresses = table_new();
	budget->networks = table_new();
	budget->address_connections = rate_sketch_new(key);
	budget->network_connections = rate_sketch_new(key);
	budget->address_errors = rate_sketch_new(key);
	budget->network_errors = rate_sketch_new(key);
	return budget;
}

static void
free_counts(struct table **table)
{
	size_t position = 0;
	void *count;

	while (table_next(*table, &position, NULL, NULL, &count))
		free(count);
	table_free(table);
}

void
budget_free(struct budget **pointer)
{
	struct budget *budget = *pointer;

	if (budget == NULL)
		return;
	free_counts(&budget->addresses);
	free_counts(&budget->networks);
	rate_sketch_free(&budget->address_connections);
	rate_sketch_free(&budget->network_connections);
	rate_sketch_free(&budget->address_errors);
	rate_sketch_free(&budget->network_errors);
	memory_free(pointer);
}

void
budget_set(struct budget *budget, const struct budget_limits *limits)
{
	budget->limits = *limits;
}

struct budget_client
budget_client_of(const struct budget *budget, const char *ip)
{
	struct budget_client client = { 0 };
	bool is_v4;

	if (network_address(ip, client.address) == -1 ||
	    network_is_loopback(client.address) ||
	    network_list_has(&budget->limits.trusted, client.address))
		return client;
	client.is_limited = true;
	is_v4 = network_is_v4(client.address);
	memcpy(client.network, client.address, sizeof(client.network));
	network_cut(
	    client.address, is_v4 ? BUDGET_ADDRESS_V4 : BUDGET_ADDRESS_V6);
	network_cut(
	    client.network, is_v4 ? BUDGET_NETWORK_V4 : BUDGET_NETWORK_V6);
	return client;
}

/* -- Those who are there -- */

static uint32_t
count_of(const struct table *table, const uint8_t bytes[NETWORK_BYTES])
{
	const uint32_t *count = table_find(table, bytes, NETWORK_BYTES);

	return count != NULL ? *count : 0;
}

static void
count_one(struct table *table, const uint8_t bytes[NETWORK_BYTES])
{
	uint32_t *count = table_find(table, bytes, NETWORK_BYTES);

	if (count == NULL) {
		count = memory_new(1, sizeof(*count));
		table_put(table, bytes, NETWORK_BYTES, count);
	}
	++*count;
}

static void
count_one_less(struct table *table, const uint8_t bytes[NETWORK_BYTES])
{
	uint32_t *count = table_find(table, bytes, NETWORK_BYTES);

	if (count == NULL || --*count > 0)
		return;
	table_remove(table, bytes, NETWORK_BYTES);
	free(count);
}

/* -- What was in a while -- */

static bool
is_used_up(const struct rate_sketch *sketch, const uint8_t bytes[NETWORK_BYTES],
    struct rate rate, int64_t now_us)
{
	return rate.most > 0 && rate_sketch_count(sketch, bytes, NETWORK_BYTES,
				    rate, now_us) >= rate.most;
}

static enum budget_verdict
errors_verdict(const struct budget *budget, const struct budget_client *client,
    int64_t now_us)
{
	if (is_used_up(budget->address_errors, client->address,
		budget->limits.address_errors, now_us))
		return BUDGET_ADDRESS_ERRORS;
	if (is_used_up(budget->network_errors, client->network,
		budget->limits.network_errors, now_us))
		return BUDGET_NETWORK_ERRORS;
	return BUDGET_OK;
}

static enum budget_verdict
client_verdict(const struct budget *budget, const struct budget_client *client,
    int64_t now_us)
{
	const struct budget_limits *limits = &budget->limits;

	if (count_of(budget->addresses, client->address) >= limits->per_address)
		return BUDGET_ADDRESS;
	if (count_of(budget->networks, client->network) >= limits->per_network)
		return BUDGET_NETWORK;
	if (is_used_up(budget->address_connections, client->address,
		limits->address_connections, now_us))
		return BUDGET_ADDRESS_RATE;
	if (is_used_up(budget->network_connections, client->network,
		limits->network_connections, now_us))
		return BUDGET_NETWORK_RATE;
	return errors_verdict(budget, client, now_us);
}

static void
count(struct budget *budget, const struct budget_client *client)
{
	if (!client->is_limited)
		return;
	count_one(budget->addresses, client->address);
	count_one(budget->networks, client->network);
}

/* If his budgets allow it, he is counted. */
static enum budget_verdict
admit(struct budget *budget, const struct budget_client *client, int64_t now_us)
{
	const struct budget_limits *limits = &budget->limits;
	enum budget_verdict verdict;

	if (!client->is_limited)
		return BUDGET_OK;
	verdict = client_verdict(budget, client, now_us);
	if (verdict != BUDGET_OK)
		return verdict;
	count(budget, client);
	rate_sketch_add(budget->address_connections, client->address,
	    NETWORK_BYTES, limits->address_connections, now_us);
	rate_sketch_add(budget->network_connections, client->network,
	    NETWORK_BYTES, limits->network_connections, now_us);
	return BUDGET_OK;
}

static void
dismiss(struct budget *budget, const struct budget_client *client)
{
	if (!client->is_limited)
		return;
	count_one_less(budget->addresses, client->address);
	count_one_less(budget->networks, client->network);
}

enum budget_verdict
budget_take(struct budget *budget, const struct budget_client *client,
    bool may_use_kept, int64_t now_us)
{
	const struct budget_limits *limits = &budget->limits;
	uint32_t places = limits->all - (may_use_kept ? 0 : limits->kept);
	enum budget_verdict verdict = BUDGET_ALL;

	if (budget->count < places)
		verdict = admit(budget, client, now_us);
	if (verdict == BUDGET_OK)
		budget->count++;
	return verdict;
}

void
budget_inherit(struct budget *budget, const struct budget_client *client)
{
	count(budget, client);
	budget->count++;
}

enum budget_verdict
budget_move(struct budget *budget, const struct budget_client *from,
    const struct budget_client *to, int64_t now_us)
{
	enum budget_verdict verdict = admit(budget, to, now_us);

	if (verdict == BUDGET_OK)
		dismiss(budget, from);
	return verdict;
}

void
budget_release(struct budget *budget, const struct budget_client *client)
{
	budget->count--;
	dismiss(budget, client);
}

enum budget_verdict
budget_error(
    struct budget *budget, const struct budget_client *client, int64_t now_us)
{
	if (!client->is_limited)
		return BUDGET_OK;
	rate_sketch_add(budget->address_errors, client->address, NETWORK_BYTES,
	    budget->limits.address_errors, now_us);
	rate_sketch_add(budget->network_errors, client->network, NETWORK_BYTES,
	    budget->limits.network_errors, now_us);
	return errors_verdict(budget, client, now_us);
}

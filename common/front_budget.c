/* See front_budget.h. */
#include "common/front_budget.h"

#include "common/log.h"

#include <sys/random.h>

struct budget *
front_budget_new(const struct settings *settings, bool keeps_places)
{
	struct budget *budget;
	uint8_t key[16];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		fatal("why=\"no random bytes\"");
	budget = budget_new(key);
	front_budget_renew(budget, settings, keeps_places);
	return budget;
}

void
front_budget_renew(
    struct budget *budget, const struct settings *settings, bool keeps_places)
{
	const struct budget_limits limits = {
		.trusted = settings->trusted,
		.all = settings->max_connections,
		.kept = keeps_places ? settings->max_connections /
					   FRONT_BUDGET_KEPT_SHARE
				     : 0,
		.per_address = settings->max_connections_per_address,
		.per_network = settings->max_connections_per_network,
		.address_connections = settings->connections_rate.address,
		.network_connections = settings->connections_rate.network,
		.address_errors = settings->errors_rate.address,
		.network_errors = settings->errors_rate.network,
	};

	budget_set(budget, &limits);
}

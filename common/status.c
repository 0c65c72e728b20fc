/* See status.h. */
#include "common/status.h"

const char *
status_name(enum status status)
{
	static const char *const names[STATUS_COUNT] = {
		[STATUS_OK] = "ok",
		[STATUS_MISSING] = "missing",
		[STATUS_EXISTS] = "exists",
		[STATUS_REFUSED] = "refused",
		[STATUS_INVALID] = "invalid",
		[STATUS_LIMIT] = "limit",
		[STATUS_FULL] = "full",
		[STATUS_UNAVAILABLE] = "unavailable",
		[STATUS_FENCED] = "fenced",
		[STATUS_DAMAGED] = "damaged",
		[STATUS_BUSY] = "busy",
		[STATUS_PARTLY] = "partly",
		[STATUS_QUOTA] = "quota",
		[STATUS_ALLOWANCE] = "allowance",
	};

	if ((unsigned int)status >= STATUS_COUNT)
		return "unknown";
	return names[status];
}

bool
status_passes(enum status status)
{
	return status == STATUS_UNAVAILABLE || status == STATUS_FULL ||
	       status == STATUS_ALLOWANCE;
}

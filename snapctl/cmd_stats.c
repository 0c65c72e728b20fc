/*
 * snapctl stats: how much each account has, what of it deduplication and
 * compression save, how fast it grows and how long the disk will do.
 */
#include "snapctl/snapctl.h"

#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	DAY_S = 86400,
	DEFAULT_DAYS = 7,
	RATIO_SIZE = 24
};

/* What an account takes on disk is known when the store's row has come,
 * last. */
struct stats {
	struct control_usage *usages;
	size_t count;
	size_t room;
	struct control_store store;
};

static struct text
format_ratio(uint64_t whole, uint64_t part, char to[RATIO_SIZE])
{
	if (whole == 0 || part == 0)
		return TEXT("-");
	snprintf(to, RATIO_SIZE, "%.2f", (double)whole / (double)part);
	return text_of(to);
}

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct stats *stats = context;
	int got = 0;

	if (kind == CONTROL_USAGE) {
		if (stats->count == stats->room) {
			stats->room = stats->room * 2 + 64;
			stats->usages = memory_resize(
			    stats->usages, stats->room, sizeof(*stats->usages));
		}
		got = control_get_usage(record, &stats->usages[stats->count++]);
		output_progress(snapctl->output, "accounts", stats->count, 0);
	} else if (kind == CONTROL_STORE) {
		got = control_get_store(record, &stats->store);
	}
	if (got == 0)
		return EXIT_DONE;
	fprintf(stderr, "snapctl: snapd sent a row that cannot be read\n");
	return EXIT_FAILED;
}

/* Packed as the rest of the segments is. */
static uint64_t
packed(const struct control_store *store, uint64_t bytes)
{
	if (store->packed_bytes == 0)
		return bytes;
	return (uint64_t)((double)bytes * (double)store->segment_bytes /
			  (double)store->packed_bytes);
}

/* A first day is not over: what came so far is no forecast of an hour. */
static uint64_t
in_a_day(const struct control_store *store, uint64_t bytes)
{
	uint64_t seconds = store->grown_s > DAY_S ? store->grown_s : DAY_S;

	return (uint64_t)((double)bytes * DAY_S / (double)seconds);
}

static void
print_usage(struct snapctl *snapctl, const struct control_store *store,
    const struct control_usage *usage)
{
	char account[12], dedup[RATIO_SIZE];
	uint64_t staged = usage->body_bytes - usage->sealed_bytes;
	const struct field fields[] = {
		FIELD_T("account", 20,
		    usage->account == 0 ? TEXT("total")
					: command_account_name(snapctl,
					      usage->account, account)),
		FIELD_N("messages", 8, usage->messages),
		FIELD_B("size", usage->bytes),
		FIELD_N("kept", 8, usage->kept),
		FIELD_B("kept_size", usage->kept_bytes),
		FIELD_N("bodies", 8, usage->bodies),
		FIELD_B("body_size", usage->body_bytes),
		FIELD_B("sealed_size", usage->sealed_bytes),
		FIELD_T("dedup", 5,
		    format_ratio(usage->bytes + usage->kept_bytes,
			usage->body_bytes, dedup)),
		/* What is packed is not counted by account: as the rest is. */
		FIELD_B("disk_estimate",
		    staged + packed(store, usage->sealed_bytes)),
		FIELD_B("grows_daily", in_a_day(store, usage->grown_bytes)),
		FIELD_D("oldest", usage->oldest),
		FIELD_D("newest", usage->newest),
	};

	output_row(snapctl->output, "usage", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

/* Days until the disk is full at this pace. */
static struct text
forecast(const struct control_store *store, uint64_t grown, char to[RATIO_SIZE])
{
	uint64_t daily = packed(store, in_a_day(store, grown));

	if (daily == 0 || store->disk_bytes == 0)
		return TEXT("-");
	snprintf(to, RATIO_SIZE, "%llu",
	    (unsigned long long)(store->disk_free_bytes / daily));
	return text_of(to);
}

static void
print_store(struct snapctl *snapctl, const struct control_store *store,
    const struct control_usage *total)
{
	char ratio[RATIO_SIZE], days[RATIO_SIZE];
	const struct field fields[] = {
		FIELD_B("index_size", store->index_bytes),
		FIELD_B("staged_size", store->staged_bytes),
		FIELD_N("segments", 8, store->segments),
		FIELD_B("packed_size", store->segment_bytes),
		FIELD_T("compression", 11,
		    format_ratio(
			store->packed_bytes, store->segment_bytes, ratio)),
		FIELD_B("on_disk", store->index_bytes + store->segment_bytes),
		FIELD_B("disk_size", store->disk_bytes),
		FIELD_B("disk_free", store->disk_free_bytes),
		FIELD_B("grows_daily",
		    packed(store, in_a_day(store, total->grown_bytes))),
		FIELD_T("full_in_days", 0,
		    forecast(store, total->grown_bytes, days)),
	};

	output_new_table(snapctl->output);
	output_say(snapctl->output, "%s", "");
	output_row(snapctl->output, "store", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

int
cmd_stats(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_stats };
	struct stats stats = { .count = 0 };
	int64_t since;
	int code;

	if (argc > 1)
		return command_usage("stats [ACCOUNT] [--since T]");
	code = command_account(
	    snapctl, argc, argv, &request.control_stats.account);
	if (code == EXIT_DONE)
		code = command_since(snapctl, &since);
	if (code != EXIT_DONE)
		return code;
	request.control_stats.days = DEFAULT_DAYS;
	if (since != 0 && since < snapctl->now)
		request.control_stats.days =
		    (uint32_t)((snapctl->now - since + DAY_S - 1) / DAY_S);
	code = client_ask(snapctl, &request, take_row, &stats);
	for (size_t i = 0; i < stats.count && code == EXIT_DONE; i++)
		print_usage(snapctl, &stats.store, &stats.usages[i]);
	/* How the store grows is known when all accounts were counted. */
	if (code == EXIT_DONE && argc == 0)
		print_store(
		    snapctl, &stats.store, &stats.usages[stats.count - 1]);
	free(stats.usages);
	return code;
}

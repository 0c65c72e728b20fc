/* See settings_slices.h. */
#include "common/settings_slices.h"

#include "common/log.h"

#include <unistd.h>

void
settings_slices_take(struct settings_slices *slices, struct process *process)
{
	int settings_fd = process_take(process, START_SETTINGS, 0);
	int accounts_fd = process_take(process, START_ACCOUNTS, 0);
	struct error error;

	*slices = (struct settings_slices){ NULL, NULL };
	slices->settings = settings_read_slice(settings_fd, &error);
	if (slices->settings == NULL)
		fatal("settings: %s", error.text);
	close(settings_fd);
	if (accounts_fd == -1)
		return;
	slices->accounts = account_table_read(accounts_fd, &error);
	if (slices->accounts == NULL)
		fatal("accounts: %s", error.text);
	close(accounts_fd);
}

int
settings_slices_read(struct settings_slices *fresh,
    const struct settings_slices *in_use, const struct message_settings *said,
    const int *fds)
{
	struct error error = { .text = "a slice is missing" };

	*fresh = (struct settings_slices){ NULL, NULL };
	for (size_t i = 0; i < said->kinds.size; i++) {
		if (said->kinds.data[i] == START_SETTINGS &&
		    fresh->settings == NULL)
			fresh->settings = settings_read_slice(fds[i], &error);
		if (said->kinds.data[i] == START_ACCOUNTS &&
		    in_use->accounts != NULL && fresh->accounts == NULL)
			fresh->accounts = account_table_read(fds[i], &error);
	}
	if (fresh->settings != NULL &&
	    (fresh->accounts != NULL || in_use->accounts == NULL))
		return 0;
	log_error("reload", "why=\"%s\"", error.text);
	settings_slices_clear(fresh);
	return -1;
}

void
settings_slices_replace(
    struct settings_slices *in_use, const struct settings_slices *fresh)
{
	settings_slices_clear(in_use);
	*in_use = *fresh;
}

void
settings_slices_clear(struct settings_slices *slices)
{
	settings_free(&slices->settings);
	account_table_free(&slices->accounts);
}

/*
 * An account in its worker with a store at the other end (false_store.h), on a
 * real Maildir in a temporary directory, and what may happen to them: for the
 * tests of the worker's mailboxes.  A wait fails the test at its deadline.
 */
#ifndef TESTS_UNIT_ACCOUNT_WORLD_H
#define TESTS_UNIT_ACCOUNT_WORLD_H

#include "imapd/mailbox.h"
#include "tests/unit/false_store.h"
#include "tests/unit/scratch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world {
	struct event_loop *loop;
	struct timer *deadline;
	struct timer *tick;
	struct false_store *store;
	struct account_store *account;
	char home[64];
	bool (*condition)(struct world *world);
	size_t wanted; /* by wait_for_count */
	bool is_late;
	size_t changed;
	/* of the last answer */
	unsigned int answers;
	enum status status;
	uint32_t target_uid;
	size_t count;
	char body[200];
};

void wait_for(struct world *w, bool (*condition)(struct world *world));
bool is_ready(struct world *w);
bool is_idle(struct world *w);
bool has_answer(struct world *w);
/* Until INBOX has so many messages and nothing is under way. */
void wait_for_count(struct world *w, size_t count);
void answered(const struct mailbox_answer *answer, void *context);
/* Without waiting until it is ready; waiting. */
void begin_account(struct world *w);
void open_account(struct world *w);
int world_setup(void **state);
int world_teardown(void **state);
void append_to(struct world *w, const char *mailbox, const char *body);
struct mailbox_view *open_view(struct world *w, const char *name);
void assert_body(
    struct world *w, struct mailbox_view *view, uint32_t uid, const char *body);
size_t count_files(struct world *w, const char *folder, char *name);
void put_file(struct world *w, const char *name, const char *body);
void restart(struct world *w);
/* As SIGKILL leaves it: what lies on the disk, and nothing more said. */
void kill_worker(struct world *w);
void make_directory(struct world *w, const char *name);
bool is_there(struct world *w, const char *name);
void lose_index(struct world *w);
void cut_power(struct world *w);
void delete_message(struct world *w, struct mailbox_view *view, uint32_t uid);
size_t message_count(struct world *w, const char *name);

#endif

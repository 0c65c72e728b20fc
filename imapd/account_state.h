/*
 * What the files of an account's mailboxes share among themselves: the struct
 * behind account_store.h.  Not for the IMAP commands.
 *
 * Rows change in one place only, account_apply.c: from the answer to our own
 * batch, or from a change listed by the store. It keeps index, memory, files
 * and views in step.
 */
#ifndef IMAPD_ACCOUNT_STATE_H
#define IMAPD_ACCOUNT_STATE_H

#include "common/table.h"
#include "imapd/askers.h"
#include "imapd/mailbox.h"
#include "imapd/message_index.h"
#include "imapd/parse_note.h"
#include "imapd/store_client.h"
#include "imapd/uid_ranges.h"

#include <dirent.h>
#include <sys/types.h>

enum {
	ACCOUNT_READY_WAIT_MS = 10000,
	/* Bodies that healing has asked for: the store unpacks the next ones
	 * while the files of some are written. */
	ACCOUNT_MAX_HEALING = 8 * BODIES_MAX,
	ACCOUNT_HEALING_BYTES = 8 << 20,
	/* Marks of missing files that the store writes at a time, and
	 * removes. */
	MARKS_A_STEP = 2000,
	ACCOUNT_PATH_MAX = 600,
	ACCOUNT_OWNER_SIZE = 321,
	/* Parses of messages that are deleted, for those who look at them. */
	ACCOUNT_MAX_UNUSED_CACHE = 100000,
	/* Bytes of bodies and changes in one batch. */
	ACCOUNT_BATCH_BODIES = 100,
	/* Files of changes from so many on follow their rows later. */
	ACCOUNT_LATER_FROM = 500
};

/* UIDs in rising order, shared by the views that are up to date. Appending
 * leaves the part that a view knows as it was; removing makes a new list. */
struct uid_list {
	unsigned int references;
	struct uid_ranges uids;
};

/* A message of the past: its row, and where its bytes are. */
struct past_message {
	struct index_row row;
	uint64_t blob;
	uint64_t stored_size;
	struct hash hash;
	uint8_t form;
};

struct noticed;

struct folder {
	struct mailbox_info info;
	struct message_index *index; /* which has its rows */
	/* In their place, if the mailbox is one of the past: then it is not in
	 * the account's list, has no directory and never changes. */
	struct past_message *past;
	size_t past_capacity;
	uint64_t past_sequence; /* of the listing that it was made from */
	struct folder *next_past;
	char *directory; /* beneath home: "Maildir", "Maildir/.A" */
	struct index_mailbox_state state;
	struct uid_list *list; /* while it is loaded */
	struct mailbox_view *views;
	bool is_gone;
	bool needs_scan; /* something in it may be unseen */
	bool needs_watch;
	bool is_adopting;
	bool is_letting_go;       /* the store is told what others deleted */
	bool is_identity_refused; /* of dovecot-uidlist */
	unsigned int told;        /* of what happened, to those who sleep */
	bool must_compare; /* an unclean stop: files may lack their bytes */
	struct list_change *deletions; /* wait for the adoption */
	uint32_t *later; /* UIDs whose files follow (later_files.c) */
	size_t later_count;
	size_t later_now; /* the last ones of them, before anybody is told */
	/* While changes are applied (apply_begin to apply_end). */
	struct folder *next_touched;
	bool is_touched;
	bool was_current;   /* its directories held nothing unseen */
	bool is_list_stale; /* UIDs went, or came between others */
};

struct mailbox_view {
	struct mailbox_view *next;
	struct account_store *account;
	struct folder *folder;
	const struct mailbox_view_handler *handler;
	void *context;
	bool is_read_only;
	bool is_pending; /* `changed` has to be called */
	bool has_new_keywords;
	bool has_new_key;
	struct uid_list *list;
	size_t count;          /* UIDs of the list that the client knows */
	uint32_t told_uidnext; /* new messages from here on are not told */
	uint64_t told_modseq;  /* flags up to here are told */
	struct uid_list *recent;
	size_t told_recent; /* of `recent` */
	uint32_t *changed;  /* UIDs with new flags */
	size_t changed_count;
	bool is_changed_sorted;
};

struct waiter {
	struct waiter *next;
	void (*callback)(enum status status, void *context);
	void *context;
};

struct heal {
	struct heal *next;
	uint64_t mailbox;
	uint32_t uid;
	bool is_marked;    /* the store was told that it is missing */
	bool must_compare; /* the file may be damaged */
	uint64_t size;     /* of the body that was asked for */
};

/* Up to where a mailbox's UIDs were given by a state that the store forgot. */
struct forgotten_uids {
	uint64_t mailbox;
	uint32_t uidvalidity;
	uint32_t uidnext;
};

struct account_quota {
	uint64_t max_bytes; /* 0: any number of them */
	uint64_t max_messages;
	/* Of changes that the store has not answered yet. */
	uint64_t coming_bytes;
	uint64_t coming_messages;
	struct index_usage told; /* the queue */
	bool is_told;
	bool is_nearly_full; /* and the log has it */
};

struct account_store {
	struct event_loop *loop;
	int home_fd;
	struct store_client *client;
	struct channel *queue;
	uint64_t queue_instance;
	struct message_index *index;
	struct parse_note *parse_note;
	enum status status;
	bool must_restart;
	bool is_index_filled;
	bool is_rebuilt; /* the index was made anew from the store */
	struct catching_up *catching_up;
	struct timer *settle_timer;
	bool is_unclean;
	bool takes_deletes; /* of other programs, as the settings say */
	bool is_refilling;  /* what is gone is made again, whatever they say */
	bool is_put_back;   /* the store is older than the files may be */
	bool is_believed;   /* it leapt since, the witness has no more to say */
	struct forgotten_uids *forgotten;
	size_t forgotten_count;
	struct timer *index_timer; /* commits what was left open */
	bool is_index_due;
	bool has_witness; /* there was a file at the start */
	bool is_witness_due;
	struct timer *witness_timer;
	struct index_meta meta;
	uint64_t applied; /* sequence of the newest change in the index */
	struct folder **folders; /* by name, INBOX first */
	struct table *folders_by_id;
	struct folder_adoption *adoptions; /* of folders, that wait */
	bool is_making_folder;
	bool is_adopting_folders;
	unsigned int taking_flags; /* of files, to the store */
	struct folder *touched;
	unsigned int applying;
	bool has_new_names; /* of files, by what is being applied */
	unsigned int unflushed;
	size_t folder_count;
	char **subscribed; /* sorted */
	size_t subscribed_count;
	struct waiter *waiters;
	struct timer *waiters_timer;
	struct timer *notify_timer;
	struct timer *heal_timer;
	size_t rebuild_left;
	uint64_t listed_up_to; /* by the listing of changes at the start */
	struct heal *heals;
	struct heal **heals_end;
	struct heal *healed; /* marked rows to be told of */
	size_t healed_count;
	struct heal *heals_later;   /* that failed */
	struct table *heals_by_row; /* those that are not done */
	unsigned int healing;
	uint64_t healing_bytes;
	uint64_t healed_mailbox; /* whose files are written (heal_file.c) */
	bool was_healed_current;
	struct timer *healed_timer;
	struct timer *later_timer; /* runs while has_later */
	bool has_later;
	int64_t later_step_us; /* clock_monotonic_us() of the last step */
	void (*watcher_told)(
	    uint64_t mailbox, unsigned int what, void *context);
	unsigned int names_told; /* as folder->told */
	void *watcher_context;
	struct marking *markings; /* the first is under way */
	unsigned int changing;    /* operations under way */
	struct turn *turns;       /* in line for changes, the first first */
	bool is_starting_turns;
	uint64_t files_written; /* by healing */
	uint64_t files_failed;
	struct reading *readings;
	struct past_request *past_requests;
	struct account_listener *listeners;
	struct asker *vanished_askers;
	struct asker *saved_askers;
	struct folder *past_folders;    /* that views have open */
	char owner[ACCOUNT_OWNER_SIZE]; /* the address of its user */
	char host[256];                 /* what this server is called */
	void (*serve_url)(const struct message_fetch_url *asked, void *context);
	void *serve_context;
	struct mailbox_keys *keys; /* NULL: not read yet */
	struct change_note note;   /* account_store_act_for */
	int64_t loss_day;          /* of the last loss_notice */
	struct account_quota quota;
	struct delivery *deliveries;
	struct timer *deliver_timer;
	struct watcher *watcher;
	struct directories *directories;
	struct cache_filler *filler;
};

/* ---- account_store.c ---- */
struct folder *folder_find_id(struct account_store *account, uint64_t id);
void account_answer(mailbox_done *done, void *context, enum status status);
/* The account is ready, or will not be. */
void account_tell_waiters(struct account_store *account, enum status status);
/* The transaction of the index that was left open is committed before long. */
void account_commit_soon(struct account_store *account);

/* ---- account_start.c ---- */
/* Of the client's handler. */
bool account_start_trusts(const struct store_state *state, void *context);
void account_start_greeted(const struct store_state *state, void *context);
/* All up to there is in the index. */
void account_confirm(struct account_store *account, uint64_t sequence);

/* ---- account_catch_up.c ---- */
/* Of the client's handler. */
void account_catch_up(
    uint64_t tag, uint64_t sequence, enum catch_up_files files, void *context);
void account_catch_up_away(void *context);
/* The account is ready: what was asked before it was is begun. */
void account_catch_up_start(struct account_store *account);
void account_catch_up_free(struct account_store *account);
/* Somebody asked which files are missing and has no answer yet: none is to be
 * made meanwhile. */
bool account_is_to_be_looked_at(const struct account_store *account);
/* All healing is done. */
void account_healed(struct account_store *account);
/* One of account->changing: whoever waits for the last of them is told. */
void account_change_ended(struct account_store *account);

/* ---- account_witness.c ---- */
enum witness_says {
	WITNESS_AGREES,
	WITNESS_FOREIGN,    /* another store */
	WITNESS_KNOWS_NEWER /* the store was put back to an older state */
};
/* `known`: the newer state. Logs an alarm unless it agrees. */
enum witness_says account_witness_ask(struct account_store *account,
    const struct store_state *state, struct store_state *known);
/* What the account knows is what its witness says: at start and end; soon,
 * after a change. */
void account_witness_write(struct account_store *account, bool is_synced);
/* At the start. */
void account_witness_begin(struct account_store *account);
void account_witness_write_soon(struct account_store *account);

/* ---- account_events.c ---- */
void events_messages(
    struct account_store *account, struct folder *folder, enum happening what);
/* {NULL, 0}: there was, or is, none. */
void events_name(
    struct account_store *account, struct text name, struct text old_name);
void events_subscription(struct account_store *account, struct text name);

/* ---- account_quota.c ---- */
/* Room for a change that is on its way: false if there is none, else it is kept
 * until quota_arrived. */
bool quota_takes(
    struct account_store *account, uint64_t messages, uint64_t bytes);
void quota_arrived(
    struct account_store *account, uint64_t messages, uint64_t bytes);
/* Rows came or went, or the queue is new: it is told, and the log when most of
 * the quota is used. */
void quota_look(struct account_store *account);
void quota_tell_anew(struct account_store *account);

/* ---- account_apply.c ---- */

/* A new message's file, begun in tmp/ while its commit is under way. */
struct prepared {
	char *name; /* in Maildir/tmp; NULL: there is none */
	int fd;
	bool is_placed; /* it was moved to where it belongs */
};

/* The bytes of a new message, if they are at hand: in `fd` (-1: in `data`), or
 * only prepared. NULL, or if they cannot be written: its file is made from the
 * store. */
struct message_source {
	int fd;
	struct text data;
	struct prepared *prepared; /* may be NULL */
	/* A file of that name is not written over: ERROR_EXISTS. */
	bool must_be_new;
	/* A move: the file is renamed from there. */
	struct folder *moved_from;
	/* A copy: the file gets another name, there. */
	struct folder *copied_from;
	uint32_t source_uid; /* of both */
	/* The file is there, or the scan that follows finds that it is not. */
	bool is_assumed;
};
bool source_has_bytes(const struct message_source *source);
/* Changes are applied between these, which may be nested: one transaction of
 * the index, and what is to be done once a folder is done at the end. */
void apply_begin(struct account_store *account);
void apply_end(struct account_store *account);
void apply_message(struct account_store *account,
    const struct message_record *record, const struct message_source *source,
    const struct mailbox_view *origin);
/* New flags, keywords and MODSEQ of a row, if it is there and older. */
void apply_flags(struct account_store *account,
    const struct message_record *record, const struct mailbox_view *origin,
    bool is_later);
/* Renames the file to the row's flags; one that cannot be renamed, or is not
 * there, is found by the next look at the folder. */
void apply_file_name(struct account_store *account, struct folder *folder,
    const struct message_record *record);
void apply_expunge(struct account_store *account, uint64_t mailbox,
    uint32_t uid, uint64_t modseq, bool is_later);
void apply_mailbox(
    struct account_store *account, const struct mailbox_record *record);
void apply_subscribed(
    struct account_store *account, struct text name, bool is_subscribed);
void apply_change(
    struct account_store *account, const struct change_record *change);
/* All changes of a listing; -1 if it is malformed. The rows of mailboxes that
 * hold some must follow. */
int apply_listing(struct account_store *account, struct text data);
/* The sequence up to which our own batches are applied. */
void apply_sequence(struct account_store *account, uint64_t sequence);

/* ---- later_files.c ---- */
/* The file of a row that was changed, or is gone, follows: in the background,
 * or with later_follow. */
void later_add(struct account_store *account, struct folder *folder,
    uint32_t uid, bool is_later);
/* Those of them that do not follow in the background. */
void later_follow(struct account_store *account, struct folder *folder);
/* A command begins: it goes before. */
void later_yield(struct account_store *account);
/* Now, all of the folder. */
void later_finish(struct account_store *account, struct folder *folder);
void later_free(struct account_store *account);

/* ---- folder.c ---- */
void uid_list_release(struct uid_list **list);
struct folder *folder_add(struct account_store *account,
    const struct mailbox_record *record,
    const struct index_mailbox_state *state);
void folder_free(struct folder **folder);
/* All but the number of messages. */
void folder_describe(
    struct mailbox_info *info, const struct mailbox_record *record);
/* By name, INBOX in any case; NULL: there is none. */
struct folder *folder_find(struct account_store *account, struct text name);
/* The next one in their order, of all if `name` is empty; NULL: none. */
struct folder *folder_after(
    const struct account_store *account, struct text name);
/* In the account's list, and out of it. */
void folder_insert(struct account_store *account, struct folder *folder);
void folder_take(struct account_store *account, const struct folder *folder);
/* Its record into the index. */
void folder_put(struct account_store *account, struct folder *folder);
void folder_raise_modseq(struct folder *folder, uint64_t modseq);
/* INBOX first. */
int folder_compare_names(struct text a, struct text b);
struct text folder_copy_text(struct text text);
void folder_load(struct folder *folder);
void folder_unload(struct folder *folder);
/* Messages in the list of a folder that is loaded: those at `position` 0 to
 * folder_count - 1. */
size_t folder_count(const struct folder *folder);
uint32_t folder_uid(const struct folder *folder, size_t position);
/* False: it is not there, or gone. */
bool folder_position_of(
    const struct folder *folder, uint32_t uid, size_t *position);
bool folder_row(
    const struct folder *folder, uint32_t uid, struct index_row *row);
/* Rows that came to the index, or went: in the count now, in the list at
 * folder_settle_list. */
void folder_add_row(struct folder *folder, uint32_t uid);
void folder_drop_row(struct folder *folder);
void folder_settle_list(struct folder *folder);
struct uid_list *uid_list_new(void);
/* One that was deleted before there was a view, which owns it. */
struct folder *folder_new_gone(const struct mailbox_record *record);
/* A mailbox of the past, which its views own; its messages by rising UID. */
struct folder *folder_new_past(const struct mailbox_record *record);
void folder_describe_past(
    struct folder *folder, const struct mailbox_record *record);
void folder_add_past(struct folder *folder, const struct past_message *past);
/* NULL: it has no such message, or is not of the past. */
const struct past_message *folder_past(
    const struct folder *folder, uint32_t uid);

/* ---- directories.c: those that stay open ---- */
enum folder_part {
	FOLDER_CUR,
	FOLDER_NEW,
	FOLDER_TMP
};
/* Descriptors that stay the callee's, or -1. They are valid in this turn of the
 * loop, until two other folders were asked for. */
int directories_inbox_tmp(struct account_store *account, struct error *error);
int directories_part(struct account_store *account, const struct folder *folder,
    enum folder_part number, struct error *error);
/* In between, which may be nested and never lasts beyond one turn of the loop,
 * each is looked at once. */
void directories_hold(struct account_store *account);
void directories_release(struct account_store *account);
/* The same until this turn is over, for those who read one file after another.
 */
void directories_hold_turn(struct account_store *account);
/* One was found to be removed: all are opened anew. */
void directories_forget(struct account_store *account);
void directories_free(struct account_store *account);

/* ---- mailbox_files.c: the Maildir of a folder ---- */
int files_make_folder(
    struct account_store *account, struct folder *folder, struct error *error);
int files_rename_folder(struct account_store *account, struct folder *folder,
    const char *directory, struct error *error);
void files_remove_folder(struct account_store *account, struct folder *folder);
void files_set_aside(
    struct account_store *account, const char *directory, uint64_t mailbox);
char *files_directory(struct text mailbox);
/* The descriptor, or -1: nothing stays there then. */
int files_write_temporary(int dir_fd, const char *temporary,
    int64_t internaldate, const struct message_source *source,
    struct error *error);
int files_write(struct account_store *account, const struct folder *folder,
    const struct index_file *file, int64_t internaldate,
    const struct message_source *source, struct error *error);
/* What is in a directory of home; the caller closes it. */
int files_list(
    int home_fd, const char *path, DIR **listing, struct error *error);
/* Descriptor with the right size, or -1. */
int files_open(struct account_store *account, const struct folder *folder,
    const struct index_file *file, struct error *error);
int files_rename(struct account_store *account, const struct folder *from,
    const struct index_file *old, const struct folder *to,
    const struct index_file *new, struct error *error);
/* One more name for a file whose size is right; -1: it is to be copied. */
int files_link(struct account_store *account, const struct folder *from,
    const struct index_file *old, const struct folder *to,
    const struct index_file *new, struct error *error);
/* 0 also if it is not there. */
int files_unlink(struct account_store *account, const struct folder *folder,
    const struct index_file *file);
/* From now on it is a folder of another program. */
void files_forget_id(struct account_store *account, const char *directory);
/* Which directory it is, and when something in it changed (-1: it is
 * missing). */
struct directory_stamp {
	dev_t device;
	ino_t inode;
	int64_t changed_ns;
};
void files_stamp(struct account_store *account, const struct folder *folder,
    const char *part, struct directory_stamp *stamp);
bool files_are_one(
    const struct directory_stamp *a, const struct directory_stamp *b);
void files_path(const struct folder *folder, bool is_new, struct text name,
    char path[ACCOUNT_PATH_MAX]);
int files_read_id(struct account_store *account, const char *directory,
    struct store_id *store, uint64_t *mailbox);

/* ---- mailbox_list.c ---- */
/* In memory; false: it was so before. */
bool list_note_subscribed(
    struct account_store *account, struct text name, bool is_subscribed);
/* What was found in the folder is in the store now. */
void list_folder_adopted(struct account_store *account, struct folder *folder);

/* ---- mailbox.c ---- */
void view_message_added(struct folder *folder, uint32_t uid);
void view_flags_changed(
    struct folder *folder, uint32_t uid, const struct mailbox_view *origin);
void view_message_removed(struct folder *folder);
void view_keywords_changed(struct folder *folder);
void view_key_changed(struct folder *folder);
void view_folder_gone(struct folder *folder);
struct mailbox_view *view_new(struct account_store *account,
    struct folder *folder, bool is_read_only,
    const struct mailbox_view_handler *handler, void *context);
void view_notify_soon(struct mailbox_view *view);
void view_add_uid(uint32_t **uids, size_t *count, uint32_t uid);

/* ---- mailbox_sleep.c ---- */
/* A new view of what a client knew of a mailbox of the past. */
void view_recall_past(
    struct mailbox_view *view, const struct mailbox_memory *memory);
/* Something happened to it that its sessions are to be told; NULL: to names or
 * subscriptions. */
void sleepers_tell(
    struct account_store *account, struct folder *folder, enum happening what);

/* ---- mailbox_folders.c ---- */
/* Directories against the list of mailboxes, at start. */
void sync_folders(struct account_store *account);
void folders_free(struct account_store *account);

/* ---- foreign_flags.c ---- */
/* Takes over `rows`, with the flags that they shall have. */
void flags_take_over(struct account_store *account, const struct folder *folder,
    struct index_row *rows, size_t count);

/* ---- known_files.c ---- */
/* The keywords of the mailbox that have a letter in file names. */
uint64_t file_name_letters(const struct folder *folder);
struct maildir_name;
/* The name says the flags and keywords of the row. */
bool file_name_agrees(const struct folder *folder,
    const struct maildir_name *name, const struct index_row *row);
/* Of a folder that is loaded, which does not change as long as they live. */
struct known_files *known_files_new(
    struct account_store *account, const struct folder *folder);
void known_files_free(struct known_files **known);
/* A file of exactly that name belongs to the message at `position`, and nothing
 * is to be done about it. */
bool known_files_find(
    struct known_files *known, const char *name, bool is_new, size_t *position);

/* ---- mailbox_sync.c ---- */
/* Files of a folder against its rows. */
void sync_folder(struct account_store *account, struct folder *folder);
/* The same if its directories changed since the last look; at the files alone
 * that the watch tells of, if it knows all of them. */
void sync_folder_if_changed(
    struct account_store *account, struct folder *folder);
/* The same, but new files that may still be written wait for the next look:
 * where nobody waits. */
void sync_folder_patiently(
    struct account_store *account, struct folder *folder);
/* Something in it was not looked at yet. */
bool sync_is_unseen(
    const struct account_store *account, const struct folder *folder);
/* Around a change of our own. Begin: true if the folder held nothing unseen,
 * and whatever others do in it from now on will be noticed by name. End, if
 * so: the directory times are those of our change, not another's. */
bool sync_begin_change(struct account_store *account, struct folder *folder);
void sync_end_change(struct account_store *account, struct folder *folder);
/* At the end: nothing that was not seen counts as seen at the next start. */
void sync_settle(struct account_store *account);

/* ---- mailbox_arrive.c ---- */
/* The changes of a listing; a mailbox that is new here appears with its
 * messages. `done` comes when all of it is applied. */
void arrive_changes(struct account_store *account, struct text data,
    void (*done)(enum status status, void *context), void *context);
/* Those that follow a change of our own: a mailbox that others have filled
 * comes when the store says so. -1 if it is malformed. */
int arrive_own_changes(struct account_store *account, struct text data);

/* ---- mailbox_look.c ---- */
/* Appends mailbox (u64) and UID (u32) of each message whose file is not there;
 * STATUS_UNAVAILABLE if a directory cannot be read. */
enum status look_for_missing_files(
    struct account_store *account, struct buf *missing);

/* ---- heal_file.c ---- */
enum heal_result {
	HEAL_NEEDLESS, /* the file is there, or the message is gone */
	HEAL_WRITTEN,
	HEAL_FAILED
};
/* Those that come in one turn of the loop are one change of their folder. A
 * file that is there by now stays, if its size is right and it was not
 * compared. */
enum heal_result heal_file_write(struct account_store *account,
    const struct heal *heal, const struct store_body *body);
/* That change ends now: before anybody asks whether a folder was changed. */
void heal_file_settle(struct account_store *account);
void heal_file_free(struct account_store *account);

/* ---- mailbox_heal.c ---- */
void sync_heal(struct account_store *account, uint64_t mailbox, uint32_t uid,
    bool is_marked);
/* It waits for that, and the store was told that it is missing. */
bool heal_is_marked(
    const struct account_store *account, uint64_t mailbox, uint32_t uid);
/* It waits to be made again. */
bool heal_waits(
    const struct account_store *account, uint64_t mailbox, uint32_t uid);
/* The file is there, but its bytes may not be those of the store. */
void heal_compare(
    struct account_store *account, uint64_t mailbox, uint32_t uid);
/* The store is back, or a folder was looked at: what failed is tried
 * again. */
void heal_resume(struct account_store *account);
void heal_free(struct account_store *account);

/* ---- marks.c ---- */
/* Marks rows as missing, or no longer; takes over `uids` (one at least). */
void marks_send(struct account_store *account, enum change_cause cause,
    bool is_missing, uint64_t mailbox, uint32_t *uids, size_t count);
/* How many of those that are left go with the next batch: with the first one of
 * a loss enough for the store to see that it is one. */
size_t marks_step(size_t left, bool is_first_loss, size_t messages);

/* ---- mailbox_adopt.c, adopt_identity.c ---- */
struct found {
	char *name; /* of the file */
	bool is_new;
	uint32_t uid; /* wished for, from dovecot-uidlist; 0: the next one */
	struct delivery_id delivery;
};
/* Takes over `found` and its names. */
void adopt_files(struct account_store *account, struct folder *folder,
    struct found *found, size_t count);
/* The identity alone, of a mailbox without messages: if it was never used and
 * has a dovecot-uidlist that says another. */
void adopt_identity(struct account_store *account, struct folder *folder);
/* The delivery id that a file of this base name always gets. */
void adopt_delivery(const struct folder *folder, struct text base,
    struct delivery_id *delivery);

/* ---- change_flags.c ---- */
/* What other programs deleted dies as by an expunge. */
void change_let_go(struct account_store *account, struct folder *folder,
    const uint32_t *uids, size_t count);

/* ---- change_recall.c ---- */
struct turn; /* turns.h */
void recall_messages(struct turn *turn, struct folder *target);

/* ---- snapshot_mailbox.c ---- */
/* No view has it open any more. */
void snapshot_close_folder(
    struct account_store *account, struct folder *folder);

/* ---- import_subscriptions.c ---- */
/* What `firnmail import` left for the worker: names that the account is to be
 * subscribed to. */
void import_subscriptions(struct account_store *account);

/* ---- deliver.c ---- */
void deliver_start(struct account_store *account);
void deliver_free_all(struct account_store *account);

/* ---- cache_fill.c ---- */
/* The record of a message in `fd` (-1: in `data`); 0, or -1: none. `key` is for
 * parse_note.h. */
int cache_make(struct account_store *account, const struct hash *key, int fd,
    struct text data, uint64_t stored_size, struct buf *out);
/* The same into the index, if it is not there yet. */
void cache_fill(struct account_store *account, const struct hash *hash,
    const struct message_source *source, uint64_t stored_size);
/* Goes over all messages in the background. */
void cache_filler_start(struct account_store *account);
void cache_filler_free(struct account_store *account);

/* ---- message_prepare.c ---- */
/* Begins the file; if that fails it is written when the store has answered.
 * `prepared` is to be ended, whatever the store says. */
void message_prepare(struct account_store *account,
    const struct delivery_id *delivery, int64_t internaldate,
    const struct message_source *source, struct prepared *prepared);
/* Moves the file to where `file` says; false if there is none, or no such
 * directory. */
bool message_place(struct account_store *account, struct prepared *prepared,
    const struct folder *folder, const struct index_file *file);
/* Before anything is under way: removes what a killed worker had begun. Names
 * that are not of a delivery are other programs'. */
void message_prepare_clean(struct account_store *account);
/* Removes what was not placed. Zeroed ones may be ended too. */
void message_prepare_end(
    struct account_store *account, struct prepared *prepared);

/* ---- mailbox_watch.c ---- */
/* From now on every change of the folder's files is held against the index
 * (watcher_sees): false if it cannot be. */
bool watcher_add(struct account_store *account, struct folder *folder);
/* The same when nobody waits: the kernel walks over all names that it remembers
 * of the directory. Times are compared then, so that nothing is missed. */
void watcher_add_soon(struct account_store *account, struct folder *folder);
bool watcher_sees(struct account_store *account, const struct folder *folder);
/* Judges all that happened up to now: what was not our doing is noticed, or the
 * folder gets `needs_scan`. Not in the middle of a message that is changed. */
void watcher_read(struct account_store *account);
/* All that was there when the watch began was looked at. */
void watcher_trust(struct account_store *account, const struct folder *folder);
/* After watcher_read, with stamps of cur and new from before it, which are not
 * the noted ones if it has moved: true if there is nothing to be seen in it but
 * what was noticed. */
bool watcher_knows(struct account_store *account, struct folder *folder,
    const struct directory_stamp stamps[2], bool has_moved);
/* A name that has to be looked at; false if there is no room, or no watch. */
bool watcher_notice(struct account_store *account, const struct folder *folder,
    bool is_new, const char *name);
/* How many of them there are. */
size_t watcher_noticed(
    const struct account_store *account, const struct folder *folder);
void watcher_take(struct account_store *account, const struct folder *folder,
    struct noticed *taken);
/* Folders with `needs_scan` are looked at soon; or in half a minute, if there
 * is nothing to be gained by looking at once. */
void watcher_look_soon(struct account_store *account);
void watcher_look_later(struct account_store *account);
void watcher_remove(struct account_store *account, struct folder *folder);
void watcher_free(struct account_store *account);

#endif

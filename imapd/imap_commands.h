/*
 * One function for each IMAP command, each in a file of its own, and the
 * capabilities that the front and the worker announce.
 */
#ifndef IMAPD_IMAP_COMMANDS_H
#define IMAPD_IMAP_COMMANDS_H

#include "imapd/imap_command.h"

enum command_step cmd_append(struct imap_command *command);
enum command_step cmd_capability(struct imap_command *command);
enum command_step cmd_check(struct imap_command *command);
enum command_step cmd_close(struct imap_command *command);
enum command_step cmd_compress(struct imap_command *command);
enum command_step cmd_copy(struct imap_command *command);
enum command_step cmd_create(struct imap_command *command);
enum command_step cmd_delete(struct imap_command *command);
enum command_step cmd_enable(struct imap_command *command);
enum command_step cmd_examine(struct imap_command *command);
enum command_step cmd_expunge(struct imap_command *command);
enum command_step cmd_fetch(struct imap_command *command);
enum command_step cmd_genurlauth(struct imap_command *command);
enum command_step cmd_getquota(struct imap_command *command);
enum command_step cmd_getquotaroot(struct imap_command *command);
enum command_step cmd_id(struct imap_command *command);
enum command_step cmd_idle(struct imap_command *command);
enum command_step cmd_list(struct imap_command *command);
enum command_step cmd_logout(struct imap_command *command);
enum command_step cmd_lsub(struct imap_command *command);
enum command_step cmd_move(struct imap_command *command);
enum command_step cmd_namespace(struct imap_command *command);
enum command_step cmd_noop(struct imap_command *command);
enum command_step cmd_notify(struct imap_command *command);
enum command_step cmd_rename(struct imap_command *command);
enum command_step cmd_resetkey(struct imap_command *command);
enum command_step cmd_search(struct imap_command *command);
enum command_step cmd_select(struct imap_command *command);
enum command_step cmd_setquota(struct imap_command *command);
enum command_step cmd_sort(struct imap_command *command);
enum command_step cmd_status(struct imap_command *command);
enum command_step cmd_store(struct imap_command *command);
enum command_step cmd_subscribe(struct imap_command *command);
enum command_step cmd_thread(struct imap_command *command);
enum command_step cmd_uidbatches(struct imap_command *command);
enum command_step cmd_unselect(struct imap_command *command);
enum command_step cmd_unsubscribe(struct imap_command *command);
enum command_step cmd_urlfetch(struct imap_command *command);

#endif

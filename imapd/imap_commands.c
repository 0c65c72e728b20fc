/*
 * The commands of a session after login and what each needs (RFC 3501 6.3,
 * 6.4, and the extensions of imap_capability.h).  Names come from clients; what
 * is not in the table gets BAD.
 */
#include "imapd/imap_commands.h"

/* By name. */
static const struct command_rule rules[] = {
	{ "APPEND", cmd_append, COMMAND_MESSAGES },
	{ "CAPABILITY", cmd_capability, 0 },
	{ "CHECK", cmd_check, COMMAND_SELECTED },
	{ "CLOSE", cmd_close, COMMAND_SELECTED },
	{ "COMPRESS", cmd_compress, 0 },
	{ "COPY", cmd_copy, COMMAND_SELECTED | COMMAND_BY_NUMBER },
	{ "CREATE", cmd_create, 0 },
	{ "DELETE", cmd_delete, 0 },
	{ "ENABLE", cmd_enable, 0 },
	{ "EXAMINE", cmd_examine, 0 },
	{ "EXPUNGE", cmd_expunge,
	    COMMAND_SELECTED | COMMAND_UID | COMMAND_WRITES },
	{ "FETCH", cmd_fetch,
	    COMMAND_SELECTED | COMMAND_BY_NUMBER | COMMAND_NUMBERS },
	{ "GENURLAUTH", cmd_genurlauth, 0 },
	{ "GETQUOTA", cmd_getquota, 0 },
	{ "GETQUOTAROOT", cmd_getquotaroot, 0 },
	{ "ID", cmd_id, 0 },
	{ "IDLE", cmd_idle, 0 },
	{ "LIST", cmd_list, 0 },
	{ "LOGOUT", cmd_logout, 0 },
	{ "LSUB", cmd_lsub, 0 },
	{ "MOVE", cmd_move,
	    COMMAND_SELECTED | COMMAND_BY_NUMBER | COMMAND_WRITES },
	{ "NAMESPACE", cmd_namespace, 0 },
	{ "NOOP", cmd_noop, 0 },
	{ "NOTIFY", cmd_notify, 0 },
	{ "RENAME", cmd_rename, 0 },
	{ "REPLACE", cmd_append,
	    COMMAND_SELECTED | COMMAND_BY_NUMBER | COMMAND_WRITES |
		COMMAND_MESSAGES },
	{ "RESETKEY", cmd_resetkey, 0 },
	{ "SEARCH", cmd_search,
	    COMMAND_SELECTED | COMMAND_BY_NUMBER | COMMAND_NUMBERS },
	{ "SELECT", cmd_select, 0 },
	{ "SETQUOTA", cmd_setquota, 0 },
	{ "SORT", cmd_sort,
	    COMMAND_SELECTED | COMMAND_BY_NUMBER | COMMAND_NUMBERS },
	{ "STATUS", cmd_status, 0 },
	{ "STORE", cmd_store,
	    COMMAND_SELECTED | COMMAND_BY_NUMBER | COMMAND_WRITES |
		COMMAND_NUMBERS },
	{ "SUBSCRIBE", cmd_subscribe, 0 },
	{ "THREAD", cmd_thread,
	    COMMAND_SELECTED | COMMAND_BY_NUMBER | COMMAND_NUMBERS },
	{ "UIDBATCHES", cmd_uidbatches, COMMAND_SELECTED },
	{ "UNSELECT", cmd_unselect, COMMAND_SELECTED },
	{ "UNSUBSCRIBE", cmd_unsubscribe, 0 },
	{ "URLFETCH", cmd_urlfetch, 0 },
};

const struct command_rule *
command_find(struct text name, bool is_uid)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (!text_is_nocase(name, rules[i].name))
			continue;
		if (is_uid && (rules[i].flags & COMMAND_UID) == 0)
			return NULL;
		return &rules[i];
	}
	return NULL;
}

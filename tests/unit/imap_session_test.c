/*
 * Whole sessions over a socketpair against a false store: what a client sends
 * and exactly what it gets, once in one piece and once byte by byte.
 */
#include "common/memory.h"
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	LINE_SIZE = 2 * 1024 * 1024 - 1 /* and a CR */
};

#define CLOSED "* OK [CLOSED] Previous mailbox closed\r\n"
#define PAST_SELECTED                                                 \
	CLOSED                                                        \
	"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n" \
	"* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"              \
	"* 1 EXISTS\r\n* 0 RECENT\r\n"                                \
	"* OK [UNSEEN 1] First unseen\r\n"                            \
	"* OK [UIDVALIDITY 1002] UIDs valid\r\n"                      \
	"* OK [UIDNEXT 2] Predicted next UID\r\n"                     \
	"* OK [HIGHESTMODSEQ 2] Highest\r\n" PAST_ID                  \
	"a OK [READ-ONLY] Select completed\r\n"
#define NO_PERMISSION                                              \
	" NO [NOPERM] Snapshots do not change: copy messages out " \
	"of them\r\n"
static const struct transcript transcripts[] = {
	{ "noop_has_nothing_to_say", "a NOOP\r\n", "a OK NOOP completed\r\n",
	    STATUS_OK },
	{ "uids_that_are_there_are_taken_of_any_range",
	    "a UID FETCH 2:4294967295 UID\r\nb UID FETCH 3:9 UID\r\n"
	    "c UID FETCH 4294967295 UID\r\nd UID FETCH 1,2:8,30 UID\r\n"
	    "e UID FETCH 1:4294967294 UID\r\n",
	    "* 2 FETCH (UID 2)\r\na OK Fetch completed\r\n"
	    "b OK Fetch completed\r\nc OK Fetch completed\r\n"
	    "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"
	    "d OK Fetch completed\r\n"
	    "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"
	    "e OK Fetch completed\r\n",
	    STATUS_OK },
	{ "unknown_command_is_bad", "a FROB x\r\n", "a BAD Unknown command\r\n",
	    STATUS_OK },
	{ "missing_tag_is_bad", "\r\n+ x\r\n",
	    "* BAD Missing or malformed tag\r\n"
	    "* BAD Missing or malformed tag\r\n",
	    STATUS_OK },
	{ "fetch_of_flags_and_uids", "a FETCH 1:* (UID FLAGS)\r\n",
	    "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ())\r\n"
	    "a OK Fetch completed\r\n",
	    STATUS_OK },
	{ "fetch_fast_has_size_and_date", "a FETCH 2 FAST\r\n",
	    "* 2 FETCH (FLAGS () INTERNALDATE \"05-Jan-2026 10:00:00 +0000\" "
	    "RFC822.SIZE 76)\r\na OK Fetch completed\r\n",
	    STATUS_OK },
	{ "uid_fetch_beyond_the_end_is_the_last", "a UID FETCH 900:* FLAGS\r\n",
	    "* 2 FETCH (UID 2 FLAGS ())\r\na OK Fetch completed\r\n",
	    STATUS_OK },
	{ "number_beyond_the_mailbox_is_bad", "a FETCH 3 FLAGS\r\n",
	    "a BAD Message number beyond the mailbox\r\n", STATUS_OK },
	{ "body_peek_does_not_set_seen",
	    "a FETCH 1 BODY.PEEK[TEXT]\r\nb FETCH 1 FLAGS\r\n",
	    "* 1 FETCH (BODY[TEXT] {12}\r\nFirst body\r\n)\r\n"
	    "a OK Fetch completed\r\n"
	    "* 1 FETCH (FLAGS ())\r\nb OK Fetch completed\r\n",
	    STATUS_OK },
	{ "body_sets_seen_and_says_so", "a FETCH 1 BODY[TEXT]<6.4>\r\n",
	    "* 1 FETCH (FLAGS (\\Seen) BODY[TEXT]<6> {4}\r\nbody)\r\n"
	    "a OK Fetch completed\r\n",
	    STATUS_OK },
	{ "body_is_read_though_the_store_is_away", "a FETCH 1 BODY[TEXT]\r\n",
	    "* 1 FETCH (BODY[TEXT] {12}\r\nFirst body\r\n)\r\n"
	    "a OK Fetch completed\r\n",
	    STATUS_UNAVAILABLE },
	{ "header_fields_are_filtered",
	    "a FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT X-No)])\r\n",
	    "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT X-No)] {16}\r\n"
	    "Subject: One\r\n\r\n)\r\na OK Fetch completed\r\n",
	    STATUS_OK },
	{ "envelope_is_given", "a FETCH 2 ENVELOPE\r\n",
	    "* 2 FETCH (ENVELOPE (NIL \"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\" "
	    "((NIL NIL \"eve\" \"example.org\")) "
	    "((NIL NIL \"eve\" \"example.org\")) "
	    "((NIL NIL \"eve\" \"example.org\")) NIL NIL NIL NIL NIL))\r\n"
	    "a OK Fetch completed\r\n",
	    STATUS_OK },
	{ "missing_part_is_nil", "a FETCH 1 BODY.PEEK[7]\r\n",
	    "* 1 FETCH (BODY[7] NIL)\r\na OK Fetch completed\r\n", STATUS_OK },
	{ "store_tells_the_flags", "a STORE 1 +FLAGS (\\Deleted)\r\n",
	    "* 1 FETCH (FLAGS (\\Deleted))\r\na OK Store completed\r\n",
	    STATUS_OK },
	{ "store_silent_is_silent", "a STORE 1:2 FLAGS.SILENT (\\Seen)\r\n",
	    "a OK Store completed\r\n", STATUS_OK },
	{ "recent_is_not_the_clients_to_set", "a STORE 1 FLAGS (\\Recent)\r\n",
	    "a BAD Unknown system flag\r\n", STATUS_OK },
	{ "store_refused_is_no", "a STORE 1 +FLAGS (\\Seen)\r\n",
	    "a NO [UNAVAILABLE] Mail store is not available, try again\r\n",
	    STATUS_UNAVAILABLE },
	{ "unchangedsince_names_what_was_modified",
	    "a STORE 1:2 (UNCHANGEDSINCE 2) +FLAGS.SILENT (\\Seen)\r\n",
	    "* OK [HIGHESTMODSEQ 3] Highest\r\n"
	    "* 1 FETCH (UID 1 MODSEQ (4))\r\n"
	    "a OK [MODIFIED 2] Conditional store failed for some\r\n",
	    STATUS_OK },
	{ "changedsince_leaves_out_what_is_old",
	    "a FETCH 1:* (FLAGS) (CHANGEDSINCE 2)\r\n",
	    "* OK [HIGHESTMODSEQ 3] Highest\r\n"
	    "* 2 FETCH (FLAGS () MODSEQ (3))\r\na OK Fetch completed\r\n",
	    STATUS_OK },
	{ "new_keywords_are_announced_before_they_are_used",
	    "a STORE 2 FLAGS ($Label1)\r\n",
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label1)"
	    "\r\n* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen "
	    "\\Draft $Label1 \\*)] Flags permitted\r\n"
	    "* 2 FETCH (FLAGS ($Label1))\r\n"
	    "a OK Store completed\r\n",
	    STATUS_OK },
	{ "expunge_counts_down",
	    "a STORE 1:2 +FLAGS.SILENT \\Deleted\r\nb EXPUNGE\r\n",
	    "a OK Store completed\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"
	    "b OK Expunge completed\r\n",
	    STATUS_OK },
	{ "uid_expunge_takes_only_its_set",
	    "a STORE 1:2 +FLAGS.SILENT \\Deleted\r\nb UID EXPUNGE 2\r\n",
	    "a OK Store completed\r\n* 2 EXPUNGE\r\n"
	    "b OK Expunge completed\r\n",
	    STATUS_OK },
	{ "copy_pairs_uids", "a CREATE x\r\nb UID COPY 1:2 x\r\n",
	    "a" CREATED "b OK [COPYUID 1002 1:2 1:2] Copy completed\r\n",
	    STATUS_OK },
	{ "copy_to_nowhere_is_trycreate", "a COPY 1 nowhere\r\n",
	    "a NO [TRYCREATE] No such mailbox\r\n", STATUS_OK },
	{ "move_says_copyuid_then_expunge", "a CREATE x\r\nb MOVE 1 x\r\n",
	    "a" CREATED "* OK [COPYUID 1002 1 1] Moved\r\n"
	    "* 1 EXPUNGE\r\nb OK Move completed\r\n",
	    STATUS_OK },
	{ "append_gets_its_uid",
	    "a APPEND INBOX (\\Seen) \" 5-Jan-2026 10:00:00 +0000\" {5+}\r\n"
	    "hello\r\n",
	    "* 3 EXISTS\r\na OK [APPENDUID 1001 3] Append completed\r\n",
	    STATUS_OK },
	{ "synchronising_append_gets_a_plus", "a APPEND INBOX {5}\r\nhello\r\n",
	    "+ OK\r\n* 3 EXISTS\r\n"
	    "a OK [APPENDUID 1001 3] Append completed\r\n",
	    STATUS_OK },
	{ "mailbox_and_message_as_literals",
	    "a APPEND {5+}\r\nINBOX {2+}\r\nhi\r\n",
	    "* 3 EXISTS\r\na OK [APPENDUID 1001 3] Append completed\r\n",
	    STATUS_OK },
	{ "append_to_nowhere_keeps_in_step",
	    "a APPEND nowhere {6+}\r\nz NOOP\r\nb NOOP\r\n",
	    "a NO [TRYCREATE] No such mailbox\r\nb OK NOOP completed\r\n",
	    STATUS_OK },
	{ "append_that_the_store_refuses_is_no",
	    "a APPEND INBOX {2+}\r\nhi\r\n",
	    "a NO [UNAVAILABLE] Mail store is not available, try again\r\n",
	    STATUS_UNAVAILABLE },
	{ "literal_of_an_unknown_command_is_skipped",
	    "a FROB {6+}\r\nx NOOP\r\nb NOOP\r\n",
	    "a BAD Unknown command\r\nb OK NOOP completed\r\n", STATUS_OK },
	{ "search_by_flag_and_size", "a SEARCH UNSEEN LARGER 100\r\n",
	    "* SEARCH 1\r\na OK Search completed\r\n", STATUS_OK },
	{ "search_of_encoded_subject",
	    "a UID SEARCH CHARSET UTF-8 SUBJECT "
	    "{7+}\r\nGR\303\234\303\237e\r\n",
	    "* SEARCH 2\r\na OK Search completed\r\n", STATUS_OK },
	{ "search_of_body_and_sent_date",
	    "a SEARCH OR BODY second SENTON 5-Jan-2026\r\n",
	    "* SEARCH 1 2\r\na OK Search completed\r\n", STATUS_OK },
	{ "search_not_from", "a SEARCH NOT FROM ann\r\n",
	    "* SEARCH 2\r\na OK Search completed\r\n", STATUS_OK },
	{ "search_return_all", "a UID SEARCH RETURN (ALL COUNT) ALL\r\n",
	    "* ESEARCH (TAG \"a\") UID COUNT 2 ALL 1:2\r\n"
	    "a OK Search completed\r\n",
	    STATUS_OK },
	{ "what_a_search_saves_is_a_set",
	    "a SEARCH RETURN (SAVE) FROM ann\r\nb FETCH $ UID\r\n"
	    "c SEARCH NOT $\r\nd UID SEARCH UID $\r\n"
	    "e SEARCH RETURN (SAVE MAX) ALL\r\nf UID FETCH $ FLAGS\r\n"
	    "g SEARCH RETURN (SAVE MIN COUNT) ALL\r\n"
	    "h STORE $ +FLAGS.SILENT (\\Seen)\r\n"
	    "i SEARCH RETURN (SAVE COUNT) SEEN\r\n"
	    "j SEARCH RETURN (SAVE MIN MAX) 1\r\nk UID FETCH $ UID\r\n",
	    "a OK Search completed\r\n"
	    "* 1 FETCH (UID 1)\r\nb OK Fetch completed\r\n"
	    "* SEARCH 2\r\nc OK Search completed\r\n"
	    "* SEARCH 1\r\nd OK Search completed\r\n"
	    "* ESEARCH (TAG \"e\") MAX 2\r\ne OK Search completed\r\n"
	    "* 2 FETCH (UID 2 FLAGS ())\r\nf OK Fetch completed\r\n"
	    "* ESEARCH (TAG \"g\") MIN 1 COUNT 2\r\n"
	    "g OK Search completed\r\nh OK Store completed\r\n"
	    "* ESEARCH (TAG \"i\") COUNT 2\r\ni OK Search completed\r\n"
	    "* ESEARCH (TAG \"j\") MIN 1 MAX 1\r\n"
	    "j OK Search completed\r\n"
	    "* 1 FETCH (UID 1)\r\nk OK Fetch completed\r\n",
	    STATUS_OK },
	{ "what_was_saved_is_forgotten_with_what_it_was_saved_of",
	    "a FETCH $ UID\r\nb SEARCH RETURN (SAVE) 1\r\n"
	    "c SEARCH RETURN (SAVE) CHARSET KLINGON ALL\r\n"
	    "d FETCH $ UID\r\ne SEARCH RETURN (SAVE) ALL\r\n"
	    "f SEARCH RETURN (SAVE) BOGUS\r\n"
	    "g STORE 1 +FLAGS.SILENT (\\Deleted)\r\nh EXPUNGE\r\n"
	    "i FETCH $ UID\r\nj FETCH $,1 UID\r\n",
	    "a OK Fetch completed\r\nb OK Search completed\r\n"
	    "c" BADCHARSET "d OK Fetch completed\r\ne OK Search completed\r\n"
	    "f BAD Unknown search key\r\ng OK Store completed\r\n"
	    "* 1 EXPUNGE\r\nh OK Expunge completed\r\n"
	    "* 1 FETCH (UID 2)\r\ni OK Fetch completed\r\n"
	    "j BAD Space expected\r\n",
	    STATUS_OK },
	{ "search_modseq", "a SEARCH MODSEQ \"/flags/\\\\seen\" all 3\r\n",
	    "* OK [HIGHESTMODSEQ 3] Highest\r\n* SEARCH 2 (MODSEQ 3)\r\n"
	    "a OK Search completed\r\n",
	    STATUS_OK },
	{ "sort_by_subject_and_size_both_ways",
	    "a SORT (SUBJECT) UTF-8 ALL\r\nb UID SORT (REVERSE SIZE) "
	    "US-ASCII 1:2\r\nc SORT (REVERSE SUBJECT) UTF-8 UNSEEN FROM ann"
	    "\r\nd SORT (FROM DATE) UTF-8 SEEN\r\n",
	    "* SORT 2 1\r\na OK Sort completed\r\n"
	    "* SORT 1 2\r\nb OK Sort completed\r\n"
	    "* SORT 1\r\nc OK Sort completed\r\n"
	    "* SORT\r\nd OK Sort completed\r\n",
	    STATUS_OK },
	{ "sort_by_modseq_tells_the_highest",
	    "a SORT (REVERSE ARRIVAL) UTF-8 MODSEQ 2\r\n",
	    "* OK [HIGHESTMODSEQ 3] Highest\r\n* SORT 1 2 (MODSEQ 3)\r\n"
	    "a OK Sort completed\r\n",
	    STATUS_OK },
	{ "sort_that_is_malformed_is_bad",
	    "a SORT () UTF-8 ALL\r\nb SORT (SIZE) ALL\r\n"
	    "c SORT (SIZE REVERSE) UTF-8 ALL\r\nd SORT (SIZE) KLINGON ALL\r\n"
	    "e SORT (SIZE SIZE SIZE SIZE SIZE SIZE SIZE SIZE SIZE SIZE SIZE "
	    "SIZE SIZE SIZE SIZE SIZE SIZE) UTF-8 ALL\r\n",
	    "a BAD Atom expected\r\nb BAD Missing argument\r\n"
	    "c BAD Space expected\r\n"
	    "d" BADCHARSET "e BAD Too many criteria\r\n",
	    STATUS_OK },
	{ "the_past_is_sorted_too",
	    "a SELECT \"Snapshots/Deleted mail\"\r\n"
	    "b UID SORT (SUBJECT DATE) UTF-8 ALL\r\n",
	    PAST_SELECTED "* SORT 1\r\nb OK Sort completed\r\n", STATUS_OK },
	{ "unknown_charset_is_named", "a SEARCH CHARSET KLINGON ALL\r\n",
	    "a" BADCHARSET, STATUS_OK },
	{ "list_shows_children_and_special_use",
	    "a CREATE a/b\r\nb CREATE Sent (USE (\\Sent))\r\n"
	    "c LIST \"\" %\r\n",
	    "a" CREATED
	    "b OK [MAILBOXID (F0000000000000003)] Create completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
	    "* LIST (\\Noselect \\HasChildren) \"/\" a\r\n"
	    "c OK List completed\r\n",
	    STATUS_OK },
	{ "list_returns_status", "a LIST \"\" * RETURN (STATUS (MESSAGES))\r\n",
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* STATUS INBOX (MESSAGES 2)\r\na OK List completed\r\n",
	    STATUS_OK },
	{ "names_are_modified_utf7",
	    "a CREATE \"Entw&APw-rfe\"\r\nb LIST \"\" \"Entw*\"\r\n",
	    "a" CREATED "* LIST (\\HasNoChildren) \"/\" \"Entw&APw-rfe\"\r\n"
	    "b OK List completed\r\n",
	    STATUS_OK },
	{ "malformed_name_is_bad", "a CREATE \"x&AG\"\r\n",
	    "a BAD Malformed or too long mailbox name\r\n", STATUS_OK },
	{ "subscriptions_are_listed",
	    "a SUBSCRIBE old/one\r\nb LSUB \"\" %\r\nc LIST (SUBSCRIBED) \"\" "
	    "*\r\n",
	    "a OK Subscription changed\r\n"
	    "* LSUB (\\Noselect) \"/\" old\r\nb OK Lsub completed\r\n"
	    "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" "
	    "old/one\r\nc OK List completed\r\n",
	    STATUS_OK },
	{ "status_of_another_mailbox",
	    "a STATUS inbox (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)\r\n",
	    "* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1001 UNSEEN 2)"
	    "\r\na OK Status completed\r\n",
	    STATUS_OK },
	{ "existing_name_is_alreadyexists", "a CREATE INBOX\r\n",
	    "a NO [ALREADYEXISTS] Mailbox exists\r\n", STATUS_OK },
	{ "missing_name_is_nonexistent", "a DELETE x\r\n",
	    "a NO [NONEXISTENT] No such mailbox\r\n", STATUS_OK },
	{ "a_level_above_others_is_no_mailbox_to_delete",
	    "a CREATE x/y\r\nb CREATE x-z\r\nc DELETE x\r\nd DELETE x/y\r\n"
	    "e DELETE x\r\n",
	    "a" CREATED "b OK [MAILBOXID (F0000000000000003)] Create "
	    "completed\r\n"
	    "c NO [HASCHILDREN] Only mailboxes below it are left\r\n"
	    "d OK Delete completed\r\ne NO [NONEXISTENT] No such mailbox\r\n",
	    STATUS_OK },
	{ "a_separator_at_the_end_says_nothing",
	    "a CREATE x/\r\nb RENAME x y/\r\nc STATUS y (MESSAGES)\r\n",
	    "a" CREATED "b OK Rename completed\r\n"
	    "* STATUS y (MESSAGES 0)\r\nc OK Status completed\r\n",
	    STATUS_OK },
	{ "what_is_said_back_has_literals_as_a_server_has_them",
	    "a FETCH 1 BODY.PEEK[HEADER.FIELDS ({7+}\r\nSubject \"{1+}\")]\r\n"
	    "b FETCH 1 BODY.PEEK[HEADER.FIELDS ({3}\r\n{1+ X)]\r\n",
	    "* 1 FETCH (BODY[HEADER.FIELDS ({7}\r\nSubject \"{1+}\")] {16}\r\n"
	    "Subject: One\r\n\r\n)\r\na OK Fetch completed\r\n"
	    "+ OK\r\n* 1 FETCH (BODY[HEADER.FIELDS ({3}\r\n{1+ X)] {2}\r\n"
	    "\r\n)\r\nb OK Fetch completed\r\n",
	    STATUS_OK },
	{ "inbox_cannot_be_deleted", "a DELETE INBOX\r\n",
	    "a NO [CANNOT] INBOX stays\r\n", STATUS_OK },
	{ "unselect_leaves_nothing_selected",
	    "a UNSELECT\r\nb STORE 1 FLAGS ()\r\n",
	    "a OK Unselect completed\r\nb BAD No mailbox selected\r\n",
	    STATUS_OK },
	{ "malformed_examine_keeps_what_is_selected",
	    "a EXAMINE INBOX (X)\r\nb NOOP\r\nc FETCH 1 BODY[1]<0.3>\r\n",
	    "a BAD Unknown parameter\r\nb OK NOOP completed\r\n"
	    "* 1 FETCH (FLAGS (\\Seen) BODY[1]<0> {3}\r\nFir)\r\n"
	    "c OK Fetch completed\r\n",
	    STATUS_OK },
	{ "close_expunges_without_a_word",
	    "a STORE 1 +FLAGS.SILENT \\Deleted\r\nb CLOSE\r\n"
	    "c STATUS INBOX (MESSAGES)\r\n",
	    "a OK Store completed\r\nb OK Close completed\r\n"
	    "* STATUS INBOX (MESSAGES 1)\r\nc OK Status completed\r\n",
	    STATUS_OK },
	{ "idle_ends_with_done", "a IDLE\r\nDONE\r\nb NOOP\r\n",
	    "+ idling\r\na OK Idle completed\r\nb OK NOOP completed\r\n",
	    STATUS_OK },
	{ "idle_does_not_take_commands", "a IDLE\r\nb NOOP\r\n",
	    "+ idling\r\na BAD Expected DONE\r\n", STATUS_OK },
	{ "enable_and_id_and_namespace",
	    "a ENABLE CONDSTORE X\r\nb ID (\"name\" \"x\" \"v\" NIL)\r\n"
	    "c NAMESPACE\r\n",
	    "* ENABLED CONDSTORE\r\n* OK [HIGHESTMODSEQ 3] Highest\r\n"
	    "a OK Enabled\r\n* ID (\"name\" \"Firnmail\")\r\n"
	    "b OK ID completed\r\n* NAMESPACE ((\"\" \"/\")) NIL "
	    "((\"Snapshots/\" \"/\"))\r\n"
	    "c OK Namespace completed\r\n",
	    STATUS_OK },
	{ "list_of_everything_leaves_the_past_out",
	    "a LIST \"\" *\r\nb LIST \"\" %\r\nc LIST \"\" S*\r\n",
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\na OK List completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\nb OK List completed\r\n"
	    "c OK List completed\r\n",
	    STATUS_OK },
	{ "the_past_is_listed_level_by_level",
	    "a LIST \"\" Snapshots\r\nb LIST \"\" Snapshots/%\r\n"
	    "c LIST Snapshots/ \"2026-01-05 10:00:00 UTC/%\"\r\n",
	    "* LIST (\\Noselect \\HasChildren) \"/\" Snapshots\r\n"
	    "a OK List completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"Snapshots/Deleted mail\"\r\n"
	    "* LIST (\\Noselect \\HasChildren) \"/\" "
	    "\"Snapshots/2026-01-05 10:00:00 UTC\"\r\n"
	    "b OK List completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" "
	    "\"Snapshots/2026-01-05 10:00:00 UTC/INBOX\"\r\n"
	    "* LIST (\\Noselect \\HasChildren) \"/\" "
	    "\"Snapshots/2026-01-05 10:00:00 UTC/Work\"\r\n"
	    "c OK List completed\r\n",
	    STATUS_OK },
	{ "all_of_the_past_is_listed_if_asked_for",
	    "a LIST \"\" (* Snapshots/*/*)\r\n",
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LIST (\\HasNoChildren) \"/\" "
	    "\"Snapshots/2026-01-05 10:00:00 UTC/INBOX\"\r\n"
	    "* LIST (\\Noselect \\HasChildren) \"/\" "
	    "\"Snapshots/2026-01-05 10:00:00 UTC/Work\"\r\n"
	    "* LIST (\\HasNoChildren) \"/\" "
	    "\"Snapshots/2026-01-05 10:00:00 UTC/Work/old\"\r\n"
	    "a OK List completed\r\n",
	    STATUS_OK },
	{ "the_past_cannot_be_listed_while_the_store_is_away",
	    "a LIST \"\" Snapshots/%\r\nb SELECT \"Snapshots/Deleted "
	    "mail\"\r\n",
	    "* LIST (\\HasNoChildren) \"/\" \"Snapshots/Deleted mail\"\r\n"
	    "a NO [UNAVAILABLE] Mail store is not available, try "
	    "again\r\n" CLOSED
	    "b NO [UNAVAILABLE] Mail store is not available, try again\r\n",
	    STATUS_UNAVAILABLE },
	{ "the_past_is_read_only_and_fetch_sets_no_flag",
	    "a SELECT \"Snapshots/Deleted mail\"\r\nb FETCH 1 (FLAGS "
	    "BODY[TEXT])"
	    "\r\nc STORE 1 +FLAGS \\Seen\r\nd UID MOVE 1 INBOX\r\n"
	    "e UID EXPUNGE 1\r\nf EXPUNGE\r\ng CLOSE\r\n",
	    PAST_SELECTED
	    "* 1 FETCH (FLAGS (\\Answered) BODY[TEXT] {6}\r\nGone\r\n)\r\n"
	    "b OK Fetch completed\r\n"
	    "c NO [NOPERM] Mailbox is open read-only\r\n"
	    "d NO [NOPERM] Mailbox is open read-only\r\n"
	    "e NO [NOPERM] Mailbox is open read-only\r\n"
	    "f NO [NOPERM] Mailbox is open read-only\r\n"
	    "g OK Close completed\r\n",
	    STATUS_OK },
	{ "copying_what_is_gone_does_not_ask_for_a_mailbox",
	    "a COPY 1 INBOX\r\nb MOVE 1 nowhere\r\n",
	    "a NO [EXPUNGEISSUED] Some of the messages are gone\r\n"
	    "b NO [TRYCREATE] No such mailbox\r\n",
	    STATUS_MISSING },
	{ "copying_out_of_the_past_pairs_uids",
	    "a SELECT \"Snapshots/Deleted mail\"\r\nb UID COPY 1 INBOX\r\n",
	    PAST_SELECTED "b OK [COPYUID 1001 1 3] Copy completed\r\n",
	    STATUS_OK },
	{ "nothing_is_put_into_the_past",
	    "a CREATE Snapshots/x\r\nb DELETE \"Snapshots/Deleted mail\"\r\n"
	    "c RENAME INBOX Snapshots\r\nd RENAME Snapshots/x y\r\n"
	    "e COPY 1 Snapshots/x\r\nf MOVE 1 \"Snapshots/Deleted mail\"\r\n"
	    "g APPEND \"Snapshots/Deleted mail\" {3+}\r\nabc\r\n",
	    "a" NO_PERMISSION "b" NO_PERMISSION "c" NO_PERMISSION
	    "d" NO_PERMISSION "e" NO_PERMISSION "f" NO_PERMISSION
	    "g" NO_PERMISSION,
	    STATUS_OK },
	{ "status_of_the_past_counts_and_what_is_missing_is_missing",
	    "a STATUS \"Snapshots/Deleted mail\" (MESSAGES UNSEEN UIDNEXT "
	    "UIDVALIDITY)\r\nb STATUS Snapshots (MESSAGES)\r\n"
	    "c EXAMINE Snapshots/never/INBOX\r\n",
	    "* STATUS \"Snapshots/Deleted mail\" (MESSAGES 1 UIDNEXT 2 "
	    "UIDVALIDITY 1002 UNSEEN 1)\r\na OK Status completed\r\n"
	    "b NO [NONEXISTENT] No such mailbox\r\n" CLOSED
	    "c NO [NONEXISTENT] No such mailbox\r\n",
	    STATUS_OK },
	{ "a_subscribed_name_of_the_past_is_shown_with_the_others",
	    "a SUBSCRIBE \"Snapshots/Deleted mail\"\r\nb LSUB \"\" *\r\n"
	    "c LIST (SUBSCRIBED) \"\" *\r\n",
	    "a OK Subscription changed\r\n"
	    "* LSUB () \"/\" \"Snapshots/Deleted mail\"\r\n"
	    "b OK Lsub completed\r\n"
	    "* LIST (\\HasNoChildren \\Subscribed) \"/\" "
	    "\"Snapshots/Deleted mail\"\r\nc OK List completed\r\n",
	    STATUS_OK },
};

static void
sessions_answer_as_written(void **state)
{
	assert_int_equal(check_transcripts(transcripts,
			     sizeof(transcripts) / sizeof(*transcripts)),
	    0);
}

static void
too_long_line_is_bad_and_the_next_command_is_found(void **state)
{
	static struct conversation run;
	char *script = memory_new(1, 2 * LINE_SIZE + 100);

	strcpy(script, "a NOOP ");
	memset(script + 7, ' ', LINE_SIZE - 7);
	strcpy(script + LINE_SIZE, "\r\nb NOOP ");
	memset(script + LINE_SIZE + 9, ' ', LINE_SIZE - 6);
	strcpy(script + 2 * LINE_SIZE + 3, "\r\nc NOOP\r\nz LOGOUT\r\n");
	converse(&run, script, SIZE_MAX, STATUS_OK);
	assert_string_equal(run.got, "a OK NOOP completed\r\n"
				     "b BAD Command line is too long\r\n"
				     "c OK NOOP completed\r\n" GOODBYE);
	free(script);
}

/* "a UID FETCH 1,3,5...": so many ranges, none of which joins another. */
static char *
fetch_of_ranges(size_t ranges)
{
	char *script = memory_new(1, ranges * 8 + 100), *at = script;

	at += sprintf(at, "s SELECT INBOX\r\na UID FETCH 1");
	for (size_t i = 1; i < ranges; i++)
		at += sprintf(at, ",%zu", 2 * i + 1);
	sprintf(at, " FLAGS\r\nb NOOP\r\nz LOGOUT\r\n");
	return script;
}

static void
a_set_has_a_hundred_thousand_ranges_and_no_more(void **state)
{
	static const struct {
		size_t ranges;
		const char *answer;
	} cases[] = {
		{ 100000, SELECTED "* 1 FETCH (UID 1 FLAGS ())\r\n"
				   "a OK Fetch completed\r\n"
				   "b OK NOOP completed\r\n" GOODBYE },
		{ 100001, SELECTED "a BAD Message set is too long\r\n"
				   "b OK NOOP completed\r\n" GOODBYE },
	};
	static struct conversation run;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *script = fetch_of_ranges(cases[i].ranges);

		converse(&run, script, SIZE_MAX, STATUS_OK);
		assert_string_equal(run.got, cases[i].answer);
		free(script);
	}
}

static void
twenty_bad_commands_end_the_session(void **state)
{
	static struct conversation run;
	char script[1000] = "";
	int i;

	for (i = 0; i < 30; i++)
		strcat(script, "a X\r\n");
	converse(&run, script, SIZE_MAX, STATUS_OK);
	assert_non_null(strstr(run.got, "* BYE Too many invalid commands\r\n"));
}

static void
a_fenced_account_is_explained_and_not_shown(void **state)
{
	static struct conversation run;

	converse(&run, "a SELECT INBOX\r\n", SIZE_MAX, STATUS_FENCED);
	assert_non_null(strstr(run.got, "* NO [ALERT] Your mail is kept, "));
	assert_non_null(strstr(run.got, "\r\n* BYE [UNAVAILABLE] "));
	assert_null(strstr(run.got, "EXISTS"));
}

/* For the store's log: what asked for each change, who and from where. */
static void
changes_are_noted_as_their_command_by_user_and_address(void **state)
{
	static const struct {
		const char *commands;
		enum change_cause cause;
	} cases[] = {
		{ "a STORE 1 +FLAGS (\\Deleted)\r\n", CAUSE_STORE },
		{ "a FETCH 1 BODY[TEXT]\r\n", CAUSE_FETCH },
		{ "a STORE 1 +FLAGS (\\Deleted)\r\nb EXPUNGE\r\n",
		    CAUSE_EXPUNGE },
		{ "a UID STORE 1 +FLAGS (\\Deleted)\r\n"
		  "b UID EXPUNGE 1\r\n",
		    CAUSE_EXPUNGE },
		{ "a STORE 1 +FLAGS (\\Deleted)\r\nb CLOSE\r\n", CAUSE_CLOSE },
		{ "a CREATE A\r\n", CAUSE_CREATE },
		{ "a CREATE A\r\nb copy 1 A\r\n", CAUSE_COPY },
		{ "a CREATE A\r\nb MOVE 1 A\r\n", CAUSE_MOVE },
		{ "a CREATE A\r\nb RENAME A B\r\n", CAUSE_RENAME },
		{ "a CREATE A\r\nb DELETE A\r\n", CAUSE_DELETE },
		{ "a SUBSCRIBE A\r\n", CAUSE_SUBSCRIBE },
		{ "a UNSUBSCRIBE A\r\n", CAUSE_UNSUBSCRIBE },
		{ "a APPEND INBOX {5+}\r\nA: b\n\r\n", CAUSE_APPEND },
	};
	static struct conversation run;
	char script[400];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(script, sizeof(script),
		    "s SELECT INBOX\r\n%sz LOGOUT\r\n", cases[i].commands);
		converse(&run, script, i % 2 == 0 ? SIZE_MAX : 1, STATUS_OK);
		assert_string_equal(change_cause_name(run.noted.cause),
		    change_cause_name(cases[i].cause));
		assert_string_equal(run.noted.user, "ann@example.org");
		assert_string_equal(run.noted.address, "127.0.0.1");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_answer_as_written),
		cmocka_unit_test(
		    too_long_line_is_bad_and_the_next_command_is_found),
		cmocka_unit_test(
		    a_set_has_a_hundred_thousand_ranges_and_no_more),
		cmocka_unit_test(twenty_bad_commands_end_the_session),
		cmocka_unit_test(
		    changes_are_noted_as_their_command_by_user_and_address),
		cmocka_unit_test(a_fenced_account_is_explained_and_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

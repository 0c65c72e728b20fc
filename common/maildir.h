/*
 * The names of a Maildir++ as every tool reads them, and Dovecot's two control
 * files: dovecot-uidlist (version 3) and dovecot-keywords.  Pure: bytes in,
 * bytes out.
 *
 * A mailbox "A/B.c" lives in the folder ".A.B\2ec": levels are joined by dots,
 * in modified UTF-7, with '.' and '\' escaped as Dovecot's listescape does.
 * INBOX is the Maildir itself. A message file is
 * BASE,S=size,W=wire-size:2,FLAGS with flags DFRST and the letters a to z for
 * the keywords 0 to 25; in new/ it may lack the last part.
 */
#ifndef COMMON_MAILDIR_H
#define COMMON_MAILDIR_H

#include "common/buf.h"
#include "common/record.h"

enum {
	MAILDIR_MAX_NAME = 255, /* of a file or folder */
	MAILDIR_MAX_KEYWORDS = 26
};

/* Appends the folder's name ("" for INBOX) to `to`; -1 if it would be too
 * long or the mailbox name is not UTF-8. */
int maildir_folder_format(struct text mailbox, struct buf *to);
/* Appends the mailbox name of a folder; -1 if it is none of ours. */
int maildir_folder_parse(struct text folder, struct buf *to);

struct maildir_name {
	struct text base;
	bool has_size;
	uint64_t size;
	bool has_wire_size;
	uint64_t wire_size;
	bool has_flags;    /* there is a ":2," */
	uint32_t flags;    /* FLAG_ bits */
	uint64_t keywords; /* bits 0 to 25 */
	struct text whole; /* before the ':' */
};

/* -1 for names that no message may have: empty base, leading dot, control
 * bytes, too long. Unknown flags and fields are passed over. */
int maildir_name_parse(struct text file, struct maildir_name *name);

/* The file name for `whole` (base and fields, without ':') and flags; -1 if
 * too long. No flag part if `is_new`. */
int maildir_name_format(struct text whole, bool is_new, uint32_t flags,
    uint64_t keywords, struct buf *to);

/* ---- dovecot-uidlist ---- */

struct uidlist_header {
	uint32_t uidvalidity;
	uint32_t uidnext;
};
struct uidlist_entry {
	uint32_t uid;
	struct text whole; /* the file's name before ':' */
};

/* Takes the first line off `rest`. -1 unless it is a version 3 header. */
int uidlist_parse_header(struct text *rest, struct uidlist_header *header);
/* The next entry: 1, 0 at the end, -1 malformed (or UIDs do not rise: pass the
 * UID before, 0 at first). */
int uidlist_parse_entry(
    struct text *rest, uint32_t after, struct uidlist_entry *entry);
int uidlist_format_header(const struct uidlist_header *header, struct buf *to);
int uidlist_format_entry(const struct uidlist_entry *entry, struct buf *to);

/* ---- dovecot-keywords: "number name" lines ---- */

int keywords_parse_line(struct text *rest, unsigned int *number,
    struct text *name); /* as uidlist_parse_entry */
int keywords_format_line(unsigned int number, struct text name, struct buf *to);

#endif

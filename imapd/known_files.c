/*
 * The files of a folder by name, as the index has them, for a look at the whole
 * folder: which of them need none, since nothing about them has changed.  The
 * index is read once, in the order of UIDs; the directory comes in the order of
 * the file system, and to ask the index for each of its entries is what takes
 * most of a look.
 *
 * Names stand there by their SipHash alone, under a key of this look: one that
 * is taken for another (1 in 2^64 for each pair) is not in the next one.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct slot {
	uint64_t hash;
	uint32_t row; /* its position and one; 0: free */
	bool is_new;
	bool is_double; /* two have this name */
};

struct known_files {
	const struct folder *folder;
	uint8_t key[16];
	size_t mask;
	struct slot slots[];
};

uint64_t
file_name_letters(const struct folder *folder)
{
	size_t count = folder->info.keyword_count;

	if (count > MAILDIR_MAX_KEYWORDS)
		count = MAILDIR_MAX_KEYWORDS;
	return ((uint64_t)1 << count) - 1;
}

bool
file_name_agrees(const struct folder *folder, const struct maildir_name *name,
    const struct index_row *row)
{
	uint64_t letters = file_name_letters(folder);

	return name->flags == (row->flags & FLAG_ALL) &&
	       (name->keywords & letters) == (row->keywords & letters);
}

/* Where the name stands, or the free slot where it would. */
static struct slot *
find_slot(struct known_files *known, uint64_t hash)
{
	size_t at = hash & known->mask;

	while (known->slots[at].row != 0 && known->slots[at].hash != hash)
		at = (at + 1) & known->mask;
	return &known->slots[at];
}

static void
add(uint32_t uid, const struct index_file *file, void *context)
{
	struct known_files *known = context;
	const struct folder *folder = known->folder;
	struct maildir_name name;
	struct index_row row;
	struct slot *slot;
	uint64_t hash;
	size_t at;

	if (!folder_position_of(folder, uid, &at) || file->has_new_flags ||
	    file->is_being_named ||
	    maildir_name_parse(file->name, &name) == -1 ||
	    !folder_row(folder, uid, &row) ||
	    !file_name_agrees(folder, &name, &row))
		return;
	hash = table_siphash(known->key, file->name.data, file->name.size);
	slot = find_slot(known, hash);
	slot->is_double = slot->row != 0;
	slot->hash = hash;
	slot->row = (uint32_t)at + 1;
	slot->is_new = file->is_new;
}

struct known_files *
known_files_new(struct account_store *account, const struct folder *folder)
{
	struct known_files *known;
	size_t count = 16;

	while (count < 2 * folder_count(folder))
		count *= 2;
	known = memory_new(1, sizeof(*known) + count * sizeof(struct slot));
	known->folder = folder;
	known->mask = count - 1;
	if (getrandom(known->key, sizeof(known->key), 0) !=
	    (ssize_t)sizeof(known->key))
		fatal("known_files: getrandom");
	index_each_file(account->index, folder->info.id, add, known);
	return known;
}

bool
known_files_find(
    struct known_files *known, const char *name, bool is_new, size_t *position)
{
	const struct slot *slot =
	    find_slot(known, table_siphash(known->key, name, strlen(name)));

	*position = slot->row - 1U;
	return slot->row != 0 && !slot->is_double && slot->is_new == is_new;
}

void
known_files_free(struct known_files **known)
{
	memory_free(known);
}

/*
 * See segment_form.h.
 */
#include "snapd/segment_form.h"

#include "common/table.h"

#include <string.h>

enum {
	BLOCK_MAGIC = 0x6b426e46 /* "FnBk" */
};

static const uint8_t sum_key[16] = { 'f', 'i', 'r', 'n', ' ', 'b', 'l', 'o',
	'c', 'k', ' ', 's', 'u', 'm', ' ', '1' };

size_t
block_size(const struct block_head *head)
{
	return BLOCK_HEAD_SIZE + head->packed_size + BLOCK_TAG_SIZE;
}

uint64_t
block_sum(const uint8_t *data, size_t size)
{
	return table_siphash(sum_key, data, size);
}

void
block_head_encode(const struct block_head *head, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, BLOCK_HEAD_SIZE);
	writer_put_u32(&w, BLOCK_MAGIC);
	writer_put_u8(&w, head->has_runs ? 2 : 1);
	writer_put_u8(&w, head->kind);
	writer_put_u16(&w, head->number);
	writer_put_u32(&w, head->account);
	writer_put_u32(&w, head->pass);
	writer_put_u32(&w, head->raw_size);
	writer_put_u32(&w, head->packed_size);
	writer_put_u64(&w, head->first);
	writer_put_u64(&w, head->last);
	writer_put_raw(&w, head->salt, sizeof(head->salt));
	writer_put_u64(&w, head->sum);
	writer_put_u64(&w, block_sum(to, w.size));
}

static int
head_decode(const uint8_t *data, struct block_head *head)
{
	struct reader r;
	bool is_known;
	uint8_t form;

	reader_init(&r, data, BLOCK_HEAD_SIZE);
	is_known = reader_get_u32(&r) == BLOCK_MAGIC;
	form = reader_get_u8(&r);
	is_known = is_known && (form == 1 || form == 2);
	head->has_runs = form == 2;
	head->kind = reader_get_u8(&r);
	head->number = reader_get_u16(&r);
	head->account = reader_get_u32(&r);
	head->pass = reader_get_u32(&r);
	head->raw_size = reader_get_u32(&r);
	head->packed_size = reader_get_u32(&r);
	head->first = reader_get_u64(&r);
	head->last = reader_get_u64(&r);
	reader_get_raw(&r, head->salt, sizeof(head->salt));
	head->sum = reader_get_u64(&r);
	is_known = reader_get_u64(&r) == block_sum(data, BLOCK_HEAD_SIZE - 8) &&
		   is_known;
	return is_known && head->kind >= BLOCK_BODIES &&
		       head->kind <= BLOCK_END &&
		       head->raw_size <= BLOCK_MAX_RAW &&
		       head->packed_size <= SEGMENT_VALUE_SIZE
		   ? 0
		   : -1;
}

static bool
are_zeros(const uint8_t *data, size_t size)
{
	return size == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

int
block_head_find(const uint8_t *value, size_t offset, uint16_t number,
    struct block_head *head, struct error *error)
{
	size_t left = SEGMENT_VALUE_SIZE - offset;

	if (left < BLOCK_HEAD_SIZE || are_zeros(value + offset, 16))
		return are_zeros(value + offset, left)
			   ? 0
			   : error_set(error, ERROR_DAMAGED,
				 "bytes behind block %u", number);
	if (head_decode(value + offset, head) != 0 || head->number != number ||
	    number >= BLOCK_MAX_COUNT || block_size(head) > left)
		return error_set(
		    error, ERROR_DAMAGED, "block %u: malformed head", number);
	return 1;
}

int
block_find(const uint8_t *value, uint16_t number, struct block_head *head,
    size_t *offset, struct error *error)
{
	uint16_t n = 0;
	int found;

	*offset = 0;
	for (;;) {
		found = block_head_find(value, *offset, n, head, error);
		if (found != 1 || n == number)
			return found;
		*offset += block_size(head);
		n++;
	}
}

int
block_entries(struct text raw, uint32_t *count)
{
	struct reader r;

	reader_init(&r, raw.data, raw.size);
	*count = reader_get_u32(&r);
	return r.failed || *count > r.size / BLOCK_ENTRY_SIZE ? -1 : 0;
}

int
block_entry_get(struct text raw, uint32_t index, struct block_entry *entry)
{
	struct reader r;
	size_t skip = 4 + (size_t)index * BLOCK_ENTRY_SIZE;

	if (skip + BLOCK_ENTRY_SIZE > raw.size)
		return -1;
	reader_init(&r, raw.data + skip, BLOCK_ENTRY_SIZE);
	entry->blob = reader_get_u64(&r);
	entry->size = reader_get_u64(&r);
	entry->wire_size = reader_get_u64(&r);
	reader_get_raw(&r, entry->hash.bytes, sizeof(entry->hash.bytes));
	entry->offset = reader_get_u64(&r);
	entry->length = reader_get_u32(&r);
	return entry->offset <= entry->size &&
		       entry->length <= entry->size - entry->offset &&
		       entry->length <= raw.size
		   ? 0
		   : -1;
}

void
block_entry_put(struct writer *w, const struct block_entry *entry)
{
	writer_put_u64(w, entry->blob);
	writer_put_u64(w, entry->size);
	writer_put_u64(w, entry->wire_size);
	writer_put_raw(w, entry->hash.bytes, sizeof(entry->hash.bytes));
	writer_put_u64(w, entry->offset);
	writer_put_u32(w, entry->length);
}

int
block_row_next(struct text *rest, struct block_row *row)
{
	uint32_t value_size;
	uint8_t key_size;
	struct reader r;

	if (rest->size == 0)
		return 0;
	reader_init(&r, rest->data, rest->size);
	row->database = reader_get_u8(&r);
	key_size = reader_get_u8(&r);
	value_size = reader_get_u32(&r);
	if (r.failed || key_size == 0 || key_size > STORE_MAX_KEY ||
	    value_size > r.size || key_size > r.size - value_size)
		return -1;
	row->key = text_make(rest->data + BLOCK_ROW_HEAD, key_size);
	row->value =
	    text_make(rest->data + BLOCK_ROW_HEAD + key_size, value_size);
	*rest = text_skip(*rest, BLOCK_ROW_HEAD + key_size + value_size);
	return 1;
}

int
blob_form_decode(struct text value, struct blob_form *form)
{
	struct reader r;
	uint8_t version;
	uint32_t count;

	reader_init(&r, value.data, value.size);
	version = reader_get_u8(&r);
	form->is_sealed = version == 2 || version == 3;
	form->is_pieced = version == 3;
	form->account = reader_get_u32(&r);
	form->size = reader_get_u64(&r);
	form->wire_size = reader_get_u64(&r);
	reader_get_raw(&r, form->hash.bytes, sizeof(form->hash.bytes));
	count = form->is_sealed ? reader_get_u32(&r) : 0;
	form->place_count = form->is_pieced ? 0 : count;
	form->piece_count = form->is_pieced ? count : 0;
	form->places = form->pieces = r;
	return !r.failed && version >= 1 && version <= 3 &&
		       count <= PLACE_MAX_PARTS &&
		       r.size ==
			   (size_t)count *
			       (form->is_pieced ? PIECE_REF_SIZE : PLACE_SIZE)
		   ? 0
		   : -1;
}

static void
put_blob_head(struct writer *w, uint8_t version, const struct blob_form *form)
{
	writer_put_u8(w, version);
	writer_put_u32(w, form->account);
	writer_put_u64(w, form->size);
	writer_put_u64(w, form->wire_size);
	writer_put_raw(w, form->hash.bytes, sizeof(form->hash.bytes));
}

size_t
blob_form_encode(const struct blob_form *form, const struct place *places,
    uint8_t *to, size_t room)
{
	struct writer w;
	uint32_t i;

	writer_init(&w, to, room);
	put_blob_head(&w, places != NULL ? 2 : 1, form);
	if (places == NULL)
		return w.size;
	writer_put_u32(&w, form->place_count);
	for (i = 0; i < form->place_count; i++)
		place_put(&w, &places[i]);
	return w.size;
}

size_t
blob_form_encode_pieces(const struct blob_form *form,
    const struct piece_ref *pieces, uint8_t *to, size_t room)
{
	struct writer w;
	uint32_t i;

	writer_init(&w, to, room);
	put_blob_head(&w, 3, form);
	writer_put_u32(&w, form->piece_count);
	for (i = 0; i < form->piece_count; i++) {
		writer_put_u64(&w, pieces[i].blob);
		writer_put_u64(&w, pieces[i].size);
	}
	return w.size;
}

int
piece_ref_get(struct reader *r, struct piece_ref *piece)
{
	piece->blob = reader_get_u64(r);
	piece->size = reader_get_u64(r);
	return r->failed ? -1 : 0;
}

int
segment_use_decode(struct text value, struct segment_use *use)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	if (reader_get_u8(&r) != 1)
		return -1;
	use->state = reader_get_u8(&r);
	use->values = reader_get_u32(&r);
	use->blocks = reader_get_u32(&r);
	use->live_bytes = reader_get_u64(&r);
	use->dead_bytes = reader_get_u64(&r);
	reader_get_raw(&r, use->hash.bytes, sizeof(use->hash.bytes));
	return use->state >= SEGMENT_OPEN && use->state <= SEGMENT_DROPPED
		   ? reader_done(&r)
		   : -1;
}

void
place_put(struct writer *w, const struct place *place)
{
	writer_put_u32(w, place->at.segment);
	writer_put_u32(w, place->at.value);
	writer_put_u16(w, place->at.block);
	writer_put_u32(w, place->offset);
	writer_put_u32(w, place->length);
}

int
place_get(struct reader *r, struct place *place)
{
	place->at.segment = reader_get_u32(r);
	place->at.value = reader_get_u32(r);
	place->at.block = reader_get_u16(r);
	place->offset = reader_get_u32(r);
	place->length = reader_get_u32(r);
	return r->failed || place->length > BLOCK_MAX_RAW ||
		       place->offset > BLOCK_MAX_RAW - place->length
		   ? -1
		   : 0;
}

size_t
segment_info_encode(const struct segment_info *info, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, SEGMENT_INFO_SIZE);
	writer_put_u8(&w, 1);
	writer_put_raw(&w, info->store.bytes, sizeof(info->store.bytes));
	writer_put_u32(&w, info->number);
	writer_put_raw(&w, info->recovery, sizeof(info->recovery));
	writer_put_raw(&w, info->box, sizeof(info->box));
	return w.size;
}

int
segment_info_decode(struct text value, struct segment_info *info)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	if (reader_get_u8(&r) != 1)
		return -1;
	reader_get_raw(&r, info->store.bytes, sizeof(info->store.bytes));
	info->number = reader_get_u32(&r);
	reader_get_raw(&r, info->recovery, sizeof(info->recovery));
	reader_get_raw(&r, info->box, sizeof(info->box));
	return reader_done(&r);
}

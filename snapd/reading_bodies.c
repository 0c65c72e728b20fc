/*
 * Several bodies in one answer (reading.h): what a worker that heals files asks
 * for, so that neither it nor we are woken for each.  One that is damaged or
 * gone does not keep the others away.
 */
#include "snapd/reading.h"

#include "snapd/journal.h"

/* What they come to, so that the buffer is made once: those that can be found,
 * the first whatever its size, the others as far as there is room. */
static size_t
choose(struct reading *reading, struct transaction *t, struct object *objects,
    enum status *statuses)
{
	struct error error;
	size_t i, size = 0;

	for (i = 0; i < reading->blob_count; i++) {
		int got = object_store_find(
		    t, reading->blobs[i], &objects[i], &error);

		if (got < 0)
			statuses[i] = journal_status_of(&error);
		/* A blob of another account does not exist for this one. */
		else if (got == 0 || objects[i].account != reading->account)
			statuses[i] = STATUS_MISSING;
		else if (i > 0 && size + objects[i].size > BODIES_MAX_BYTES)
			statuses[i] = STATUS_LIMIT;
		else
			size += objects[i].size;
	}
	return size;
}

static enum status
put_body(struct reading *reading, struct transaction *t, struct digest *digest,
    const struct object *object)
{
	struct error error = { .code = ERROR_NONE };

	if (reading_put_object(reading, t, digest, object, &error) == 0)
		return STATUS_OK;
	return journal_status_of(&error);
}

int
reading_put_bodies(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct object objects[BODIES_MAX] = { 0 };
	enum status statuses[BODIES_MAX] = { STATUS_OK };
	uint8_t data[BODIES_MAX * RECORD_BODY_SIZE];
	struct digest *digest;
	struct writer w;
	size_t i;

	if (buf_reserve(&reading->data,
		choose(reading, t, objects, statuses) + 1) == NULL)
		return error_set(error, ERROR_LIMIT, "bodies too large");
	digest = digest_new();
	writer_init(&w, data, sizeof(data));
	for (i = 0; i < reading->blob_count; i++) {
		struct body_record record = { .status = statuses[i] };

		if (statuses[i] == STATUS_OK)
			record.status =
			    put_body(reading, t, digest, &objects[i]);
		if (record.status == STATUS_OK)
			record.size = objects[i].size;
		record_put_body(&w, &record);
	}
	digest_free(&digest);
	return buf_put(&reading->envelope, data, w.size);
}

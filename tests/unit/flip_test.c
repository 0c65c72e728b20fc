/*
 * Damage at random places of index and segments: a flipped bit, or the rest of
 * the file gone.  The verifier names it or nothing has changed; snapd, started
 * on it, serves or says that it cannot, and does not crash for ever; the index,
 * made anew from segments, is the lost one.
 *
 * FLIPS: how many places (200); FLIP_SEED: which.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/rebuild.h"
#include "snapd/segment_folder.h"
#include "snapd/snapd.h"
#include "tests/unit/sealed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MESSAGES = 40,
#ifdef __SANITIZE_ADDRESS__
	FLIPS = 60, /* each is eight times as slow */
#else
	FLIPS = 200,
#endif
	PAGE = 4096,
	PLACE_BYTES = 64,
	HEAD_EACH = 4,
	TRUNCATE_EACH = 11, /* so many flips one is cut short instead */
	REBUILD_EACH = 8,
	STARTS = 4, /* of snapd, until it must have come to an end */
	CHILD_SECONDS = 60,
	/* How a child ends. */
	SERVED = 0,
	REFUSED = 3,
	CHANGED = 4
};

struct target {
	char path[SCRATCH_PATH + 40];
	uint8_t *bytes;
	size_t size;
};

static struct damage {
	struct sealed *f;
	struct target targets[2]; /* index, segment */
	struct hash before[DB_COUNT];
	char id[33];
} damage;

static struct counts {
	unsigned int found, harmless, refused, crashed, rebuilt;
} counts;

static uint64_t random_state;

static uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (random_state >> 20) % limit;
}

static unsigned int
setting(const char *name, unsigned int standard)
{
	const char *value = getenv(name);

	return value != NULL ? (unsigned int)strtoul(value, NULL, 10)
			     : standard;
}

/* -- Files -- */

static void
read_target(struct target *target)
{
	FILE *file = fopen(target->path, "rb");
	struct stat status;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	target->size = (size_t)status.st_size;
	target->bytes = memory_new(1, target->size);
	assert_int_equal(
	    fread(target->bytes, 1, target->size, file), target->size);
	fclose(file);
}

/* In place: the file stays the one that it was. */
static void
put_back(const struct target *target)
{
	int fd = open(target->path, O_RDWR | O_CLOEXEC);

	assert_int_equal(
	    pwrite(fd, target->bytes, target->size, 0), target->size);
	assert_int_equal(ftruncate(fd, (off_t)target->size), 0);
	close(fd);
}

/* Where something is, or was; each fourth in the head of a page, where LMDB
 * itself looks. */
static size_t
choose_place(const struct target *target, unsigned int n)
{
	static const uint8_t nothing[PLACE_BYTES];
	size_t at;

	do {
		at = random_below(target->size / PLACE_BYTES) * PLACE_BYTES;
		if (n % HEAD_EACH == 0)
			at -= at % PAGE;
	} while (memcmp(target->bytes + at, nothing, PLACE_BYTES) == 0);
	return at + random_below(PLACE_BYTES);
}

static void
harm(const struct target *target, unsigned int n, char what[100])
{
	size_t at = choose_place(target, n);
	unsigned int bit = (unsigned int)random_below(8);
	uint8_t byte = target->bytes[at] ^ (uint8_t)(1U << bit);
	int fd = open(target->path, O_RDWR | O_CLOEXEC);

	if (n % TRUNCATE_EACH == 0) {
		assert_int_equal(ftruncate(fd, (off_t)at), 0);
		snprintf(what, 100, "%s cut at %zu", target->path, at);
	} else {
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		snprintf(what, 100, "%s: byte %zu of page %zu, bit %u",
		    target->path, at % PAGE, at / PAGE, bit);
	}
	close(fd);
}

/* -- Children: whatever happens to them -- */

/* How it ended: its exit code, or -1 and a signal killed it. */
static int
in_child(int (*run)(void))
{
	const struct rlimit no_core = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		scratch_child();
		setrlimit(RLIMIT_CORE, &no_core);
		alarm(CHILD_SECONDS);
		log_set_level(LOG_LEVEL_ALARM);
		log_open(-1, "flip_test");
		_exit(run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		fail_msg("a child hung");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Names a page, or else a database, a segment, a body. */
static bool
is_named(const char *finding)
{
	static const char *const names[] = { "segment ", "body ",
		"rows: ", "main: ", "database ", "free list: " };
	size_t i;

	for (i = 0; i < DB_COUNT; i++)
		if (text_starts_nocase(
			text_of(finding), database_name((enum database)i)))
			return true;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_starts_nocase(text_of(finding), names[i]))
			return true;
	return strstr(finding, "page") != NULL;
}

static int
verify_all(void)
{
	struct verify_result result;
	struct sealed_told told;

	sealed_verify(damage.f, 100, &told, &result);
	if (told.count == 0)
		return 0;
	if (is_named(told.first))
		return CHANGED;
	fprintf(stderr, "names nothing: %s\n", told.first);
	return 1;
}

/* Everything is as it was. */
static int
look_at_all(void)
{
	struct sealed *f = damage.f;
	struct hash now[DB_COUNT];
	uint64_t sealed;

	sealed_open(f);
	sealed_dump(f, now);
	sealed_check_bodies(f, &sealed);
	return memcmp(now, damage.before, sizeof(now)) == 0 ? 0 : CHANGED;
}

/* What everybody's mail program would make it do. */
static void
serve(struct snapd *snapd)
{
	struct journal *journal = snapd_journal(snapd);
	struct recipient_record recipient = { 1, TEXT("a@demo.test") };
	struct delivery_id delivery = { { 250 } };
	struct hash hashes[DB_COUNT];
	struct error error = { .code = ERROR_NONE };
	struct object object;
	struct transaction *t;
	uint8_t data[400], *body;
	struct writer w;
	uint64_t blob;

	sealed_dump_store(journal->store, damage.f->digest, hashes);
	t = transaction_begin(journal->store, false, &error);
	for (blob = 1; t != NULL && blob <= MESSAGES; blob++)
		if (object_store_find(t, blob, &object, &error) == 1 &&
		    object.size < 1 << 20) {
			body = memory_new(1, object.size + 1);
			(void)object_store_read(
			    t, damage.f->digest, &object, body, &error);
			free(body);
		}
	transaction_abort(&t);
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	(void)journal_accept(journal, &delivery, 0, 1, TEXT("s@there.test"),
	    text_make(data, w.size), TEXT("new\n"), &error);
	(void)journal_commit(journal, &error);
}

static int
start_snapd(void)
{
	struct event_loop *loop = event_loop_new();
	struct snapd_options options = { .path = damage.f->path,
		.store_id = damage.id,
		.map_bytes = MAP_BYTES };
	struct snapd *snapd;
	bool is_served;

	(void)freopen("/dev/null", "w", stderr); /* alarms, rightly */
	snapd = snapd_new(loop, &options);
	is_served = snapd_journal(snapd) != NULL;
	if (is_served)
		serve(snapd);
	snapd_free(&snapd);
	event_loop_free(&loop);
	return is_served ? SERVED : REFUSED;
}

static int
make_index_anew(void)
{
	struct rebuild_result result = { .rows = 0 };
	struct hash now[DB_COUNT];
	struct error error;

	if (rebuild_index(damage.f->path, MAP_BYTES, &result, &error) != 0)
		return 1;
	sealed_open(damage.f);
	sealed_dump(damage.f, now);
	sealed_must_equal(damage.before, now, 1U << DB_REPLY);
	return 0;
}

/* -- One place -- */

static void
check_verifier(const char *what)
{
	switch (in_child(verify_all)) {
	case 0:
		counts.harmless++;
		if (in_child(look_at_all) != 0)
			fail_msg("not found: %s", what);
		break;
	case CHANGED:
		counts.found++;
		break;
	default:
		fail_msg("the verifier does not survive: %s", what);
	}
}

/* It may crash, and not again and again. */
static void
check_snapd(const char *what)
{
	unsigned int starts = 0;
	int ended = -1;

	while (ended == -1 && starts++ < STARTS)
		ended = in_child(start_snapd);
	if (ended != SERVED && ended != REFUSED)
		fail_msg("snapd crashes for ever: %s", what);
	counts.crashed += starts > 1;
	counts.refused += ended == REFUSED;
}

static void
check_rebuild(const char *what)
{
	char kept[SCRATCH_PATH + 40], now[SCRATCH_PATH + 40];

	if (in_child(make_index_anew) != 0)
		fail_msg("the rebuilt index is another: %s", what);
	counts.rebuilt++;
	/* The old one back in its place: it is the same file. */
	snprintf(now, sizeof(now), "%s/index", damage.f->path);
	snprintf(
	    kept, sizeof(kept), "%s/index.before-rebuild-1", damage.f->path);
	scratch_remove(now);
	assert_int_equal(rename(kept, now), 0);
}

static void
try_place(unsigned int n)
{
	/* The index has most of what can be hit. */
	const struct target *target = &damage.targets[n % 3 == 2];
	bool is_index = target == &damage.targets[0];
	char what[100], starts[SCRATCH_PATH + 10];

	harm(target, n, what);
	check_verifier(what);
	if (is_index && n % REBUILD_EACH == 0) {
		check_rebuild(what);
		put_back(target);
		return;
	}
	check_snapd(what);
	put_back(&damage.targets[0]);
	if (!is_index)
		put_back(target);
	snprintf(starts, sizeof(starts), "%s/starts", damage.f->path);
	(void)unlink(starts);
}

static void
damage_anywhere_is_named_survived_and_mended(void **state)
{
	unsigned int flips = setting("FLIPS", FLIPS), n;

	damage.f = *state;
	random_state = setting("FLIP_SEED", 1);
	/* Each start finds a store that was put back, and leaps; where its
	 * last event is still to come, a leap does not wait for its second to
	 * be over. */
	journal_set_clock(damage.f->journal,
	    clock_wall_us() + 86400 * 1000000LL, clock_raw_us());
	sealed_add(damage.f, MESSAGES);
	sealed_must_pass(damage.f);
	sealed_dump(damage.f, damage.before);
	text_format_hex(damage.f->id.bytes, 16, damage.id);
	sealed_close(damage.f);
	snprintf(damage.targets[0].path, sizeof(damage.targets[0].path),
	    "%s/index/data.mdb", damage.f->path);
	snprintf(damage.targets[1].path, sizeof(damage.targets[1].path),
	    "%s/segment/1/data.mdb", damage.f->path);
	read_target(&damage.targets[0]);
	read_target(&damage.targets[1]);
	for (n = 0; n < flips; n++)
		try_place(n);
	print_message("flips=%u found=%u harmless=%u refused=%u crashed=%u "
		      "rebuilt=%u\n",
	    flips, counts.found, counts.harmless, counts.refused,
	    counts.crashed, counts.rebuilt);
	assert_true(counts.found > flips / 8);
	free(damage.targets[0].bytes);
	free(damage.targets[1].bytes);
	sealed_open(damage.f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(damage_anywhere_is_named_survived_and_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

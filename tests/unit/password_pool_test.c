/*
 * Passwords are checked by children, in whatever number they come; a child
 * that dies takes no answer with it, and is followed by another.
 */
#include "authd/dummy_hash.h"
#include "authd/login_cache.h"
#include "authd/password_pool.h"

#include <crypt.h>
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct event_loop *loop;
static int counts[3];
static int expected;
static bool is_lost;
static bool is_late;

static void
confine(void *context)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void
late(void *context)
{
	is_late = true;
	event_loop_stop(loop);
}

static void
lost(void *context)
{
	is_lost = true;
	event_loop_stop(loop);
}

static void
done(enum password_result result, void *context)
{
	counts[result]++;
	if (counts[0] + counts[1] + counts[2] == expected)
		event_loop_stop(loop);
}

static struct password_pool *
pool_new(size_t children)
{
	struct error error;
	struct password_pool *pool =
	    password_pool_new(children, confine, NULL, &error);

	assert_non_null(pool);
	memset(counts, 0, sizeof(counts));
	is_lost = is_late = false;
	loop = event_loop_new();
	password_pool_start(pool, loop, lost, NULL);
	return pool;
}

static void
run_until_done(int how_many)
{
	struct timer *timer = timer_new(loop, late, NULL);

	expected = how_many;
	timer_start(timer, 30000);
	event_loop_run(loop);
	timer_free(&timer);
	assert_false(is_late);
}

static void
pool_end(struct password_pool *pool)
{
	password_pool_free(&pool);
	event_loop_free(&loop);
	(void)wait(NULL); /* the keeper follows its children */
}

static const char *
hash_of(const char *password, const char *setting)
{
	static struct crypt_data data;

	return crypt_rn(password, setting, &data, sizeof(data));
}

static void
check(struct password_pool *pool, const char *hash, struct text password)
{
	assert_int_equal(
	    password_pool_check(pool, text_of(hash), password, done, NULL), 0);
}

static void
only_the_password_is_right(void **state)
{
	struct password_pool *pool = pool_new(2);
	const char *hash = hash_of("secret", "$6$rounds=1000$salt");

	for (int i = 0; i < 25; i++) {
		check(pool, hash, TEXT("secret"));
		check(pool, hash, text_make("secret\0x", 8));
		check(pool, hash, TEXT("Secret"));
		check(pool, "*", TEXT("secret"));
	}
	run_until_done(100);
	assert_int_equal(counts[PASSWORD_RIGHT], 25);
	assert_int_equal(counts[PASSWORD_WRONG], 75);
	pool_end(pool);
}

static void
each_scheme_of_libcrypt_passes_the_walls(void **state)
{
	static const char *const prefixes[] = { "$y$", "$gy$", "$7$", "$2b$",
		"$6$", "$5$", "$sha1", "$md5", "$1$", "_", "" };
	struct password_pool *pool = pool_new(2);
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	int made = 0;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const char *hash;

		if (crypt_gensalt_rn(prefixes[i], 0, NULL, 0, setting,
			sizeof(setting)) == NULL)
			continue;
		hash = hash_of("secret", setting);
		if (hash == NULL || hash[0] == '*')
			continue;
		check(pool, hash, TEXT("secret"));
		made++;
	}
	assert_true(made >= 5);
	run_until_done(made);
	assert_int_equal(counts[PASSWORD_RIGHT], made);
	pool_end(pool);
}

/* The first process whose parent is `parent`, 0 if there is none. */
static pid_t
child_of(pid_t parent)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t found = 0;

	while (found == 0 && (entry = readdir(proc)) != NULL) {
		char path[300];
		char status;
		int pid, up;
		FILE *file;

		(void)snprintf(
		    path, sizeof(path), "/proc/%s/stat", entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fscanf(file, "%d (%*[^)]) %c %d", &pid, &status, &up) ==
			3 &&
		    up == parent && status != 'Z')
			found = pid;
		(void)fclose(file);
	}
	(void)closedir(proc);
	return found;
}

static pid_t
wait_for_child_of(pid_t parent, pid_t not_this)
{
	pid_t found = 0;

	for (int i = 0; i < 60000; i++) {
		found = child_of(parent);
		if (found != 0 && found != not_this)
			return found;
		(void)usleep(1000);
	}
	fail_msg("no child");
	return 0;
}

static struct timer *killer;
static int kills;

static void
kill_child(void *context)
{
	pid_t keeper = child_of(getpid());
	static pid_t last;

	last = wait_for_child_of(keeper, last);
	assert_int_equal(kill(last, SIGKILL), 0);
	if (--kills > 0)
		timer_start(killer, 50);
}

static void
kill_while_it_works(int how_often, enum password_result wanted)
{
	struct password_pool *pool = pool_new(1);
	/* Long enough to be hit: some tenths of a second. */
	const char *hash = hash_of("secret", "$6$rounds=400000$salt");

	kills = how_often;
	killer = timer_new(loop, kill_child, NULL);
	timer_start(killer, 20);
	check(pool, hash, TEXT("secret"));
	run_until_done(1);
	assert_int_equal(counts[wanted], 1);
	assert_int_equal(kills, 0);
	/* Whoever comes next is served. */
	check(pool, hash_of("secret", "$6$rounds=1000$salt"), TEXT("secret"));
	run_until_done(2);
	assert_int_equal(
	    counts[PASSWORD_RIGHT], wanted == PASSWORD_RIGHT ? 2 : 1);
	assert_int_equal(counts[PASSWORD_WRONG], 0);
	timer_free(&killer);
	pool_end(pool);
}

static void
a_job_whose_child_died_is_done_by_the_next(void **state)
{
	kill_while_it_works(1, PASSWORD_RIGHT);
}

static void
a_job_that_killed_two_is_unknown_and_not_wrong(void **state)
{
	kill_while_it_works(2, PASSWORD_UNKNOWN);
}

static void
a_dead_keeper_is_told(void **state)
{
	struct password_pool *pool = pool_new(1);
	pid_t keeper = child_of(getpid());
	pid_t child = wait_for_child_of(keeper, 0);

	assert_int_equal(kill(keeper, SIGKILL), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	run_until_done(1);
	assert_true(is_lost);
	pool_end(pool);
}

static void
too_many_and_too_long_are_refused(void **state)
{
	struct password_pool *pool = pool_new(1);
	static char long_text[PASSWORD_CHILD_MAX_PASSWORD + 1];
	int accepted = 0;

	memset(long_text, 'a', sizeof(long_text));
	assert_int_equal(
	    password_pool_check(pool, TEXT("*"),
		text_make(long_text, sizeof(long_text)), done, NULL),
	    -1);
	while (password_pool_check(pool, TEXT("*"), TEXT("x"), done, NULL) == 0)
		accepted++;
	assert_int_equal(accepted, PASSWORD_POOL_MAX_WAITING + 1);
	run_until_done(accepted);
	assert_int_equal(counts[PASSWORD_WRONG], accepted);
	pool_end(pool);
}

static void
an_unknown_user_costs_what_most_accounts_cost(void **state)
{
	static const struct {
		const char *hash;
		const char *kind;
	} rows[] = { { "$y$j9T$salt$hash", "$y$j9T$" },
		{ "$2b$12$abcdefghijklmnopqrstuuhash", "$2b$12$" },
		{ "$6$rounds=5000$salt$hash", "$6$rounds=5000$" },
		{ "$6$salt$hash", "$6$" },
		{ "$7$CU..../....salt$hash", "$7$CU..../...." },
		{ "_J9..salthash", "_J9.." }, { "ab1234567890.", "" } };
	struct account_table *table = account_table_new();
	struct account account = { .uid = 1, .gid = 1 };
	char address[40];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(dummy_hash_kind(text_of(rows[i].hash)),
		    strlen(rows[i].kind));
	assert_memory_equal(dummy_hash_choose(table), "$y$", 3);
	for (uint32_t i = 1; i <= 7; i++) {
		(void)snprintf(
		    address, sizeof(address), "user%u@example.org", i);
		account.number = i;
		account.address = address;
		account.hash = i <= 3   ? "$6$rounds=1000$other$x"
			       : i <= 5 ? "$y$j9T$a$b"
					: "$y$j9T$c$d";
		assert_int_equal(account_table_add(table, &account), 0);
	}
	assert_memory_equal(dummy_hash_choose(table), "$y$j9T$", 7);
	account_table_free(&table);
}

static void
what_was_checked_is_remembered_for_a_while(void **state)
{
	const uint8_t key[32] = { 7 }, other_key[32] = { 8 };
	struct login_cache *cache = login_cache_new(key);
	struct login_cache *other = login_cache_new(other_key);
	struct login_proof proof =
	    login_cache_proof(cache, TEXT("$6$a"), TEXT("secret"));
	int64_t end_us = INT64_C(1000000) * LOGIN_CACHE_LIFE_S;

	assert_false(login_cache_has(cache, proof, 0));
	login_cache_add(cache, proof, 0);
	assert_true(login_cache_has(cache, proof, end_us - 1));
	assert_false(login_cache_has(cache, proof, end_us));
	assert_false(login_cache_has(
	    cache, login_cache_proof(cache, TEXT("$6$a"), TEXT("Secret")), 0));
	assert_false(login_cache_has(
	    cache, login_cache_proof(cache, TEXT("$6$b"), TEXT("secret")), 0));
	assert_int_not_equal(
	    login_cache_proof(other, TEXT("$6$a"), TEXT("secret")).value[0],
	    proof.value[0]);
	login_cache_clear(cache);
	assert_false(login_cache_has(cache, proof, 0));
	login_cache_free(&cache);
	login_cache_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_password_is_right),
		cmocka_unit_test(each_scheme_of_libcrypt_passes_the_walls),
		cmocka_unit_test(a_job_whose_child_died_is_done_by_the_next),
		cmocka_unit_test(
		    a_job_that_killed_two_is_unknown_and_not_wrong),
		cmocka_unit_test(a_dead_keeper_is_told),
		cmocka_unit_test(too_many_and_too_long_are_refused),
		cmocka_unit_test(an_unknown_user_costs_what_most_accounts_cost),
		cmocka_unit_test(what_was_checked_is_remembered_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The walls of the administrator's commands: what is not talking or printing
 * ends the process. */
#include "common/output.h"
#include "common/sandbox_tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const enum role tools[] = { ROLE_SNAPCTL, ROLE_FIRNMAIL };

static int talk[2]; /* as the channel to the daemon: opened before */

/* How a child ends that enters the walls of `tool` and does `act`. */
static int
end_of(enum role tool, void (*act)(void))
{
	struct error error;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_tool_enter(tool, &error) == -1)
			_exit(3);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
open_file(void)
{
	(void)open("/dev/null", O_RDONLY);
}

static void
create_file(void)
{
	(void)open("/tmp/firnmail-tool", O_WRONLY | O_CREAT, 0600);
}

static void
remove_file(void)
{
	(void)rmdir("/tmp/firnmail-tool");
}

static void
make_socket(void)
{
	(void)socket(AF_UNIX, SOCK_SEQPACKET, 0);
}

static void
connect_out(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/x" };

	(void)connect(talk[0], (struct sockaddr *)&to, sizeof(to));
}

static void
execute(void)
{
	char *const none[] = { NULL };

	(void)execve("/bin/true", none, none);
}

static void
start_child(void)
{
	(void)syscall(SYS_fork);
}

static void
kill_parent(void)
{
	(void)kill(getppid(), 0);
}

static void
become_root(void)
{
	(void)setresuid(0, 0, 0);
}

static void
trace(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void
run_memory(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
what_is_more_than_talking_and_printing_kills(void **state)
{
	static const struct {
		void (*act)(void);
		bool asan_needs_it;
	} rows[] = { { open_file, true }, { create_file, true },
		{ remove_file, false }, { make_socket, false },
		{ connect_out, false }, { execute, false },
		{ start_child, false }, { kill_parent, false },
		{ become_root, false }, { trace, false },
		{ run_memory, true } };

	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			int status;

#ifdef __SANITIZE_ADDRESS__
			if (rows[i].asan_needs_it)
				continue;
#endif
			status = end_of(tools[t], rows[i].act);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("row %zu: status 0x%x", i, status);
		}
}

/* A row of each form, a word to the daemon and one from it. */
static void
talk_and_print(void)
{
	static struct output *outputs[3];
	const struct field fields[] = { FIELD_D("date", 1700000000),
		FIELD_T("name", 4, text_of("x")) };
	char byte;

	for (int form = OUTPUT_TABLE; form <= OUTPUT_JSON; form++) {
		outputs[form] = output_new((enum output_form)form, false);
		output_row(outputs[form], "row", fields, 2);
		output_progress(outputs[form], "x", 1, 2);
	}
	(void)isatty(STDIN_FILENO);
	if (write(talk[0], "x", 1) != 1 || read(talk[1], &byte, 1) != 1 ||
	    fflush(stdout) == EOF)
		_exit(4);
}

static void
talking_and_printing_goes_on(void **state)
{
	/* As main does it: once before the walls. */
	struct output *output = output_new(OUTPUT_JSON, false);

	for (size_t t = 0; t < 2; t++)
		assert_int_equal(end_of(tools[t], talk_and_print), 0);
	output_free(&output);
}

static void
say_who_we_are(void)
{
	_exit(getuid() == 65534 && getgid() == 65534 ? 0 : 5);
}

static void
root_becomes_nobody(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(end_of(ROLE_SNAPCTL, say_who_we_are), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_more_than_talking_and_printing_kills),
		cmocka_unit_test(talking_and_printing_goes_on),
		cmocka_unit_test(root_becomes_nobody),
	};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, talk) == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

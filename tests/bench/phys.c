/* phys DIR [SECONDS [LABEL]] - what this machine itself allows: the ceilings
 * beside which the servers' figures are read.
 * phys round-trips [SECONDS [LABEL]] - of those only question and answer over
 * loopback, on two processors and on one. */
#include "bench_kit.h"
#include <sched.h>
#include <sys/epoll.h>
#include <sys/uio.h>

static const char *dir;
static double secs = 3;
static volatile int halt;
static size_t wsize = 4096;
static int mode;
static uint64_t g_ops;

static void
full_write(int fd, const void *p, size_t n)
{
	if (write(fd, p, n) != (ssize_t)n)
		die("write: %s", strerror(errno));
}

/* mode 0: Maildir way: create in tmp, write, fsync, rename to new, fsync of new
 * mode 1: the same without the folder's fsync; mode 2: nothing fsynced; mode 3:
 * append to one file + fdatasync; mode 4: append to a preallocated file +
 * fdatasync */
static void *
fs_worker(void *arg)
{
	int id = *(int *)arg;
	char p[600], q[600], *b = malloc(1 << 20);
	uint64_t n = 0;
	int dfd = -1, fd = -1;

	memset(b, 'x', 1 << 20);
	snprintf(p, sizeof p, "%s/t%d", dir, id);
	mkdir(p, 0700);
	snprintf(p, sizeof p, "%s/t%d/new", dir, id);
	mkdir(p, 0700);
	dfd = open(p, O_RDONLY | O_DIRECTORY);
	snprintf(p, sizeof p, "%s/t%d/tmp", dir, id);
	mkdir(p, 0700);
	if (mode >= 3) {
		snprintf(p, sizeof p, "%s/t%d/log", dir, id);
		fd = open(p, O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (mode == 4) {
			for (int i = 0; i < 64; i++)
				full_write(fd, b, 1 << 20);
			fsync(fd);
			lseek(fd, 0, SEEK_SET);
		}
	}
	while (!halt) {
		if (mode >= 3) {
			if (mode == 4 && (n + 1) * wsize > 64u << 20)
				lseek(fd, 0, SEEK_SET);
			full_write(fd, b, wsize);
			fdatasync(fd);
		} else {
			snprintf(p, sizeof p, "%s/t%d/tmp/%llu", dir, id,
			    (unsigned long long)n);
			snprintf(q, sizeof q, "%s/t%d/new/%llu", dir, id,
			    (unsigned long long)n);
			fd = open(p, O_WRONLY | O_CREAT | O_EXCL, 0600);
			full_write(fd, b, wsize);
			if (mode < 2)
				fsync(fd);
			close(fd);
			if (rename(p, q) < 0)
				die("rename");
			if (mode == 0)
				fsync(dfd);
		}
		n++;
	}
	__sync_fetch_and_add(&g_ops, n);
	free(b);
	return NULL;
}

/* K files written, then one syncfs for all: what a group commit can reach */
static void
group(int k)
{
	char p[600], *b = calloc(1, 1 << 20);
	uint64_t n = 0;
	int dfd = open(dir, O_RDONLY | O_DIRECTORY);
	double t = now();
	while (now() - t < secs) {
		for (int i = 0; i < k; i++) {
			snprintf(p, sizeof p, "%s/g%d.%zu.%llu", dir, k, wsize,
			    (unsigned long long)n++);
			int fd = open(p, O_WRONLY | O_CREAT | O_EXCL, 0600);
			full_write(fd, b, wsize);
			close(fd);
		}
		syncfs(dfd);
	}
	snprintf(p, sizeof p, "fs.syncfs-per-%d.%zuB", k, wsize);
	figure(p, n / (now() - t), "files/s");
	/* the same with writeback started for all first, then fsync of each */
	t = now();
	n = 0;
	int *fds = calloc((size_t)k, sizeof *fds);
	while (now() - t < secs) {
		for (int i = 0; i < k; i++) {
			snprintf(p, sizeof p, "%s/h%d.%zu.%llu", dir, k, wsize,
			    (unsigned long long)n++);
			fds[i] = open(p, O_WRONLY | O_CREAT | O_EXCL, 0600);
			full_write(fds[i], b, wsize);
			sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
		}
		for (int i = 0; i < k; i++) {
			fsync(fds[i]);
			close(fds[i]);
		}
	}
	snprintf(p, sizeof p, "fs.batched-fsync-per-%d.%zuB", k, wsize);
	figure(p, n / (now() - t), "files/s");
	free(fds);
	free(b);
}

static void
fs(int m, int threads, const char *name)
{
	pthread_t th[64];
	int id[64];
	char x[100];
	double t = now();
	mode = m;
	halt = 0;
	g_ops = 0;
	for (int i = 0; i < threads; i++) {
		id[i] = i + m * 100 + threads * 1000 + (int)wsize * 100000;
		pthread_create(&th[i], NULL, fs_worker, &id[i]);
	}
	nap(secs);
	halt = 1;
	for (int i = 0; i < threads; i++)
		pthread_join(th[i], NULL);
	snprintf(x, sizeof x, "fs.%s.%zuB.%dthr", name, wsize, threads);
	figure(x, g_ops / (now() - t), "ops/s");
}

static void *
sink(void *arg)
{
	int s = accept(*(int *)arg, NULL, NULL);
	char *b = malloc(1 << 20);
	while (recv(s, b, 1 << 20, 0) > 0)
		;
	close(s);
	free(b);
	return NULL;
}
static void *
echo(void *arg)
{
	int s = accept(*(int *)arg, NULL, NULL), one = 1;
	char b[64];
	ssize_t k;
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	while ((k = recv(s, b, sizeof b, 0)) > 0)
		send(s, b, (size_t)k, MSG_NOSIGNAL);
	close(s);
	return NULL;
}
static int
lo(void *(*f)(void *), pthread_t *th, int *ls)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t al = sizeof a;
	int one = 1, s;
	*ls = socket(AF_INET, SOCK_STREAM, 0);
	bind(*ls, (struct sockaddr *)&a, sizeof a);
	listen(*ls, 128);
	getsockname(*ls, (struct sockaddr *)&a, &al);
	if (f)
		pthread_create(th, NULL, f, ls);
	s = socket(AF_INET, SOCK_STREAM, 0);
	if (f && connect(s, (struct sockaddr *)&a, sizeof a) < 0)
		die("connect");
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return s;
}

/* ---- A question and its answer, as of a command without weight ---- */

enum {
	QUESTION = 25,
	ANSWER = 90
};

static void
run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) == -1)
		die("sched_setaffinity: %s", strerror(errno));
}

static void
send_all(int s, size_t size)
{
	static const char bytes[ANSWER];

	if (send(s, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
		_exit(0); /* the other one has seen enough */
}

/* As servers do it: sleeps in epoll_wait, then reads. */
static void
answer_questions(int listening)
{
	int s = accept(listening, NULL, NULL), one = 1;
	int poll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	char bytes[QUESTION];

	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	epoll_ctl(poll, EPOLL_CTL_ADD, s, &event);
	for (;;) {
		if (epoll_wait(poll, &event, 1, -1) != 1 ||
		    recv(s, bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes)
			_exit(0);
		send_all(s, ANSWER);
	}
}

static void
ask(const char *name, int client_cpu, int server_cpu)
{
	struct sockaddr_in a;
	socklen_t size = sizeof a;
	char bytes[ANSWER];
	uint64_t n;
	int listening, s, one = 1;
	double t;
	pid_t pid;

	close(lo(NULL, NULL, &listening));
	if ((pid = fork()) == 0) {
		run_on(server_cpu);
		answer_questions(listening);
	}
	run_on(client_cpu);
	getsockname(listening, (struct sockaddr *)&a, &size);
	s = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(s, (struct sockaddr *)&a, size) < 0)
		die("connect");
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	for (n = 0, t = now(); now() - t < secs; n++) {
		send_all(s, QUESTION);
		if (recv(s, bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes)
			die("no answer");
	}
	figure(name, n / (now() - t), "rt/s");
	close(s);
	close(listening);
	waitpid(pid, NULL, 0);
}

static void
round_trips(void)
{
	cpu_set_t all;
	int first = 0, last;

	if (sched_getaffinity(0, sizeof all, &all) == -1)
		die("sched_getaffinity: %s", strerror(errno));
	while (!CPU_ISSET((size_t)first, &all))
		first++;
	for (last = CPU_SETSIZE - 1; !CPU_ISSET((size_t)last, &all); last--)
		;
	if (last != first)
		ask("loopback.roundtrip.2cpu", first, last);
	ask("loopback.roundtrip.1cpu", first, first);
	if (sched_setaffinity(0, sizeof all, &all) == -1)
		die("sched_setaffinity: %s", strerror(errno));
}

int
main(int argc, char **argv)
{
	char tmpl[500];
	pthread_t th;
	int ls, s;
	uint64_t n;
	double t;

	if (argc > 2)
		secs = atof(argv[2]);
	o_label = argc > 3 ? argv[3] : "phys";
	if (argc > 1 && strcmp(argv[1], "round-trips") == 0) {
		round_trips();
		return 0;
	}
	snprintf(tmpl, sizeof tmpl, "%s/phys.XXXXXX", argc > 1 ? argv[1] : ".");
	if ((dir = mkdtemp(tmpl)) == NULL)
		die("mkdtemp: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	for (size_t k = 0; k < 2; k++) {
		static const int thr[] = { 1, 10, 50 };
		wsize = k ? 51200 : 4096;
		for (int i = 0; i < 3; i++) {
			fs(0, thr[i], "maildir-fsync+dirfsync");
			fs(1, thr[i], "maildir-fsync");
		}
		fs(2, 1, "maildir-nofsync");
		fs(3, 1, "append+fdatasync");
		fs(3, 10, "append+fdatasync");
		fs(4, 1, "append-prealloc+fdatasync");
		group(10);
		group(50);
	}
	s = lo(sink, &th, &ls);
	char *b = calloc(1, 1 << 20);
	for (n = 0, t = now(); now() - t < secs; n++)
		send(s, b, 1 << 20, 0);
	figure("loopback.stream", n * 1.048576 / (now() - t), "MB/s");
	close(s);
	pthread_join(th, NULL);
	close(ls);
	s = lo(echo, &th, &ls);
	for (n = 0, t = now(); now() - t < secs; n++)
		if (send(s, "x", 1, 0) != 1 || recv(s, b, 1, 0) != 1)
			die("echo");
	figure("loopback.roundtrip", n / (now() - t), "rt/s");
	close(s);
	pthread_join(th, NULL);
	close(ls);
	round_trips();
	int sp[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, sp);
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		close(sp[0]);
		while (read(sp[1], &c, 1) == 1)
			if (write(sp[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(sp[1]);
	for (n = 0, t = now(); now() - t < secs; n++)
		if (write(sp[0], "x", 1) != 1 || read(sp[0], b, 1) != 1)
			die("socketpair");
	figure("socketpair.roundtrip", n / (now() - t), "rt/s");
	close(sp[0]);
	waitpid(pid, NULL, 0);
	for (n = 0, t = now(); now() - t < secs; n++) {
		if ((pid = fork()) == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	figure("fork+exit", n / (now() - t), "procs/s");
	for (n = 0, t = now(); now() - t < secs; n++) {
		if ((pid = vfork()) == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
	figure("vfork+exec-true", n / (now() - t), "procs/s");
	char c[600];
	snprintf(c, sizeof c, "rm -rf '%s'", dir);
	return system(c) != 0;
}

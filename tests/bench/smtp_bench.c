/* smtp_bench - sends N messages over C connections and waits until all of them
 * lie in their Maildirs. */
#include "bench_kit.h"

static const char *o_rcpt = "user%d@example.test",
		  *o_from = "sender@example.net", *o_maildir, *o_auth;
static int o_n = 1000, o_conns = 10, o_users = 10, o_per = 1, o_first = 1,
	   o_nrcpt = 1;
static size_t o_size = 4096;
static double o_timeout = 120, o_rate, g_start;
static int g_next, g_done, g_stalled;
static double *g_lat, *g_total;
static bool o_nowait;

/* one answer, all its lines; dies unless its first digit is want */
static void
reply(struct conn *c, char want, bool *pipelining)
{
	char *l;
	do {
		l = conn_line(c, NULL);
		if (pipelining && strstr(l, "PIPELINING"))
			*pipelining = true;
		if (*l != want)
			die("%s: answered: %s", o_label, l);
	} while (l[3] == '-');
}

/* AUTH PLAIN with "user:password" */
static void
login(struct conn *c)
{
	unsigned char raw[512], code[700];
	char b[800];
	const char *colon = strchr(o_auth, ':');
	int n, k;

	if (!colon)
		die("--auth user:password");
	n = snprintf((char *)raw, sizeof raw, "%c%.*s%c%s", 0,
	    (int)(colon - o_auth), o_auth, 0, colon + 1);
	EVP_EncodeBlock(code, raw, n);
	k = snprintf(b, sizeof b, "AUTH PLAIN %s\r\n", (char *)code);
	conn_send(c, b, (size_t)k);
	reply(c, '2', NULL);
}

static struct conn *
session(bool *pl)
{
	struct conn *c = conn_open();
	struct pollfd p = { c->fd, POLLIN, 0 };
	/* a listen queue that overflows leaves the client connected to nobody:
	 * give up after 3 s, as often as needed */
	while (o_tls != 1 && poll(&p, 1, 3000) == 0) {
		__sync_fetch_and_add(&g_stalled, 1);
		conn_close(c);
		c = conn_open();
		p.fd = c->fd;
	}
	reply(c, '2', NULL);
	*pl = false;
	conn_send(c, "EHLO bench.example.net\r\n", 24);
	reply(c, '2', pl);
	if (o_tls == 2) {
		conn_send(c, "STARTTLS\r\n", 10);
		reply(c, '2', NULL);
		conn_tls(c);
		*pl = false;
		conn_send(c, "EHLO bench.example.net\r\n", 24);
		reply(c, '2', pl);
	}
	if (o_auth)
		login(c);
	return c;
}

static void *
worker(void *arg)
{
	struct mbuf m = { 0 };
	struct conn *c = NULL;
	bool pl = false;
	int sent = 0, i;

	(void)arg;
	while ((i = __sync_fetch_and_add(&g_next, 1)) < o_n) {
		char b[8192], r[200];
		int k, nr = 0;
		double t0, t1;

		if (o_rate > 0 && g_start + i / o_rate > now())
			nap(g_start + i / o_rate - now());
		t0 = now();
		make_message(&m, 11, (uint64_t)i, o_size,
		    "\r\n"); /* its texts never start a line with a dot */
		if (!c)
			c = session(&pl);
		k = snprintf(b, sizeof b, "MAIL FROM:<%s>\r\n", o_from);
		if (!pl) {
			conn_send(c, b, (size_t)k);
			reply(c, '2', NULL);
			k = 0;
		}
		for (nr = 0; nr < o_nrcpt; nr++) {
			snprintf(
			    r, sizeof r, o_rcpt, o_first + (i + nr) % o_users);
			k += snprintf(
			    b + k, sizeof b - (size_t)k, "RCPT TO:<%s>\r\n", r);
			if (!pl) {
				conn_send(c, b, (size_t)k);
				reply(c, '2', NULL);
				k = 0;
			}
		}
		k += snprintf(b + k, sizeof b - (size_t)k, "DATA\r\n");
		conn_send(c, b, (size_t)k);
		if (pl)
			for (int j = 0; j < 1 + o_nrcpt; j++)
				reply(c, '2', NULL);
		reply(c, '3', NULL);
		if (m.cap - m.n < 8)
			m.p = realloc(m.p, m.cap += 64);
		memcpy(m.p + m.n, ".\r\n", 3);
		t1 = now();
		conn_send(c, m.p, m.n + 3);
		reply(c, '2', NULL);
		g_lat[i] = now() - t1;
		__sync_fetch_and_add(&g_done, 1);
		if (++sent % o_per == 0) {
			conn_send(c, "QUIT\r\n", 6);
			reply(c, '2', NULL);
			conn_close(c);
			c = NULL;
		}
		g_total[i] = now() - t0;
	}
	if (c) {
		conn_send(c, "QUIT\r\n", 6);
		reply(c, '2', NULL);
		conn_close(c);
	}
	return NULL;
}

static int g_in = -1;
static bool *g_watched;
static char **g_new;
static int g_base, g_seen;

static void
watch_all(void)
{
	for (int u = 0; u < o_users; u++)
		if (!g_watched[u] &&
		    inotify_add_watch(g_in, g_new[u],
			IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) >= 0)
			g_watched[u] = true;
}

static int
count_all(void)
{
	int n = 0;
	for (int u = 0; u < o_users; u++)
		n += count_dir(g_new[u]);
	return n;
}

/* until `want` messages more than at the start lie in the new/ folders; inotify
 * says when to look */
static double
wait_delivered(int want)
{
	double end = now() + o_timeout, last = now();
	char b[65536] __attribute__((aligned(8)));
	struct pollfd p = { g_in, POLLIN, 0 };

	for (;;) {
		ssize_t k;
		while ((k = read(g_in, b, sizeof b)) > 0)
			for (char *q = b; q < b + k;) {
				struct inotify_event *e = (void *)q;
				if (e->mask & (IN_CREATE | IN_MOVED_TO)) {
					g_seen++;
					last = now();
				}
				q += sizeof *e + e->len;
			}
		if (g_seen >= want)
			return last;
		if (now() > end) {
			int n = count_all() - g_base;
			if (n >= want)
				return last;
			die("%s: only %d of %d delivered after %.0f s", o_label,
			    n, want, o_timeout);
		}
		poll(&p, 1, 100);
		if (now() - last > 1 &&
		    count_all() - g_base >= want) /* the watch missed some: a
						     folder made meanwhile */
			return last;
	}
}

int
main(int argc, char **argv)
{
	pthread_t th[1024];
	double t0, t1, t2, c0, c1, s0;
	char x[100];

	if (argc < 2)
		die("usage: smtp_bench [--host H] --port P [--tls|--starttls] "
		    "[--n 1000] [--conns 10] [--per-conn 1] [--size 4096]\n"
		    "  [--rate MESSAGES-A-SECOND]\n"
		    "  [--rcpt user%%d@example.test] [--users 10] [--first 1] "
		    "[--nrcpt 1] [--from A] [--auth USER:PASSWORD] --maildir "
		    "'/path/user%%d/Maildir' | --nowait\n"
		    "  [--timeout S] [--label L] [--pid P]...");
	bench_init();
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
#define OPT(name) (strcmp(a, name) == 0 && ++i)
		if (OPT("--host"))
			o_host = v;
		else if (OPT("--port"))
			o_port = atoi(v);
		else if (strcmp(a, "--tls") == 0)
			o_tls = 1;
		else if (strcmp(a, "--starttls") == 0)
			o_tls = 2;
		else if (strcmp(a, "--nowait") == 0)
			o_nowait = true;
		else if (OPT("--n"))
			o_n = atoi(v);
		else if (OPT("--conns"))
			o_conns = atoi(v);
		else if (OPT("--per-conn"))
			o_per = atoi(v);
		else if (OPT("--rate"))
			o_rate = atof(v);
		else if (OPT("--size"))
			o_size = (size_t)atol(v);
		else if (OPT("--rcpt"))
			o_rcpt = v;
		else if (OPT("--from"))
			o_from = v;
		else if (OPT("--auth"))
			o_auth = v;
		else if (OPT("--users"))
			o_users = atoi(v);
		else if (OPT("--first"))
			o_first = atoi(v);
		else if (OPT("--nrcpt"))
			o_nrcpt = atoi(v);
		else if (OPT("--maildir"))
			o_maildir = v;
		else if (OPT("--timeout"))
			o_timeout = atof(v);
		else if (OPT("--label"))
			o_label = v;
		else if (OPT("--pid")) {
			if (o_npids < MAXPIDS)
				o_pids[o_npids++] = atoi(v);
		} else
			die("unknown argument %s", a);
	}
	if (!o_maildir && !o_nowait)
		die("--maildir or --nowait");
	g_lat = calloc((size_t)o_n, sizeof *g_lat);
	g_total = calloc((size_t)o_n, sizeof *g_total);
	if (!o_nowait) {
		g_in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		g_watched = calloc((size_t)o_users, 1);
		g_new = calloc((size_t)o_users, sizeof *g_new);
		for (int u = 0; u < o_users; u++) {
			char p[1000];
			snprintf(p, sizeof p, o_maildir, o_first + u);
			if (asprintf(&g_new[u], "%s/new", p) < 0)
				die("memory");
		}
		watch_all();
		int missing = 0;
		for (int u = 0; u < o_users; u++)
			missing += !g_watched[u];
		if (missing) { /* one message each makes the Maildirs */
			int n = o_n;
			o_n = o_users;
			double *l = g_lat, *t = g_total, rate = o_rate;
			o_rate = 0;
			g_lat = calloc((size_t)o_n, sizeof *l);
			g_total = calloc((size_t)o_n, sizeof *t);
			g_base = count_all();
			worker(NULL);
			for (int i = 0; i < 100 && missing; i++) {
				nap(0.1);
				watch_all();
				missing = 0;
				for (int u = 0; u < o_users; u++)
					missing += !g_watched[u];
			}
			nap(1);
			g_lat = l;
			g_total = t;
			o_rate = rate;
			o_n = n;
			g_next = g_done = 0;
		}
		char b[65536];
		while (read(g_in, b, sizeof b) > 0)
			;
		g_base = count_all();
	}
	if (o_conns > 1024)
		o_conns = 1024;
	c0 = tree_cpu();
	s0 = self_cpu();
	t0 = g_start = now();
	for (int i = 0; i < o_conns; i++)
		if (pthread_create(&th[i], NULL, worker, NULL))
			die("thread");
	for (int i = 0; i < o_conns; i++)
		pthread_join(th[i], NULL);
	t1 = now();
	t2 = o_nowait ? t1 : wait_delivered(o_n * o_nrcpt);
	nap(0.5); /* the queue's own tidying belongs to the messages' cost */
	c1 = tree_cpu();
	snprintf(x, sizeof x, "smtp.%s.%dconn.%zuB.per%d.x%d%s",
	    o_tls ? "tls" : "plain", o_conns, o_size, o_per, o_nrcpt,
	    o_rate > 0 ? ".paced" : "");
	char y[160];
#define FIG(what, v, unit) \
	(snprintf(y, sizeof y, "%s.%s", x, what), figure(y, v, unit))
	FIG("accepted", o_n / (t1 - t0), "msgs/s");
	FIG("delivered", o_n / (t2 - t0), "msgs/s");
	qsort(g_lat, (size_t)o_n, sizeof *g_lat, cmp_double);
	qsort(g_total, (size_t)o_n, sizeof *g_total, cmp_double);
	FIG("dot-250.p50", quant(g_lat, o_n, .5) * 1e3, "ms");
	FIG("dot-250.p99", quant(g_lat, o_n, .99) * 1e3, "ms");
	FIG("session.p50", quant(g_total, o_n, .5) * 1e3, "ms");
	if (o_npids)
		FIG("server-cpu", (c1 - c0) / o_n * 1000, "s/1000msgs");
	FIG("stalled", g_stalled, "conns");
	FIG("client-cpu", (self_cpu() - s0) / o_n * 1000, "s/1000msgs");
	return 0;
}

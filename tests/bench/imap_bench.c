/* imap_bench - times IMAP operations against any IMAP4rev1 server. */
#include "bench_kit.h"

static const char *o_user = "user1", *o_userfmt = "user%d", *o_pass = "pass",
		  *o_box = "INBOX";
static int o_n, o_conns = 20, o_reps = 3, o_first = 1, o_sub = 10000;
static size_t o_size;
static double o_gap = 1.2; /* idle: rest between two APPENDs */
static double o_rest = 6;  /* idlemem: as long as no process comes or goes */

/* ---- one command, its answer counted ---- */

static struct conn *
imap_open(void)
{
	struct conn *c = conn_open();
	char *l = conn_line(c, NULL);
	if (strncmp(l, "* OK", 4) != 0)
		die("greeting: %s", l);
	if (o_tls == 2) {
		conn_send(c, "s STARTTLS\r\n", 12);
		while (strncmp(l = conn_line(c, NULL), "s ", 2) != 0)
			;
		if (strncmp(l, "s OK", 4) != 0)
			die("STARTTLS: %s", l);
		conn_tls(c);
	}
	return c;
}

static unsigned
count_words(const char *at)
{
	unsigned n = 0;

	for (; *at != '\0'; at++)
		n += at[0] == ' ' && at[1] >= '0' && at[1] <= '9';
	return n;
}

/* reads to the tagged answer; literals are skipped unseen; returns the number
 * of untagged answers, and of what SEARCH found */
static unsigned
imap_wait(struct conn *c, const char *tag, char *text, size_t cap)
{
	unsigned n = 0;
	size_t tl = strlen(tag);
	for (;;) {
		size_t len;
		char *l = conn_line(c, &len);
		if (strncmp(l, "* SEARCH", 8) == 0)
			n += count_words(l + 8);
		else if (*l == '*')
			n++;
		else if (strncmp(l, tag, tl) == 0 && l[tl] == ' ') {
			if (strncmp(l + tl + 1, "OK", 2) != 0)
				die("%s: answered: %s", o_label, l);
			if (text)
				snprintf(text, cap, "%s", l);
			return n;
		}
		while (
		    len > 2 && l[len - 1] == '}') { /* a literal, and the rest
						       of its line after it */
			char *o = memrchr(l, '{', len);
			if (!o)
				break;
			conn_skip(c, (size_t)strtoull(o + 1, NULL, 10));
			l = conn_line(c, &len);
		}
	}
}

static unsigned __attribute__((format(printf, 2, 3)))
cmd(struct conn *c, const char *fmt, ...)
{
	char b[4096], tag[16];
	va_list ap;
	int k = snprintf(b, sizeof b, "a%u ", ++c->tag);
	snprintf(tag, sizeof tag, "a%u", c->tag);
	va_start(ap, fmt);
	k += vsnprintf(b + k, sizeof b - (size_t)k - 3, fmt, ap);
	va_end(ap);
	b[k++] = '\r';
	b[k++] = '\n';
	conn_send(c, b, (size_t)k);
	return imap_wait(c, tag, NULL, 0);
}

static const char *
username(int i)
{
	static __thread char u[128];
	snprintf(u, sizeof u, o_userfmt, i);
	return u;
}

static struct conn *
login(const char *user)
{
	struct conn *c = imap_open();
	cmd(c, "LOGIN %s %s", user, o_pass);
	return c;
}

static unsigned
exists(struct conn *c, const char *box) /* STATUS would do, but not every server
					   has it for the selected box */
{
	char tag[16], b[300];
	unsigned n = 0, v;
	char e;
	snprintf(tag, sizeof tag, "a%u", ++c->tag);
	int k = snprintf(b, sizeof b, "%s SELECT \"%s\"\r\n", tag, box);
	conn_send(c, b, (size_t)k);
	for (;;) {
		char *l = conn_line(c, NULL);
		if (sscanf(l, "* %u EXIST%c", &v, &e) == 2)
			n = v;
		if (strncmp(l, tag, strlen(tag)) == 0) {
			if (!strstr(l, " OK"))
				die("SELECT: %s", l);
			return n;
		}
	}
}

static void
append(struct conn *c, const char *box, const struct mbuf *m, double *sent)
{
	char b[400], tag[16], *l;
	int k;
	snprintf(tag, sizeof tag, "a%u", ++c->tag);
	k = snprintf(b, sizeof b, "%s APPEND \"%s\" {%zu}\r\n", tag, box, m->n);
	conn_send(c, b, (size_t)k);
	while (*(l = conn_line(c, NULL)) != '+')
		if (*l != '*')
			die("APPEND: %s", l);
	conn_send(c, m->p, m->n);
	conn_send(c, "\r\n", 2);
	if (sent)
		*sent = now();
	imap_wait(c, tag, NULL, 0);
}

/* ---- figures ---- */

static double t_cpu0, t_self0, t_0;
static void
start(void)
{
	t_cpu0 = tree_cpu();
	t_self0 = self_cpu();
	t_0 = now();
}
/* prints the time of n operations as a rate, and the server's CPU per
 * operation */
static void
stop(const char *name, double n, const char *unit)
{
	double t = now() - t_0, self = self_cpu() - t_self0,
	       cpu = tree_cpu() - t_cpu0;
	char x[128];
	figure(name, n / t, unit);
	if (o_npids) {
		snprintf(x, sizeof x, "%s.server-cpu", name);
		figure(x, cpu / n * 1e6, "us/op");
	}
	snprintf(x, sizeof x, "%s.client-cpu", name);
	figure(x, self / t * 100, "%");
}
static void
timed(struct conn *c, const char *name, const char *tail, const char *command)
{
	char x[128];
	double c0 = tree_cpu(), t = now();
	uint64_t in = c->in;
	unsigned n = cmd(c, "%s", command);
	t = now() - t;
	snprintf(x, sizeof x, "%s%s", name, tail);
	figure(x, t * 1e3, "ms");
	snprintf(x, sizeof x, "%s%s.server-cpu", name, tail);
	if (o_npids)
		figure(x, (tree_cpu() - c0) * 1e3, "ms");
	snprintf(x, sizeof x, "%s%s.answers", name, tail);
	figure(x, n, "lines");
	snprintf(x, sizeof x, "%s%s.rate", name, tail);
	figure(x, (double)(c->in - in) / t / 1e6, "MB/s");
}

/* ---- login ---- */

static int g_left;
static void *
login_worker(void *arg)
{
	int id = *(int *)arg;
	while (__sync_sub_and_fetch(&g_left, 1) >= 0) {
		struct conn *c = login(username(o_first + id));
		cmd(c, "LOGOUT");
		conn_close(c);
	}
	return NULL;
}
static void *
append_worker(void *arg)
{
	int id = *(int *)arg;
	struct mbuf m = { 0 };
	struct conn *c = login(username(o_first + id));
	while (__sync_sub_and_fetch(&g_left, 1) >= 0) {
		make_message(&m, 7, (uint64_t)g_left, o_size, "\r\n");
		append(c, o_box, &m, NULL);
	}
	cmd(c, "LOGOUT");
	conn_close(c);
	return NULL;
}
static int g_same; /* append: all connections to one user's mailbox */
static void *
append_same_worker(void *arg)
{
	int z = 0;
	(void)arg;
	return append_worker(&z);
}
static void
workers(void *(*f)(void *), int conns)
{
	pthread_t th[512];
	int id[512];
	if (conns > 512)
		conns = 512;
	for (int i = 0; i < conns; i++) {
		id[i] = i;
		if (pthread_create(&th[i], NULL, f, &id[i]))
			die("thread");
	}
	for (int i = 0; i < conns; i++)
		pthread_join(th[i], NULL);
}
static void
b_login(void)
{
	int n = o_n ? o_n : 500, cs[2] = { 1, o_conns };
	for (int k = 0; k < (o_conns > 1 ? 2 : 1); k++)
		for (int r = 0; r < o_reps; r++) {
			char x[64];
			g_left = n;
			start();
			workers(login_worker, cs[k]);
			snprintf(x, sizeof x, "login.%s.%dconn",
			    o_tls ? "tls" : "plain", cs[k]);
			stop(x, n, "logins/s");
		}
}

/* a storm: many commands of no weight on one connection, the floor of a
 * command's round trip */
static void
b_noop(void)
{
	int n = o_n ? o_n : 20000;
	for (int r = 0; r < o_reps; r++) {
		struct conn *c = login(o_user);
		cmd(c, "SELECT \"%s\"", o_box);
		start();
		for (int i = 0; i < n; i++)
			cmd(c, "NOOP");
		stop("noop", n, "cmds/s");
		conn_close(c);
	}
}

/* ---- one big mailbox, read only ---- */

static void
b_select(void)
{
	for (int r = 0; r < o_reps + 1; r++) {
		char x[300];
		struct conn *c = login(o_user);
		snprintf(x, sizeof x, "SELECT \"%s\"", o_box);
		timed(c, "select", r ? ".warm" : ".first", x);
		cmd(c, "LOGOUT");
		conn_close(c);
	}
}
static void
b_fetch(const char *name, const char *what)
{
	for (int r = 0; r < o_reps + 1; r++) {
		char x[300];
		struct conn *c = login(o_user);
		cmd(c, "EXAMINE \"%s\"", o_box);
		snprintf(x, sizeof x, "FETCH 1:* %s", what);
		timed(c, name, r ? ".warm" : ".first", x);
		cmd(c, "LOGOUT");
		conn_close(c);
	}
}
static void
b_download(void)
{
	for (int r = 0; r < o_reps; r++) {
		struct conn *c = login(o_user);
		unsigned n = exists(c, o_box),
			 m = n < (unsigned)o_sub ? n : (unsigned)o_sub;
		char x[64];
		snprintf(x, sizeof x, "FETCH 1:%u BODY.PEEK[]", m);
		timed(c, "download", o_tls ? ".tls" : "", x);
		/* one by one, as a client that reads does */
		start();
		for (unsigned i = 0; i < 1000 && i < n; i++)
			cmd(c, "FETCH %u (UID BODY.PEEK[])",
			    1 + (i * 7919) % n);
		stop(o_tls ? "fetch-one.tls" : "fetch-one", n < 1000 ? n : 1000,
		    "cmds/s");
		conn_close(c);
	}
}
static void
b_search(void)
{
	static const char *const q[][2] = { { "search.unseen",
						"SEARCH UNSEEN" },
		{ "search.since", "SEARCH SINCE 1-Jun-2021" },
		{ "search.subject", "SEARCH SUBJECT zebra" },
		{ "search.from", "SEARCH FROM sender123" },
		{ "search.uidrange", "UID SEARCH UID 1:*" },
		{ "search.body", "SEARCH BODY zebrafish" },
		{ "search.text", "SEARCH TEXT zebrafish" } };
	for (size_t i = 0; i < sizeof q / sizeof *q; i++)
		for (int r = 0; r < 2; r++) {
			struct conn *c = login(o_user);
			cmd(c, "EXAMINE \"%s\"", o_box);
			timed(c, q[i][0], r ? ".warm" : ".first", q[i][1]);
			conn_close(c);
		}
}

/* ---- writes; the mailbox is changed, its last state is: the first SUB
 * messages gone ---- */

static void
b_store(void)
{
	char x[128];
	for (int r = 0; r < o_reps; r++) {
		struct conn *c = login(o_user);
		cmd(c, "SELECT \"%s\"", o_box);
		snprintf(
		    x, sizeof x, "STORE 1:%d +FLAGS.SILENT (\\Flagged)", o_sub);
		timed(c, "store.bulk.add", "", x);
		snprintf(
		    x, sizeof x, "STORE 1:%d -FLAGS.SILENT (\\Flagged)", o_sub);
		timed(c, "store.bulk.del", "", x);
		conn_close(c);
	}
}

/* one by one, all over the mailbox, each answered before the next */
static void
store_each(const char *name, char sign)
{
	for (int r = 0; r < o_reps; r++) {
		struct conn *c = login(o_user);
		unsigned n = exists(c, o_box), m = o_n ? (unsigned)o_n : 1000;
		/* One that has the flag already would cost nothing. */
		if (m > n)
			m = n;
		start();
		for (unsigned i = 0; i < m; i++)
			cmd(c, "STORE %u %cFLAGS.SILENT (\\Answered)",
			    1 + (unsigned)((i * 7919ull) % n),
			    r % 2 ? '+' + '-' - sign : sign);
		stop(name, m, "cmds/s");
		conn_close(c);
	}
}
static void
b_store_one(void)
{
	store_each("store.one", '+');
}
/* behind those of store, whose files may still be renamed */
static void
b_store_behind(void)
{
	store_each("store.one.behind", '-');
}

/* single messages read, as fetch-one of download, but no more than their
 * rows */
static void
b_fetch_row(void)
{
	for (int r = 0; r < o_reps; r++) {
		struct conn *c = login(o_user);
		unsigned n = exists(c, o_box), m = o_n ? (unsigned)o_n : 1000;
		start();
		for (unsigned i = 0; i < m; i++)
			cmd(c, "FETCH %u (UID FLAGS ENVELOPE)",
			    1 + (unsigned)((i * 7919ull) % n));
		stop("fetch-row", m, "cmds/s");
		conn_close(c);
	}
}

/* many mailboxes: made one by one, listed with and without STATUS */
static void
b_mailboxes(void)
{
	int n = o_n ? o_n : 10000;
	struct conn *c = login(o_user);
	start();
	for (int i = 0; i < n; i++)
		cmd(c, "CREATE F%02d/M%05d", i % 100, i);
	stop("mailboxes.create", n, "cmds/s");
	for (int r = 0; r < 2; r++) {
		timed(
		    c, "mailboxes.list", r ? ".warm" : ".first", "LIST \"\" *");
		timed(c, "mailboxes.list-status", r ? ".warm" : ".first",
		    "LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))");
	}
	conn_close(c);
}
static void
b_copy(void)
{
	char x[128];
	struct conn *c = login(o_user);
	for (int r = 0; r < o_reps; r++) {
		cmd(c, "CREATE copy%d", r);
		cmd(c, "SELECT \"%s\"", o_box);
		snprintf(x, sizeof x, "COPY 1:%d copy%d", o_sub / 10, r);
		timed(c, "copy", "", x);
		cmd(c, "CLOSE");
		cmd(c, "DELETE copy%d", r);
	}
	conn_close(c);
}
static void
b_expunge(void)
{
	char x[128];
	for (int r = 0; r < o_reps; r++) {
		struct conn *c = login(o_user);
		cmd(c, "SELECT \"%s\"", o_box);
		snprintf(
		    x, sizeof x, "STORE 1:%d +FLAGS.SILENT (\\Deleted)", o_sub);
		timed(c, "store.deleted", "", x);
		timed(c, "expunge", "", "EXPUNGE");
		conn_close(c);
	}
}
static void
b_append(void)
{
	int n = o_n ? o_n : 500;
	char x[64];
	for (int r = 0; r < o_reps; r++) {
		g_left = n;
		start();
		workers(append_worker, 1);
		stop("append.1conn", n, "msgs/s");
	}
	for (int r = 0; r < o_reps; r++) {
		g_left = 4 * n;
		start();
		workers(append_worker, o_conns);
		snprintf(
		    x, sizeof x, "append.%dconn.%dusers", o_conns, o_conns);
		stop(x, 4 * n, "msgs/s");
	}
	for (int r = 0; r < o_reps; r++) {
		g_same = 1;
		g_left = 2 * n;
		start();
		workers(append_same_worker, o_conns);
		snprintf(x, sizeof x, "append.%dconn.1user", o_conns);
		stop(x, 2 * n, "msgs/s");
	}
}

/* ---- MULTIAPPEND: as append.1conn, so many messages a command ---- */

static void
b_multiappend(void)
{
	int n = o_n ? o_n : 500, a_command = 100;
	struct mbuf m = { 0 };
	struct conn *c = login(username(o_first));
	char b[400], tag[16];

	for (int r = 0; r < o_reps; r++) {
		start();
		for (int i = 0; i < n; i++) {
			if (i % a_command == 0) {
				snprintf(tag, sizeof tag, "a%u", ++c->tag);
				conn_send(c, b,
				    (size_t)snprintf(b, sizeof b,
					"%s APPEND \"%s\"", tag, o_box));
			}
			make_message(&m, 7, (uint64_t)i, o_size, "\r\n");
			conn_send(c, b,
			    (size_t)snprintf(b, sizeof b, " {%zu+}\r\n", m.n));
			conn_send(c, m.p, m.n);
			if ((i + 1) % a_command == 0 || i + 1 == n) {
				conn_send(c, "\r\n", 2);
				imap_wait(c, tag, NULL, 0);
			}
		}
		stop("append.1conn.multi", n, "msgs/s");
	}
	conn_close(c);
}

/* ---- IDLE: latency and memory ---- */

static void
b_idle(void)
{
	int n = o_n ? o_n : 30;
	double *v = calloc((size_t)n, sizeof *v),
	       *ok = calloc((size_t)n, sizeof *ok);
	struct mbuf m = { 0 };
	struct conn *a = login(o_user), *b = login(o_user);
	char *l;

	cmd(a, "SELECT \"%s\"", o_box);
	conn_send(a, "i IDLE\r\n", 8);
	while (*(l = conn_line(a, NULL)) != '+')
		;
	nap(1.0);
	for (int i = 0; i < n; i++) {
		double t0;
		make_message(&m, 9, (uint64_t)i, 4096, "\r\n");
		append(b, o_box, &m, &t0);
		ok[i] = now() - t0;
		unsigned e;
		char s;
		do
			l = conn_line(a, NULL);
		while (sscanf(l, "* %u EXIST%c", &e, &s) != 2);
		v[i] = now() - t0;
		nap(o_gap + (i % 7) * 0.03);
	}
	qsort(v, (size_t)n, sizeof *v, cmp_double);
	qsort(ok, (size_t)n, sizeof *ok, cmp_double);
	figure("idle.append-to-exists.p50", quant(v, n, .5) * 1e3, "ms");
	figure("idle.append-to-exists.p99", quant(v, n, .99) * 1e3, "ms");
	figure("idle.append-to-exists.max", v[n - 1] * 1e3, "ms");
	figure("idle.append-to-ok.p50", quant(ok, n, .5) * 1e3, "ms");
	conn_send(a, "DONE\r\n", 6);
	imap_wait(a, "i", NULL, 0);
	conn_close(a);
	conn_close(b);
}

/* What is measured then is what stays: a process that only lingers is gone. */
static void
come_to_rest(void)
{
	double since = now(), end = since + 300;
	int count = -1, was;
	double ignored;

	while (now() < end && now() - since < o_rest) {
		was = count;
		tree(NULL, &count, &ignored, &ignored);
		if (count != was)
			since = now();
		nap(1);
	}
}

static void
b_idlemem(void)
{
	int n = o_n ? o_n : 500, p0, p1;
	double pss0, uss0, pss1, uss1, t;
	struct conn **v = calloc((size_t)n, sizeof *v);
	char x[64];

	if (!o_npids)
		die("idlemem needs --pid");
	/* every mailbox was opened once before: what is measured is a
	 * connection's memory, not first-time work */
	for (int i = 0; i < n; i++) {
		struct conn *c = login(username(o_first + i));
		cmd(c, "SELECT \"%s\"", o_box);
		cmd(c, "LOGOUT");
		conn_close(c);
	}
	come_to_rest();
	tree(NULL, &p0, &pss0, &uss0);
	t = now();
	for (int i = 0; i < n; i++) {
		char *l;
		v[i] = login(username(o_first + i));
		cmd(v[i], "SELECT \"%s\"", o_box);
		conn_send(v[i], "i IDLE\r\n", 8);
		while (*(l = conn_line(v[i], NULL)) != '+')
			;
		v[i]->buf = realloc(
		    v[i]->buf, 4096); /* the generator's own memory stays small;
					 nothing is read any more */
	}
	t = now() - t;
	come_to_rest(); /* idle, not just connected */
	tree(NULL, &p1, &pss1, &uss1);
	snprintf(x, sizeof x, "idlemem.%d%s.pss", n, o_tls ? ".tls" : "");
	figure(x, (pss1 - pss0) / n, "KiB/conn");
	snprintf(x, sizeof x, "idlemem.%d%s.private", n, o_tls ? ".tls" : "");
	figure(x, (uss1 - uss0) / n, "KiB/conn");
	snprintf(x, sizeof x, "idlemem.%d%s.base", n, o_tls ? ".tls" : "");
	figure(x, pss0, "KiB");
	snprintf(x, sizeof x, "idlemem.%d%s.total", n,
	    o_tls ? ".tls"
		  : ""); /* what counts where processes are kept for reuse */
	figure(x, pss1 / n, "KiB/conn");
	snprintf(x, sizeof x, "idlemem.%d%s.processes", n, o_tls ? ".tls" : "");
	figure(x, (double)(p1 - p0) / n, "procs/conn");
	snprintf(x, sizeof x, "idlemem.%d%s.setup", n, o_tls ? ".tls" : "");
	figure(x, n / t, "conns/s");
	double c0 = tree_cpu();
	nap(10);
	snprintf(x, sizeof x, "idlemem.%d%s.idle-cpu", n, o_tls ? ".tls" : "");
	figure(x, (tree_cpu() - c0) / 10 * 100, "% of a core");
	/* closed without LOGOUT, as clients do */
	for (int i = 0; i < n; i++)
		close(v[i]->fd);
}

static const struct {
	const char *name;
	void (*f)(void);
} tests[] = { { "login", b_login }, { "noop", b_noop }, { "select", b_select },
	{ "download", b_download }, { "search", b_search },
	{ "store", b_store }, { "store-one", b_store_one },
	{ "store-behind", b_store_behind }, { "fetch-row", b_fetch_row },
	{ "mailboxes", b_mailboxes }, { "copy", b_copy },
	{ "expunge", b_expunge }, { "append", b_append },
	{ "multiappend", b_multiappend }, { "idle", b_idle },
	{ "idlemem", b_idlemem } };

int
main(int argc, char **argv)
{
	bool did = false;
	if (argc < 2)
		die("usage: imap_bench [--host H] --port P [--tls|--starttls] "
		    "[--user U] [--userfmt user%%d] [--first I] [--pass PW]\n"
		    "  [--box INBOX] [--n N] [--conns C] [--reps R] [--sub "
		    "10000] [--size BYTES] [--gap S] [--rest S] [--prefix P] "
		    "[--label L] [--pid P]... "
		    "TEST...\n"
		    "tests: login noop select flags envelope bodystructure "
		    "headers download search store store-one store-behind "
		    "fetch-row "
		    "mailboxes "
		    "copy expunge append multiappend idle idlemem");
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
		else if (OPT("--user"))
			o_user = v;
		else if (OPT("--userfmt"))
			o_userfmt = v;
		else if (OPT("--first"))
			o_first = atoi(v);
		else if (OPT("--pass"))
			o_pass = v;
		else if (OPT("--box"))
			o_box = v;
		else if (OPT("--n"))
			o_n = atoi(v);
		else if (OPT("--conns"))
			o_conns = atoi(v);
		else if (OPT("--reps"))
			o_reps = atoi(v);
		else if (OPT("--sub"))
			o_sub = atoi(v);
		else if (OPT("--size"))
			o_size = (size_t)atol(v);
		else if (OPT("--gap"))
			o_gap = atof(v);
		else if (OPT("--prefix"))
			o_prefix = v;
		else if (OPT("--rest"))
			o_rest = atof(v);
		else if (OPT("--label"))
			o_label = v;
		else if (OPT("--pid")) {
			if (o_npids < MAXPIDS)
				o_pids[o_npids++] = atoi(v);
		} else if (strcmp(a, "flags") == 0)
			b_fetch("fetch.flags-uid", "(FLAGS UID)"), did = true;
		else if (strcmp(a, "envelope") == 0)
			b_fetch("fetch.envelope", "(UID ENVELOPE)"), did = true;
		else if (strcmp(a, "bodystructure") == 0)
			b_fetch("fetch.bodystructure", "(UID BODYSTRUCTURE)"),
			    did = true;
		else if (strcmp(a, "headers") == 0)
			b_fetch("fetch.headers",
			    "(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS "
			    "(From To Cc Bcc Subject Date "
			    "Message-ID Priority X-Priority References "
			    "Newsgroups In-Reply-To Content-Type)])"),
			    did = true;
		else {
			size_t k;
			for (k = 0; k < sizeof tests / sizeof *tests &&
				    strcmp(a, tests[k].name) != 0;
			     k++)
				;
			if (k == sizeof tests / sizeof *tests)
				die("unknown argument %s", a);
			tests[k].f();
			did = true;
		}
	}
	return did ? 0 : 1;
}

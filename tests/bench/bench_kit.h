/* bench_kit.h - what imap_bench, smtp_bench and phys share: clocks, sockets
 * with or without TLS, figures, process-tree CPU and memory, and a
 * deterministic message generator. */
#ifndef BENCH_KIT_H
#define BENCH_KIT_H
#pragma GCC diagnostic ignored "-Wunused-function"
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAXPIDS 16

static const char *o_host = "127.0.0.1", *o_label = "", *o_prefix = "";
static int o_port, o_tls; /* 0 plain, 1 TLS from the first byte, 2 STARTTLS */
static int o_pids[MAXPIDS], o_npids;
static SSL_CTX *g_ctx;

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
nap(double s)
{
	struct timespec t = { (time_t)s,
		(long)((s - (double)(time_t)s) * 1e9) };
	nanosleep(&t, NULL);
}

static double
self_cpu(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return r.ru_utime.tv_sec + r.ru_stime.tv_sec +
	       (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* one figure a line: label, name, value, unit */
static void __attribute__((unused))
figure(const char *name, double v, const char *unit)
{
	printf("%s\t%s%s\t%.6g\t%s\n", o_label, o_prefix, name, v, unit);
	fflush(stdout);
}

static int __attribute__((unused)) cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* q of n sorted values */
static double __attribute__((unused)) quant(const double *v, int n, double q)
{
	int i = (int)(q * (n - 1) + 0.5);
	return n > 0 ? v[i] : 0;
}

/* ---- process trees: --pid P counts P and all its descendants ---- */

struct proc {
	int pid, ppid;
	double cpu;
};

static int
proc_list(struct proc *v, int max)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;
	double hz = (double)sysconf(_SC_CLK_TCK);

	while (d && (e = readdir(d)) != NULL && n < max) {
		char p[300], b[1024], *q;
		int fd, k;
		unsigned long u, s, cu, cs;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(p, sizeof p, "/proc/%s/stat", e->d_name);
		if ((fd = open(p, O_RDONLY)) < 0)
			continue;
		k = (int)read(fd, b, sizeof b - 1);
		close(fd);
		if (k <= 0)
			continue;
		b[k] = 0;
		if ((q = strrchr(b, ')')) == NULL)
			continue;
		if (sscanf(q + 2,
			"%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu "
			"%lu %lu",
			&v[n].ppid, &u, &s, &cu, &cs) != 5)
			continue;
		v[n].pid = atoi(e->d_name);
		v[n].cpu = (u + s + cu + cs) / hz;
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

/* sums over the trees of --pid: CPU seconds (with reaped children), processes,
 * PSS and private KiB */
static void
tree(double *cpu, int *procs, double *pss_kib, double *uss_kib)
{
	enum {
		MAX = 32768
	};
	struct proc *v = malloc(sizeof *v * MAX);
	char *in = calloc(MAX, 1);
	int n = proc_list(v, MAX), more = 1;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < o_npids; j++)
			if (v[i].pid == o_pids[j])
				in[i] = 1;
	while (more) {
		more = 0;
		for (int i = 0; i < n; i++)
			for (int j = 0; !in[i] && j < n; j++)
				if (in[j] && v[i].ppid == v[j].pid)
					in[i] = 1, more = 1;
	}
	if (cpu)
		*cpu = 0;
	if (procs)
		*procs = 0;
	if (pss_kib)
		*pss_kib = *uss_kib = 0;
	for (int i = 0; i < n; i++) {
		if (!in[i])
			continue;
		if (cpu)
			*cpu += v[i].cpu;
		if (procs)
			++*procs;
		if (pss_kib) {
			char p[64], l[256];
			FILE *f;
			long k;
			snprintf(
			    p, sizeof p, "/proc/%d/smaps_rollup", v[i].pid);
			if ((f = fopen(p, "r")) == NULL)
				continue;
			while (fgets(l, sizeof l, f)) {
				if (sscanf(l, "Pss: %ld", &k) == 1)
					*pss_kib += k;
				else if (sscanf(l, "Private_Clean: %ld", &k) ==
					     1 ||
					 sscanf(l, "Private_Dirty: %ld", &k) ==
					     1)
					*uss_kib += k;
			}
			fclose(f);
		}
	}
	free(v);
	free(in);
}

static double
tree_cpu(void)
{
	double c = 0;
	if (o_npids)
		tree(&c, NULL, NULL, NULL);
	return c;
}

/* ---- connections ---- */

#define RB (4u << 20) /* a SEARCH answer is one line */
struct conn {
	int fd;
	SSL *ssl;
	char *buf;
	size_t r, w; /* unread bytes are buf[r..w) */
	uint64_t in; /* bytes received */
	unsigned tag;
};

static void
conn_fill(struct conn *c)
{
	ssize_t k;
	if (c->r == c->w)
		c->r = c->w = 0;
	else if (c->w == RB) {
		memmove(c->buf, c->buf + c->r, c->w - c->r);
		c->w -= c->r;
		c->r = 0;
		if (c->w == RB)
			die("line too long");
	}
	if (c->ssl)
		k = SSL_read(c->ssl, c->buf + c->w, (int)(RB - c->w));
	else
		do
			k = recv(c->fd, c->buf + c->w, RB - c->w, 0);
		while (k < 0 && errno == EINTR);
	if (k <= 0)
		die("%s: connection lost (%s)", o_label,
		    k < 0 ? strerror(errno) : "closed by the server");
	c->w += (size_t)k;
	c->in += (uint64_t)k;
}

static void
conn_send(struct conn *c, const void *p, size_t n)
{
	const char *s = p;
	while (n) {
		ssize_t k;
		if (c->ssl)
			k = SSL_write(
			    c->ssl, s, n > 1 << 20 ? 1 << 20 : (int)n);
		else
			k = send(c->fd, s, n, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			die("%s: send: %s", o_label, strerror(errno));
		s += k;
		n -= (size_t)k;
	}
}

/* next line, CRLF cut off and NUL added; valid until the next read */
static char *
conn_line(struct conn *c, size_t *len)
{
	size_t seen = 0;
	for (;;) {
		char *nl =
		    memchr(c->buf + c->r + seen, '\n', c->w - c->r - seen);
		if (nl) {
			char *s = c->buf + c->r;
			size_t n = (size_t)(nl - s);
			c->r += n + 1;
			if (n && s[n - 1] == '\r')
				n--;
			s[n] = 0;
			if (len)
				*len = n;
			return s;
		}
		seen = c->w - c->r;
		conn_fill(c);
	}
}

static void __attribute__((unused)) conn_skip(struct conn *c, size_t n)
{
	while (n) {
		size_t k = c->w - c->r;
		if (k == 0) {
			conn_fill(c);
			continue;
		}
		if (k > n)
			k = n;
		c->r += k;
		n -= k;
	}
}

static void
conn_tls(struct conn *c)
{
	c->ssl = SSL_new(g_ctx);
	SSL_set_fd(c->ssl, c->fd);
	if (SSL_connect(c->ssl) != 1) {
		ERR_print_errors_fp(stderr);
		die("%s: TLS handshake failed", o_label);
	}
}

static struct conn *
conn_open(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)o_port) };
	struct conn *c = calloc(1, sizeof *c);
	int one = 1;

	if (inet_pton(AF_INET, o_host, &a.sin_addr) != 1)
		die("host: an IPv4 address is needed");
	c->buf = malloc(RB + 1);
	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0)
		die("connect %s:%d: %s", o_host, o_port, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (o_tls == 1)
		conn_tls(c);
	return c;
}

static void
conn_close(struct conn *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	close(c->fd);
	free(c->buf);
	free(c);
}

static void
bench_init(void)
{
	signal(SIGPIPE, SIG_IGN);
	g_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(g_ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(
	    g_ctx, SSL_SESS_CACHE_OFF); /* every login pays a full handshake */
}

/* ---- messages: the same for the same (seed, index) on every machine ---- */

static uint64_t
mix(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ULL);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static const char *const words[] = { "the", "of", "and", "to", "in", "we",
	"for", "is", "on", "that", "with", "you", "report", "meeting",
	"invoice", "server", "please", "attached", "tomorrow", "budget",
	"quarter", "review", "update", "project", "thanks", "regards",
	"schedule", "customer", "delivery", "contract", "number", "question",
	"answer", "account", "system", "network", "backup", "release",
	"version", "problem", "solution", "morning", "weekend", "holiday",
	"travel", "ticket", "flight", "hotel", "dinner", "garden", "family",
	"music", "photo", "letter", "newsletter", "offer", "discount",
	"payment", "order", "shipping", "address" };
#define NW (sizeof words / sizeof *words)

struct mbuf {
	char *p;
	size_t n, cap;
};

static void __attribute__((format(printf, 2, 3)))
mput(struct mbuf *b, const char *fmt, ...)
{
	va_list ap;
	int k;
	if (b->cap - b->n < 2048)
		b->p = realloc(b->p, b->cap = b->cap * 2 + 8192);
	va_start(ap, fmt);
	k = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
	va_end(ap);
	b->n += (size_t)k;
}

static void
mtext(struct mbuf *b, uint64_t *s, size_t bytes, int html, const char *nl)
{
	size_t end = b->n + bytes, col = 0;
	if (html)
		mput(b, "<html><body><p>");
	while (b->n < end) {
		const char *w = words[mix(s) % NW];
		if (b->cap - b->n < 256)
			b->p = realloc(b->p, b->cap = b->cap * 2 + 8192);
		size_t l = strlen(w);
		memcpy(b->p + b->n, w, l);
		b->n += l;
		col += l + 1;
		if (col > 68) {
			mput(b, "%s%s", html ? "<br>" : "", nl);
			col = 0;
		} else
			b->p[b->n++] = ' ';
	}
	mput(b, "%s%s", html ? "</p></body></html>" : "", nl);
}

static void
mb64(struct mbuf *b, uint64_t *s, size_t bytes, const char *nl)
{
	static const char al[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < bytes; i += 76) {
		if (b->cap - b->n < 256)
			b->p = realloc(b->p, b->cap = b->cap * 2 + 8192);
		for (int j = 0; j < 76; j += 8) {
			uint64_t x = mix(s);
			for (int k = 0; k < 8 && j + k < 76; k++, x >>= 6)
				b->p[b->n++] = al[x & 63];
		}
		mput(b, "%s", nl);
	}
}

/* size 0: a realistic mix (half plain text, a third text+HTML, the rest with an
 * attachment; about 5 KiB median); otherwise a plain text message of about that
 * many bytes */
static void
make_message(
    struct mbuf *b, uint64_t seed, uint64_t idx, size_t size, const char *nl)
{
	static const char *const mon[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	static const char *const day[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	uint64_t s = seed * 0x100000001b3ULL + idx * 0x9e3779b97f4a7c15ULL;
	time_t t = 1577836800 + (time_t)idx * 911 + (time_t)(mix(&s) % 900);
	struct tm tm;
	unsigned from = (unsigned)(mix(&s) % 500),
		 to = (unsigned)(mix(&s) % 50),
		 kind = (unsigned)(mix(&s) % 100);
	char date[64];
	size_t body;

	gmtime_r(&t, &tm);
	snprintf(date, sizeof date, "%s, %d %s %d %02d:%02d:%02d +0000",
	    day[tm.tm_wday], tm.tm_mday, mon[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	b->n = 0;
	for (int i = 0; i < 3; i++)
		mput(b,
		    "Received: from relay%u.example.net (relay%u.example.net "
		    "[192.0.2.%u])%s\tby mx%d.example.test with "
		    "ESMTPS id %08llx%04x%s\tfor <user%u@example.test>; %s%s",
		    from % 7, from % 7, from % 250, nl, i,
		    (unsigned long long)(idx * 2654435761u % 0xffffffffu), i,
		    nl, to, date, nl);
	mput(b, "Message-ID: <%llu.%llu.%u@host%u.example.net>%s",
	    (unsigned long long)seed, (unsigned long long)idx, from, from % 31,
	    nl);
	if (idx % 3 == 2)
		mput(b,
		    "In-Reply-To: "
		    "<%llu.%llu.%u@host%u.example.net>%sReferences: "
		    "<%llu.%llu.%u@host%u.example.net>%s",
		    (unsigned long long)seed, (unsigned long long)idx - 1, from,
		    from % 31, nl, (unsigned long long)seed,
		    (unsigned long long)idx - 2, from, from % 31, nl);
	mput(b,
	    "Date: %s%sFrom: %s <sender%u@example.net>%sTo: \"User %u\" "
	    "<user%u@example.test>%s",
	    date, nl,
	    from % 5 ? "\"Sender Name\"" : "=?UTF-8?Q?J=C3=B6rg_M=C3=BCller?=",
	    from, nl, to, to, nl);
	if (kind % 4 == 0)
		mput(b, "Cc: colleague%u@example.test, another%u@example.net%s",
		    from % 9, to % 9, nl);
	mput(b, "Subject: %s%s %s %s %llu%s", idx % 3 == 2 ? "Re: " : "",
	    words[mix(&s) % NW], words[mix(&s) % NW], words[mix(&s) % NW],
	    (unsigned long long)idx, nl);
	mput(b, "MIME-Version: 1.0%sUser-Agent: bench/1%s", nl, nl);
	if (size) {
		mput(b, "Content-Type: text/plain; charset=utf-8%s%s", nl, nl);
		if (size > b->n + 2)
			mtext(b, &s, size - b->n - 2, 0, nl);
		return;
	}
	body = 600 + mix(&s) % 2400 + (mix(&s) % 10 == 0 ? mix(&s) % 12000 : 0);
	if (kind < 50) {
		mput(b,
		    "Content-Type: text/plain; "
		    "charset=utf-8%sContent-Transfer-Encoding: 7bit%s%s",
		    nl, nl, nl);
		mtext(b, &s, body, 0, nl);
		return;
	}
	mput(b, "Content-Type: multipart/%s; boundary=\"b%llu\"%s%s",
	    kind < 85 ? "alternative" : "mixed", (unsigned long long)idx, nl,
	    nl);
	mput(b, "--b%llu%sContent-Type: text/plain; charset=utf-8%s%s",
	    (unsigned long long)idx, nl, nl, nl);
	mtext(b, &s, body, 0, nl);
	if (kind < 85) {
		mput(b, "--b%llu%sContent-Type: text/html; charset=utf-8%s%s",
		    (unsigned long long)idx, nl, nl, nl);
		mtext(b, &s, body * 2, 1, nl);
	} else {
		mput(b,
		    "--b%llu%sContent-Type: application/pdf; "
		    "name=\"file%llu.pdf\"%sContent-Transfer-Encoding: base64%s"
		    "Content-Disposition: attachment; "
		    "filename=\"file%llu.pdf\"%s%s",
		    (unsigned long long)idx, nl, (unsigned long long)idx, nl,
		    nl, (unsigned long long)idx, nl, nl);
		mb64(b, &s, 4000 + mix(&s) % 40000, nl);
	}
	mput(b, "--b%llu--%s", (unsigned long long)idx, nl);
}

static int __attribute__((unused)) count_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;
	while (d && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}
#endif

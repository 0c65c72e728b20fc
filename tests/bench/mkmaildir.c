/* mkmaildir DIR N [SIZE [SEED [UID GID]]] - fill DIR/cur with N deterministic
 * seen/unseen messages, no fsync. mkmaildir -m FILE N - the same messages as an
 * mbox. */
#include "bench_kit.h"

int
main(int argc, char **argv)
{
	struct mbuf b = { 0 };
	uint64_t total = 0;
	bool mbox = argc > 1 && strcmp(argv[1], "-m") == 0;

	if (argc < 3 || (mbox && argc < 4))
		die("usage: mkmaildir DIR N [SIZE [SEED [UID GID]]] | "
		    "mkmaildir -m FILE N");
	if (mbox) {
		FILE *f = fopen(argv[2], "w");
		if (!f)
			die("%s: %s", argv[2], strerror(errno));
		for (int i = 0; i < atoi(argv[3]); i++) {
			make_message(&b, 1, (uint64_t)i, 0, "\n");
			fprintf(f,
			    "From sender@example.net Wed Jan  1 00:00:00 "
			    "2020\n%.*s\n",
			    (int)b.n, b.p);
		}
		return fclose(f) != 0;
	}
	int n = atoi(argv[2]);
	size_t size = argc > 3 ? (size_t)atol(argv[3]) : 0;
	uint64_t seed = argc > 4 ? (uint64_t)atoll(argv[4]) : 1;
	uid_t u = argc > 6 ? (uid_t)atoi(argv[5]) : 0;
	gid_t g = argc > 6 ? (gid_t)atoi(argv[6]) : 0;
	const char *sub[] = { "", "/cur", "/new", "/tmp" };
	char p[1200];

	for (int i = 0; i < 4; i++) {
		snprintf(p, sizeof p, "%s%s", argv[1], sub[i]);
		if (mkdir(p, 0700) < 0 && errno != EEXIST)
			die("%s: %s", p, strerror(errno));
		if (argc > 6 && chown(p, u, g) < 0)
			die("chown %s", p);
	}
	for (int i = 0; i < n; i++) {
		struct timespec ts[2];
		make_message(&b, seed, (uint64_t)i, size, "\n");
		snprintf(p, sizeof p, "%s/cur/%d.M%dP1.bench,S=%zu:2,%s",
		    argv[1], 1577836800 + i * 911, i, b.n, i % 4 ? "S" : "");
		int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || write(fd, b.p, b.n) != (ssize_t)b.n)
			die("%s: %s", p, strerror(errno));
		if (argc > 6 && fchown(fd, u, g) < 0)
			die("fchown");
		ts[0].tv_sec = ts[1].tv_sec = 1577836800 + i * 911;
		ts[0].tv_nsec = ts[1].tv_nsec = 0;
		futimens(fd, ts);
		close(fd);
		total += b.n;
	}
	printf("%d messages, %.1f MB, mean %.0f bytes\n", n, total / 1e6,
	    (double)total / n);
	return 0;
}

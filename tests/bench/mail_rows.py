"""Rows of mail in and out: each is a function of the bench that runs it
(tests/bench/run), and closes with what is wanted of the figures."""
import contextlib
import os
import pathlib
import smtplib
import socket
import socketserver
import ssl
import statistics
import subprocess
import tempfile
import threading
import time

import connection_rows
from servers import Firnmail, command, count_files, free_ports, wait_until

MANY = 10000  # accounts of the row `accounts`,
WORKERS = 500  # and how many may be active, as without max-workers
QUEUED = 100000  # messages of the row `queued`
SMALL, LARGE = 4096, 51200

# Figure, peer, how it is compared ("times": ours / peer; "least" and "most": ours
# alone), and what is wanted.
WANTED = (
    ("smtp.plain.1conn.4096B.per1.x1.delivered", "postfix", "times", 2),
    ("smtp.plain.10conn.4096B.per1.x1.delivered", "postfix", "times", 3),
    ("smtp.plain.50conn.4096B.per1.x1.delivered", "postfix", "times", 6),
    ("smtp.plain.1conn.51200B.per1.x1.delivered", "postfix", "times", 1.5),
    ("smtp.plain.10conn.51200B.per1.x1.delivered", "postfix", "times", 2),
    ("smtp.plain.50conn.51200B.per1.x1.delivered", "postfix", "times", 4),
    ("smtp.plain.50conn.4096B.per20.x1.accepted", "postfix", "times", 8),
    ("smtp.plain.1conn.4096B.per1.x1.dot-250.p50", None, "most", 0.7),
    ("smtp.plain.1conn.4096B.per1.x1.dot-250.p99", "postfix", "share", 1),
    ("smtp.plain.50conn.4096B.per1.x1.paced.dot-250.p99", "postfix", "share",
     1),
    ("smtp.tls.10conn.4096B.per1.x1.delivered", "postfix", "times", 4),
    ("smtp.plain.1conn.4096B.per1.x1.server-cpu", None, "most", 0.6),
    ("smtp.plain.10conn.4096B.per1.x1.server-cpu", None, "most", 0.6),
    ("smtp.plain.50conn.4096B.per1.x1.server-cpu", None, "most", 0.6),
    ("relay.end-to-end", "postfix", "times", 2),
    ("accounts.filed", None, "least", 300),
    ("accounts.workers-over-the-cap", None, "most", 0),
    ("queued.memory", None, "most", 100),
    ("queued.start", None, "most", 2),
    ("dead-host.p99-share", None, "most", 1.2),
    ("connections.plain.1000.all", None, "most", 50),
    ("connections.tls.1000.all", None, "most", 50),
)


def postfix(bench, **environment):
    return bench.peer("postfix", "postfix.sh", **environment)


def all_three(bench):
    return bench.servers(postfix(bench),
                         bench.peer("opensmtpd", "opensmtpd.sh"),
                         bench.firnmail())


# -- Mail in --

def load_smtp(bench, server, connections, count, size, *words):
    bench.load("smtp_bench", server, "--port", server.smtp, "--rcpt",
               server.rcpt, "--n", count, "--users", 50, "--size", size,
               "--maildir", server.maildir, "--conns", connections, *words)


def smtp(bench):
    for server in all_three(bench):
        for connections, count in ((1, 400), (10, 1500), (50, 1500)):
            load_smtp(bench, server, connections, bench.scaled(count), SMALL)
        smtp_paced(bench, server)


def smtp_paced(bench, server):
    """What is wanted of the 250 on 50 connections: at three times the rate of
    Postfix, what it has at its own."""
    full = "smtp.plain.50conn.4096B.per1.x1"
    its_p99 = bench.figures.get((full + ".dot-250.p99", "ms"),
                                {}).get("postfix")
    its_rate = bench.figures.get((full + ".accepted", "msgs/s"),
                                 {}).get("postfix")
    if not its_p99 or not its_rate:
        return
    if server.label == "postfix":
        bench.figure(server.label, full + ".paced.dot-250.p99", its_p99[-1],
                     "ms")
    elif isinstance(server, Firnmail):
        load_smtp(bench, server, 50, bench.scaled(1500), SMALL, "--rate",
                  3 * its_rate[-1])


def smtp_large(bench):
    for server in all_three(bench):
        for connections, count in ((1, 200), (10, 600), (50, 600)):
            load_smtp(bench, server, connections, bench.scaled(count), LARGE)


def burst(bench):
    for server in all_three(bench):
        bench.load("smtp_bench", server, "--port", server.smtp, "--rcpt",
                   server.rcpt, "--n", bench.scaled(1000), "--users", 50,
                   "--size", SMALL, "--nowait", "--per-conn", 20, "--conns",
                   50)


def starttls(bench):
    """Debian's OpenSMTPD cannot: see tests/peers/opensmtpd.sh."""
    for server in bench.servers(postfix(bench), bench.firnmail()):
        load_smtp(bench, server, 10, bench.scaled(1500), SMALL, "--starttls")


# -- One message to each of many --

class ManyAccounts(Firnmail):
    """As a users file that came from elsewhere has them."""

    def __init__(self, build, folder, count, workers):
        path = pathlib.Path(folder).parent / "many.conf"
        path.write_text(f"max-workers {workers}\n", encoding="utf-8")
        super().__init__(build, folder, 1, "--config", path)
        self.count = count

    def start(self):
        super().start()
        users = pathlib.Path(self.folder) / "etc/users"
        line = users.read_text(encoding="utf-8").splitlines()[0]
        with open(users, "a", encoding="utf-8") as file:
            for number in range(2, self.count + 1):
                file.write(line.replace("user1@", f"user{number}@").replace(
                    "firnmail_id=1", f"firnmail_id={number}") + "\n")
        command(self.build / "tests/bench/make_accounts",
                f"{self.folder}/run/snapd.sock", 2, self.count)
        command(*self.command, "reload")
        return self


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return path.read_text("ascii").split()


def is_named(pid, name):
    return pathlib.Path(f"/proc/{pid}/comm").read_text("ascii") == name + "\n"


def cpu_seconds(leader):
    """Of all processes of a server, and of those that have ended."""
    ticks = 0
    for pid in command("ps", "-o", "pid=", "-g", leader).split():
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text("latin-1")
            ticks += sum(int(t) for t in stat.rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def most_workers(server):
    """The highest number of them meanwhile, as a list of one: the broker's
    children, beside those that it has before. A walk over all of /proc, as ps
    does, takes a tenth of what is measured here."""
    broker = next(pid for pid in children(server.pid)
                  if is_named(pid, "broker"))
    services = sum(not is_named(pid, "imapd-worker")
                   for pid in children(broker))
    seen, done = [0], threading.Event()

    def look():
        while not done.wait(0.2):
            seen[0] = max(seen[0], len(children(broker)) - services)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def accounts(bench):
    count, cap = bench.scaled(MANY), bench.scaled(WORKERS)
    for server in bench.servers(
            lambda folder: ManyAccounts(bench.build, folder, count, cap)):
        with most_workers(server) as most:
            start, before = time.monotonic(), cpu_seconds(server.pid)
            bench.load("smtp_bench", server, "--port", server.smtp, "--rcpt",
                       server.rcpt, "--n", count, "--users", count, "--size",
                       SMALL, "--nowait", "--per-conn", 100, "--conns", 10)
            for user in range(1, count + 1):
                maildir = pathlib.Path(server.maildir % user)
                wait_until(lambda m=maildir: count_files(m) >= 1, 300,
                           f"mail of user{user}")
            seconds = time.monotonic() - start
        bench.figure(server.label, "accounts.server-cpu",
                     (cpu_seconds(server.pid) - before) / count * 1000,
                     "s/1000msgs")
        bench.figure(server.label, "accounts.filed", count / seconds, "msgs/s")
        bench.figure(server.label, "accounts.workers", most[0], "processes")
        bench.figure(server.label, "accounts.workers-over-the-cap",
                     max(0, most[0] - cap), "processes")


def connections(bench):
    for server in bench.servers(postfix(bench), bench.firnmail()):
        connection_rows.measure(bench.figure, server)


# -- Mail out --

def relaying(bench, *lines):
    """Firnmail with these lines, to which mail can be submitted."""
    def make(folder):
        path = pathlib.Path(folder).parent / "relaying.conf"
        path.write_text("\n".join((
            "match from auth for any relay", *lines)) + "\n",
                        encoding="utf-8")
        return Firnmail(bench.build, folder, 1, "--config", path)
    return make


def submit(bench, server, recipient, count, *words):
    """On ten connections with STARTTLS; ours want a login."""
    port, login = server.smtp, ()
    if isinstance(server, Firnmail):
        port = server.submission
        login = ("--from", server.user % 1, "--auth",
                 f"{server.user % 1}:{server.password}")
    bench.load("smtp_bench", server, "--port", port, "--starttls", "--rcpt",
               recipient, "--n", count, "--users", 50, "--nowait",
               "--per-conn", 100, "--conns", 10, *login, *words)


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def relay(bench):
    """Submitted, sent on to a host that takes everything, until it has all."""
    count = bench.scaled(3000)
    port = free_ports(1)[0]
    for server in bench.servers(
            postfix(bench, EXTRA=f"relayhost = [127.0.0.1]:{port}\n"
                    "smtp_tls_security_level = none"),
            relaying(bench, f"relay via 127.0.0.1 port {port} tls never")):
        with subprocess.Popen(
                ["smtp-sink", "-u", "nobody", "-M", str(count),
                 f"127.0.0.1:{port}", "1024"]) as sink:
            try:
                wait_until(lambda: listens(port), 10, "smtp-sink")
                start, ended = time.monotonic(), []
                waiter = threading.Thread(target=lambda: (
                    sink.wait(), ended.append(time.monotonic())))
                waiter.start()
                submit(bench, server, "user%d@far.test", count)
                waiter.join(timeout=300)
                bench.figure(server.label, "relay.end-to-end",
                             count / (ended[0] - start), "msgs/s")
            finally:
                sink.kill()


# -- A queue that is long --

def queued(bench):
    """100,000 messages in the spool: tests/bench/spool_bench."""
    for _ in range(bench.reps):
        with tempfile.TemporaryDirectory(dir=bench.folder) as name:
            out = command(bench.build / "tests/bench/spool_bench", name,
                          max(2000, bench.scaled(QUEUED)))
        rows = {line.split()[0]: line.split()[1:]
                for line in out.splitlines()}
        bench.figure("firnmail", "queued.start",
                     float(rows["start"][1]) / 1000, "s")
        bench.figure("firnmail", "queued.memory",
                     float(rows["VmRSS:"][0]) / 1024, "MiB")


# -- One destination that is dead, and one that is slow --

@contextlib.contextmanager
def dead_port():
    """Nobody answers there: the queue of those who connect is full, and the
    kernel drops what else comes."""
    with socket.socket() as dead, contextlib.ExitStack() as fillers:
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(dead.getsockname())
        yield dead.getsockname()[1]


class Arrivals(socketserver.StreamRequestHandler):
    """A host that takes everything, and notes how long each was on its way: the
    subject says when it was handed in."""

    disable_nagle_algorithm = True

    def handle(self):
        with contextlib.suppress(OSError):
            self.say(b"220 fast.test")
            while self.command(self.rfile.readline(4096)):
                pass

    def say(self, line):
        self.wfile.write(line + b"\r\n")

    def command(self, line):
        verb = line[:4].upper()
        if verb == b"EHLO":
            self.say(b"250-fast.test\r\n250-PIPELINING\r\n250 8BITMIME")
        elif verb == b"DATA":
            self.say(b"354 go on")
            self.take()
        else:
            self.say(b"250 ok")
        return line and verb != b"QUIT"

    def take(self):
        for line in self.rfile:
            if line.startswith(b"Subject: at "):
                began = float(line.split()[2])
            elif line == b".\r\n":
                break
        self.server.ways.append(time.monotonic() - began)
        self.say(b"250 taken")


@contextlib.contextmanager
def fast_host():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Arrivals) as host:
        host.daemon_threads = True
        host.ways = []
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        try:
            yield host
        finally:
            host.shutdown()
            thread.join()


@contextlib.contextmanager
def slow_host():
    """Ten seconds for each message."""
    port = free_ports(1)[0]
    with subprocess.Popen(["smtp-sink", "-u", "nobody", "-w", "10",
                           f"127.0.0.1:{port}", "1024"]) as sink:
        try:
            wait_until(lambda: listens(port), 10, "smtp-sink")
            yield port
        finally:
            sink.kill()


def submit_paced(server, host, count):
    """Fifty a second to eleven other domains; the ways they took, sorted."""
    host.ways.clear()
    with smtplib.SMTP("127.0.0.1", int(server.submission)) as client:
        context = ssl.create_default_context(cafile=server.cafile)
        context.check_hostname = False
        client.starttls(context=context)
        client.login(server.user % 1, server.password)
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0, begin + number / 50 - time.monotonic()))
            client.sendmail(
                server.user % 1, f"somebody@fast{number % 11}.test",
                f"From: {server.user % 1}\r\n"
                f"Subject: at {time.monotonic()}\r\n\r\n" + "x" * 1000)
    wait_until(lambda: len(host.ways) >= count, 120, "mail to the others")
    return sorted(host.ways)


def dead_host(bench):
    """What mail to others takes with nothing else in the queue, and then with
    50,000 messages for a host that does not answer and 500 for a slow one."""
    count = bench.scaled(1000)
    with dead_port() as dead, slow_host() as slow, fast_host() as fast:
        ways = [f"transport fast{n}.test via 127.0.0.1 port "
                f"{fast.server_address[1]} tls never" for n in range(11)]
        for server in bench.servers(relaying(
                bench, f"transport dead.test via 127.0.0.1 port {dead}",
                f"transport slow.test via 127.0.0.1 port {slow} tls never",
                *ways)):
            before = submit_paced(server, fast, count)
            submit(bench, server, "user%d@dead.test", bench.scaled(50000),
                   "--size", 1024)
            submit(bench, server, "user%d@slow.test", bench.scaled(500))
            after = submit_paced(server, fast, count)
            for name, values in (("alone", before), ("beside", after)):
                for part in (50, 99):
                    bench.figure(server.label, f"dead-host.{name}.p{part}",
                                 values[len(values) * part // 100] * 1000,
                                 "ms")
            bench.figure(
                server.label, "dead-host.waiting",
                len(command(*server.command, "--json",
                            "queue").splitlines()), "msgs")
            bench.figure(server.label, "dead-host.p99-share",
                         after[len(after) * 99 // 100] /
                         before[len(before) * 99 // 100], "x alone")


# -- What is wanted --

def table(figures):
    print("\nwanted")
    for name, peer, how, wanted in WANTED:
        for (key, unit), servers in figures.items():
            ours = servers.get("firnmail")
            if key != name or not ours or (peer and peer not in servers):
                continue
            value = statistics.median(ours)
            if peer:
                value /= statistics.median(servers[peer]) or 1
                unit = "x " + peer
            good = (value >= wanted if how in ("times", "least")
                    else value <= wanted)
            print(f"  {'holds ' if good else 'missed'} {name:45}"
                  f" {value:9.4g} of {wanted:g} {unit}")

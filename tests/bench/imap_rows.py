"""Rows of IMAP beside Debian's Dovecot: logins, one large mailbox read, searched
and changed, its index lost, mailboxes from a thousand messages to a million, ten
thousand mailboxes, and many sessions of one account; they close with what is
wanted.  The load is tests/bench/imap_bench.c's, but where a client waits for
something else than the answer to its command."""
import contextlib
import os
import pathlib
import resource
import shutil
import statistics
import threading
import time

from connection_rows import memory_kib
from servers import command
from sleep_rows import OURS, Client, rests

BIG = 100000  # messages of the large mailbox
PART = 10  # this part of them in one command
GROWTH = (1000, 10000, 100000, 1000000)
MANY_CHANGES = "max-account-changes 10000000\n"  # in a day
GROWTH_SIZE = 1500  # bytes of a message there, lest a million fill the disk
MAILBOXES = 9899  # and 100 above them, and INBOX: as many as there may be
SESSIONS = 500
LINGERS = 65  # seconds for which a process may stay that nobody needs

# Figure and how it is compared ("most", "least": ours alone), and what is wanted.
WANTED = (
    ("login.plain.1conn", "least", 3000),
    ("login.plain.20conn", "least", 5000),
    ("login.tls.1conn", "least", 600),
    ("login.tls.20conn", "least", 1000),
    ("yescrypt.login.plain.1conn", "least", 45),
    ("yescrypt.login.plain.20conn", "least", 80),
    ("yescrypt.others.p99", "most", 20),
    ("select.first", "most", 2),
    ("select.warm", "most", 2),
    ("fetch.flags-uid.first", "most", 30),
    ("fetch.flags-uid.warm", "most", 30),
    ("fetch.envelope.first", "most", 400),
    ("fetch.envelope.warm", "most", 400),
    ("fetch.bodystructure.first", "most", 130),
    ("fetch.bodystructure.warm", "most", 130),
    ("fetch.headers.first", "most", 350),
    ("fetch.headers.warm", "most", 350),
    ("download.rate", "least", 600),
    ("fetch-one", "least", 20000),
    ("fetch-one.tls", "least", 15000),
    ("one-cpu.fetch-one", "least", 20000),
    ("one-cpu.fetch-one.tls", "least", 15000),
    ("search.subject.first", "most", 80),
    ("search.subject.warm", "most", 80),
    ("search.body.first", "most", 2500),
    ("search.text.first", "most", 2500),
    ("store.bulk.add", "most", 50),
    ("store.bulk.del", "most", 50),
    ("store.one", "least", 1500),
    ("copy", "most", 35),
    ("expunge", "most", 400),
    ("append.1conn", "least", 1000),
    ("append.20conn.20users", "least", 2500),
    ("append.20conn.1user", "least", 2000),
    ("idle.append-to-exists.p50", "most", 1),
    ("idle.append-to-exists.p99", "most", 3),
    ("idlemem.500.tls.pss", "most", 40),
    ("index-loss.usable", "most", 1),
    ("index-loss.envelopes", "most", 3),
    ("sessions.asleep.each", "most", 20),
    ("sessions.news.most", "most", 1000),
)

# Figures whose limit is question and answer over loopback, as phys measured it in
# the same run: processes that sleep on two processors, or share one.
LIMITS = {
    "login.plain.1conn": "loopback.roundtrip.2cpu",
    "fetch-one": "loopback.roundtrip.2cpu",
    "fetch-one.tls": "loopback.roundtrip.2cpu",
    "one-cpu.fetch-one": "loopback.roundtrip.1cpu",
    "one-cpu.fetch-one.tls": "loopback.roundtrip.1cpu",
}


def dovecot(bench, **environment):
    return bench.peer("dovecot", "dovecot.sh", **environment)


def both(bench, accounts=2):
    return bench.servers(dovecot(bench), bench.firnmail(accounts))


def load(bench, server, *words, tls=False):
    bench.imap(server, server.imaps if tls else server.imap,
               *(("--tls",) if tls else ()), *words)


def measure_limits(bench):
    bench.note(command(bench.build / "tests/bench/phys", "round-trips", 1))


# -- Logins --

def login(bench):
    measure_limits(bench)
    count = bench.scaled(2000)
    for server in bench.servers(dovecot(bench, TUNED="1"), bench.firnmail()):
        load(bench, server, "--n", count, "--conns", 20, "login")
        load(bench, server, "--n", bench.scaled(400), "--conns", 20, "login",
             tls=True)


class Others(threading.Thread):
    """A session that others log in beside: how long its NOOPs take."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = Client(server, 50, None)
        self.took = []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.005):
            began = time.monotonic()
            self.client.say("n NOOP\r\n", b"n OK")
            self.took.append((time.monotonic() - began) * 1000)

    def end(self):
        self.ended.set()
        self.join()
        self.client.socket.close()
        return sorted(self.took)


def login_yescrypt(bench):
    """Hashes as they are by default; how long another session waits meanwhile."""
    for server in bench.servers(
            dovecot(bench, TUNED="1", SCHEME="yescrypt"),
            bench.firnmail(cheap_hash=False)):
        others = Others(server)
        others.start()
        load(bench, server, "--prefix", "yescrypt.", "--n",
             bench.scaled(100), "--conns", 20, "login")
        took = others.end()
        for part in (50, 99):
            bench.figure(server.label, f"yescrypt.others.p{part}",
                         took[len(took) * part // 100], "ms")


# -- One large mailbox --

def big_part(bench):
    return ("--sub", bench.scaled(BIG) // PART)


def fill(bench, server):
    server.fill(bench.build, 1, bench.scaled(BIG))


def fetch(bench):
    for server in both(bench):
        fill(bench, server)
        for what in ("select", "flags", "envelope", "bodystructure",
                     "headers"):
            server.forget_index(1)
            load(bench, server, what)


def download(bench):
    measure_limits(bench)
    for server in both(bench):
        fill(bench, server)
        for tls in (False, True):
            load(bench, server, *big_part(bench), "download", tls=tls)


@contextlib.contextmanager
def one_processor():
    """What is started meanwhile has no other."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def one_cpu(bench):
    """The same of a tenth of the messages, client and server on one processor:
    nobody is woken on another."""
    measure_limits(bench)
    with one_processor():
        for server in both(bench):
            server.fill(bench.build, 1, bench.scaled(BIG) // PART)
            for tls in (False, True):
                load(bench, server, "--prefix", "one-cpu.", *big_part(bench),
                     "download", tls=tls)


def search(bench):
    for server in both(bench):
        fill(bench, server)
        load(bench, server, "search")


def change(bench):
    for server in both(bench):
        fill(bench, server)
        # As a client finds it that was here before.
        load(bench, server, "select")
        load(bench, server, *big_part(bench), "store-one", "store",
             "store-behind", "copy", "expunge")


def lose_index(server):
    if server.label == "dovecot":
        server.forget_index(1)
        return
    server.stop()
    shutil.rmtree(pathlib.Path(server.maildir % 1).parent / "index")
    server.start()


def index_loss(bench):
    """Until the mailbox is open and one message of it was read; until all of its
    ENVELOPEs are there."""
    count = bench.scaled(BIG)
    for server in both(bench):
        fill(bench, server)
        load(bench, server, "select")
        lose_index(server)
        began = time.monotonic()
        client = Client(server, 1, None)
        client.say("a SELECT INBOX\r\n", b"a OK")
        client.say(f"b FETCH {count // 2} (UID FLAGS BODY.PEEK[])\r\n",
                   b"b OK")
        bench.figure(server.label, "index-loss.usable",
                     time.monotonic() - began, "s")
        client.socket.sendall(b"c FETCH 1:* (UID ENVELOPE)\r\n")
        said, last = 0, b""
        while b"\r\nc OK" not in last:
            part = client.socket.recv(1 << 18)
            said += part.count(b"ENVELOPE (")
            last = (last + part)[-200:]
        if said < count * 0.99:  # some may be cut in two
            raise ValueError(f"{said} of {count} ENVELOPEs")
        bench.figure(server.label, "index-loss.envelopes",
                     time.monotonic() - began, "s")
        client.socket.close()


# -- Growth --

def grown(bench, server, count):
    """The figures of one size."""
    took = server.fill(bench.build, 1, count, GROWTH_SIZE)
    name = f"growth.{count}."
    if took is not None:
        bench.figure(server.label, name + "adopt", took, "s")
    server.forget_index(1)
    load(bench, server, "--prefix", name, "select", "--n", 1000, "fetch-row",
         "store-one", "flags")
    load(bench, server, "--prefix", name, "--n", 300, "--conns", 1,
         "--userfmt", server.user % 1, "append")


def growth(bench):
    for count in GROWTH:
        # Dovecot's index of a million was not waited for.
        makers = [dovecot(bench)] if count < GROWTH[-1] else []
        for server in bench.servers(*makers, bench.firnmail(1, MANY_CHANGES),
                                    reps=1):
            grown(bench, server, bench.scaled(count))


# -- Many mailboxes, many sessions --

def mailboxes(bench):
    """Made, and listed: Dovecot has a tenth, for making ten thousand takes it more
    than six minutes."""
    few = MAILBOXES // 10
    for server in both(bench):
        load(bench, server, "--prefix", f"{few}.", "--n", bench.scaled(few),
             "mailboxes")
    for server in bench.servers(bench.firnmail(1)):
        load(bench, server, "--n", bench.scaled(MAILBOXES), "mailboxes")


def hear_all(clients):
    """Until each was told of a new message."""
    for client in clients:
        client.hear(b"* ", b"EXISTS")


def sessions(bench):
    """All of one account, in IDLE: their memory, and until all of them know of a
    new message."""
    count = bench.scaled(SESSIONS)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    text = "Subject: news\r\n\r\n" + "x" * 1000 + "\r\n"
    for server in bench.servers(dovecot(bench, TUNED="1"),
                                bench.firnmail(1, OURS)):
        Client(server, 1, None).socket.close()
        rests(server, LINGERS)
        before = memory_kib(server.pid)
        began = time.monotonic()
        clients = [Client(server, 1, None).idle() for _ in range(count)]
        bench.figure(server.label, "sessions.open",
                     count / (time.monotonic() - began), "a second")
        rests(server, LINGERS)
        bench.figure(server.label, "sessions.asleep.each",
                     (memory_kib(server.pid) - before) / count, "KiB")
        other = Client(server, 1, None)
        for name in ("first", "most"):
            other.append(text)
            began = time.monotonic()
            hear_all(clients)
            bench.figure(server.label, f"sessions.news.{name}",
                         (time.monotonic() - began) * 1000, "ms")
            other.hear(b"d OK")
        for client in [*clients, other]:
            client.socket.close()


# -- Others that were there before --

def append(bench):
    for server in bench.servers(dovecot(bench), bench.firnmail()):
        load(bench, server, "--n", bench.scaled(300), "--conns", 20, "append",
             "multiappend")


def idle(bench):
    for server in bench.servers(dovecot(bench), bench.firnmail()):
        load(bench, server, "--n", bench.scaled(60), "--gap", "0.05", "idle")


def memory(bench):
    """At rest: a worker lingers for half a minute, and sessions sleep after as
    long."""
    for server in bench.servers(
            dovecot(bench), bench.peer("tuned", "dovecot.sh", TUNED="1"),
            bench.firnmail(500)):
        load(bench, server, "--n", bench.scaled(500), "--rest", LINGERS,
             "idlemem", tls=True)


ROWS = {"append": append, "login": login, "login-yescrypt": login_yescrypt,
        "fetch": fetch, "download": download, "one-cpu": one_cpu,
        "search": search, "change": change, "index-loss": index_loss, "growth": growth,
        "mailboxes": mailboxes, "sessions": sessions, "idle": idle,
        "memory": memory}


def flat(figures):
    """Of each figure of `growth`: how much worse it became for ten times the
    messages, at most."""
    sizes = {}
    for (name, _), servers in figures.items():
        part = name.split(".", 2)
        if part[0] == "growth" and "firnmail" in servers:
            sizes.setdefault(part[2], {})[int(part[1])] = statistics.median(
                servers["firnmail"])
    for what, values in sizes.items():
        row = [f"{size}: {values[size]:.4g}" for size in sorted(values)]
        print(f"  growth {what:45} {', '.join(row)}")


def share_of_limit(figures, name, value):
    """What it is of the most that this machine allows."""
    for servers in (servers for (key, _), servers in figures.items()
                    if key == LIMITS.get(name)):
        limit = statistics.median(servers["phys"])
        return f", {100 * value / limit:.0f} % of the limit {limit:.0f}"
    return ""


def table(figures):
    print("\nwanted of IMAP")
    for name, how, wanted in WANTED:
        for (key, unit), servers in figures.items():
            ours = servers.get("firnmail")
            if key != name or not ours:
                continue
            value = statistics.median(ours)
            peers = ", ".join(f"{label} {statistics.median(values):.4g}"
                              for label, values in servers.items()
                              if label != "firnmail")
            good = value >= wanted if how == "least" else value <= wanted
            print(f"  {'holds ' if good else 'missed'} {name:35}"
                  f" {value:9.4g} of {wanted:g} {unit:9} {peers}"
                  + share_of_limit(figures, name, value))
    flat(figures)

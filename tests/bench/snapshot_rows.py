"""The snapshot rows of tests/bench/run: the same Maildir in restic, borg and
Firnmail, in turn, each in a fresh folder.  For each of them: the first capture
until it is durable and the peak of its own memory, a snapshot when nothing
changed, one when 1 % was added, the size of what it keeps, every byte verified,
one message read back, all restored (beside tar).

What Firnmail captures lies in an account's Maildir and is in the store, on
disk, when `snapctl reconcile` returns.  restic and borg make their own packs and
segments durable before they end (by strace: fsync of each), so that nothing is
added to their time.  All of them encrypt.  Restored files nobody makes durable;
the row after it has what that takes then.  Times are those of whole commands,
as an administrator types them; how long an unchanged mark takes inside the
store is a row of its own (store_bench).
"""
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

ONE = 20  # single messages that are read back, and snapshots of no change


def command(*words, **options):
    return subprocess.run([str(w) for w in words], check=True, text=True,
                          stdout=subprocess.PIPE, **options).stdout


def timed(*words, **options):
    start = time.monotonic()
    command(*words, **options)
    return time.monotonic() - start


def middle_of(once):
    return statistics.median(once() for _ in range(ONE))


def rss_anon(pid):
    with contextlib.suppress(OSError, ProcessLookupError):
        for line in pathlib.Path(f"/proc/{pid}/status").open():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


class Peak:
    """The largest RssAnon of a process while it is watched, in MiB; find()
    gives its pid, or None as long as there is none."""

    def __init__(self, find):
        self.find, self.bytes, self.is_over = find, 0, False
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        pid = None
        while not self.is_over:
            pid = pid or self.find()
            if pid:
                self.bytes = max(self.bytes, rss_anon(pid))
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()

    def mib(self):
        return self.bytes / 1048576


def disk_mib(folder):
    return int(command("du", "-s", "--block-size=1K", folder).split()[0]) / 1024


def wait_until(is_so, seconds):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("it never came to that")
        time.sleep(0.02)


def count_messages(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


def add_messages(cur, owner=None):
    """1 % of new messages, none of which was there before: written beside, then
    moved to where they are found, as a delivery does.  How many."""
    staged = cur.parent / "staged"
    staged.mkdir()
    for name in sorted(os.listdir(cur))[::100]:
        file = staged / ("%x%s" % (time.time_ns(), name.partition(",")[0]))
        file.write_bytes(b"X-Bench: new\n" + (cur / name).read_bytes())
        if owner:
            os.chown(file, owner.st_uid, owner.st_gid)
    os.sync()
    names = os.listdir(staged)
    for name in names:
        os.rename(staged / name, cur / name)
    staged.rmdir()
    return len(names)


def descendant(pid, program):
    """The process of that program that it, or a child of it, has started."""
    with contextlib.suppress(OSError):
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        for one in children.read_text(encoding="ascii").split():
            if os.path.basename(os.readlink(f"/proc/{one}/exe")) == program:
                return one
            found = descendant(one, program)
            if found:
                return found
    return None


def synced(folder, took):
    """With what it takes to make durable what lies there now."""
    start = time.monotonic()
    command("sync", "-f", folder)
    return took + time.monotonic() - start


class Peer:
    """restic or borg: a command that starts, runs and ends."""

    def __init__(self, label, folder, source):
        self.label, self.folder, self.source = label, folder, source
        self.repository = folder / label
        self.environment = dict(os.environ, RESTIC_PASSWORD="bench",
                                BORG_PASSPHRASE="bench",
                                BORG_BASE_DIR=str(folder / "borg-base"),
                                XDG_CACHE_HOME=str(folder / "cache"))
        self.archives = 0
        words = {"restic": ("init",),
                 "borg": ("init", "-e", "repokey", self.repository)}
        # borg has a page of advice there.
        subprocess.run(self.words(*words[label]), env=self.environment,
                       check=True, stderr=subprocess.DEVNULL)

    def words(self, *words):
        if self.label == "restic":
            words = ("restic", "-q", "-r", self.repository, *words)
        else:
            words = ("borg", *words)
        return [str(w) for w in words]

    def run(self, *words, cwd=None, to=subprocess.DEVNULL):
        """How long it took, and its peak."""
        start = time.monotonic()
        with subprocess.Popen(self.words(*words), env=self.environment,
                              cwd=cwd, stdout=to) as process:
            with Peak(lambda: process.pid) as peak:
                process.wait()
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, words)
        return time.monotonic() - start, peak.mib()

    def create(self):
        self.archives += 1
        if self.label == "restic":
            return self.run("backup", self.source)
        return self.run("create", f"{self.repository}::{self.archives}",
                        self.source)

    def capture(self):
        took, peak = self.create()
        return took, {"store.memory": peak}

    def snapshot(self, _):
        return self.create()[0]

    unchanged = snapshot  # one: it takes seconds

    def noticed(self):
        """Nobody watches: a change of a while ago costs what a new one does."""
        self.change()
        return None, self.snapshot(True)

    def change(self):
        add_messages(self.source / "cur")

    def size(self):
        return disk_mib(self.repository)

    def verify(self):
        if self.label == "restic":
            return self.run("check", "--read-data")[0]
        return self.run("check", "--verify-data", self.repository)[0]

    def restore_all(self):
        """How long; how long until it is durable; and until one can read."""
        target = self.folder / "restored"
        target.mkdir()
        os.sync()
        if self.label == "restic":
            took = self.run("restore", "latest", "--target", target)[0]
        else:
            took = self.run("extract", f"{self.repository}::{self.archives}",
                            cwd=target)[0]
        durable = synced(target, took)
        if count_messages(target) != len(os.listdir(self.source / "cur")):
            raise ValueError("a message is missing")
        shutil.rmtree(target)
        return took, durable, None

    def restore_one(self, name):
        path = self.source / "cur" / name
        with tempfile.TemporaryFile() as to:
            if self.label == "restic":
                took = self.run("dump", "latest", path, to=to)[0]
            else:
                took = self.run("extract", "--stdout",
                                f"{self.repository}::{self.archives}",
                                str(path)[1:], to=to)[0]
            if to.seek(0, os.SEEK_END) != path.stat().st_size:
                raise ValueError("that is another message")
        return took


class Ours:
    """An instance whose first account's Maildir is the source's copy."""

    label = "firnmail"

    def __init__(self, server, folder, source):
        self.server = server
        self.user = server.user % 1
        server.session(1).logout()  # makes the home
        self.cur = pathlib.Path(server.maildir % 1) / "cur"
        self.source = folder / "copy"
        self.owner = self.cur.stat()
        command("cp", "-a", source / "cur", self.source)
        for path in (self.source, *self.source.iterdir()):
            os.chown(path, self.owner.st_uid, self.owner.st_gid)
        os.sync()

    def snapctl(self, *words, **options):
        return timed(*self.server.snapctl, *words, **options)

    def watch(self, program):
        return Peak(lambda: descendant(self.server.pid, program))

    def capture(self):
        with self.watch("snapd") as store, self.watch("imapd-worker") as worker:
            self.cur.rmdir()
            self.source.rename(self.cur)
            took = self.snapctl("reconcile", self.user)
        return took, {"store.memory": store.mib(),
                      "store.memory-worker": worker.mib()}

    def change(self):
        return add_messages(self.cur, self.owner)

    def snapshot(self, is_changed):
        """Of what the store has, or of what is in the Maildir as well."""
        what = (self.user,) if is_changed else ()
        return self.snapctl("create", "-m", "bench", *what)

    def unchanged(self, is_looked):
        return middle_of(lambda: self.snapshot(is_looked))

    def count(self):
        """The messages that the store has."""
        row = command(*self.server.snapctl, "-H", "ls", "live:" + self.user)
        return int(row.split()[0])

    def noticed(self):
        """A change that the worker had the time to see: how long that took,
        and a snapshot then."""
        count = self.count() + self.change()
        start = time.monotonic()
        wait_until(lambda: self.count() == count, 60)
        return time.monotonic() - start, self.snapshot(True)

    def size(self):
        self.snapctl("seal")
        index = pathlib.Path(self.server.store) / "index/data.mdb"
        # Blocks ahead of it are given back when it has rested.
        wait_until(lambda: index.stat().st_blocks * 512 <=
                   index.stat().st_size + 4096, 30)
        return disk_mib(self.server.store)

    def verify(self):
        return self.snapctl("verify", "--read-data")

    def restore_all(self):
        gone = tempfile.mkdtemp(dir=self.cur.parents[3])
        count = len(os.listdir(self.cur))
        os.sync()
        self.cur.rename(pathlib.Path(gone) / "cur")
        start = time.monotonic()
        with subprocess.Popen([*self.server.snapctl, "restore", "--yes",
                               "latest:" + self.user],
                              stdout=subprocess.DEVNULL) as restore:
            self.read_one(count // 2)
            first = time.monotonic() - start
            restore.wait()
            took = time.monotonic() - start
        durable = synced(self.cur, took)
        if restore.returncode != 0 or len(os.listdir(self.cur)) != count:
            raise ValueError("a message is missing")
        shutil.rmtree(gone)
        return took, durable, first

    def read_one(self, uid):
        """As a mail program does that comes in the middle of it."""
        session = self.server.session(1)
        session.select("INBOX", readonly=True)
        status, data = session.uid("FETCH", str(uid), "(BODY.PEEK[])")
        if status != "OK" or not data[0]:
            raise ValueError("a message cannot be read")
        session.logout()

    def restore_one(self, number):
        with tempfile.TemporaryFile() as to:
            start = time.monotonic()
            subprocess.run([*self.server.snapctl, "cat", "latest:%s/INBOX;UID="
                            "%d" % (self.user, number)], check=True, stdout=to)
            return time.monotonic() - start


def measure(store, figure, one):
    """All figures of one of them; `one`: what is read back one by one."""
    took, peaks = store.capture()
    figure(store.label, "store.capture", took, "s")
    for name, peak in peaks.items():
        figure(store.label, name, peak, "MiB")
    figure(store.label, "store.unchanged", store.unchanged(False) * 1000, "ms")
    if store.label == Ours.label:
        figure(store.label, "store.unchanged-looked",
               store.unchanged(True) * 1000, "ms")
        figure(store.label, "store.nothing", middle_of(
            lambda: timed("true")) * 1000, "ms")
    store.change()
    figure(store.label, "store.one-percent", store.snapshot(True) * 1000,
           "ms")
    noticing, took = store.noticed()
    figure(store.label, "store.noticed", took * 1000, "ms")
    if noticing is not None:
        figure(store.label, "store.noticing", noticing * 1000, "ms")
    figure(store.label, "store.size", store.size(), "MiB")
    figure(store.label, "store.verify", store.verify(), "s")
    took = sorted(store.restore_one(each) for each in one)
    figure(store.label, "store.restore-one", took[len(took) // 2] * 1000, "ms")
    took, durable, first = store.restore_all()
    figure(store.label, "store.restore-all", took, "s")
    figure(store.label, "store.restore-durable", durable, "s")
    if first is not None:
        figure(store.label, "store.first-message", first, "s")


def measure_peer(label, folder, maildir, figure):
    """From a copy, which grows by 1 %."""
    source = folder / "Maildir"
    command("cp", "-a", maildir, source)
    os.sync()
    names = sorted(os.listdir(source / "cur"))
    measure(Peer(label, folder, source), figure,
            names[::max(1, len(names) // ONE)])


def measure_tar(folder, maildir, figure):
    command("tar", "-C", maildir, "-cf", folder / "tar", "cur")
    (folder / "x").mkdir()
    os.sync()
    start = time.monotonic()
    command("tar", "-C", folder / "x", "-xf", folder / "tar")
    took = time.monotonic() - start
    figure("tar", "store.restore-all", took, "s")
    figure("tar", "store.restore-durable", synced(folder, took), "s")


def measure_mark(build, folder, messages, figure):
    """An unchanged mark where it is made, without a command around it."""
    said = command(build / "tests/bench/store_bench", folder, messages)
    for line in said.splitlines():
        if line.startswith("mark, "):
            figure(Ours.label, "store.unchanged-inside",
                   float(line.split()[-2]), "ms")


def measure_ours(server, folder, maildir, figure):
    count = len(os.listdir(maildir / "cur"))
    measure(Ours(server, folder, maildir), figure,
            range(1, count, max(1, count // ONE)))


# The table of what is wanted: row, what it is called, whom it is compared to,
# and the ratio that was set out for (by one day's figures of the peers).
PEERS = ("restic", "borg")
WANTED = (
    ("store.capture", "first capture, durable", "s", PEERS, 15 / 23.7),
    ("store.unchanged", "unchanged snapshot", "ms", PEERS, 1 / 3980),
    ("store.unchanged-inside", "  inside the store", "ms", (), None),
    ("store.unchanged-looked", "  files looked at", "ms", (), None),
    ("store.nothing", "  a command of nothing", "ms", (), None),
    ("store.one-percent", "1 % added, snapshot", "ms", PEERS, 60 / 4910),
    ("store.noticed", "  once it was noticed", "ms", PEERS, 60 / 4910),
    ("store.noticing", "  which took", "ms", (), None),
    ("store.size", "size", "MiB", PEERS, 1000 / 1194),
    ("store.restore-all", "restore all", "s", ("tar",), 1),
    ("store.restore-durable", "  and durable", "s", ("tar",), None),
    ("store.first-message", "  first message", "s", (), None),
    ("store.restore-one", "restore one message", "ms", PEERS, 5 / 1400),
    ("store.verify", "verify every byte", "s", PEERS, 8 / 11.5),
    ("store.memory", "peak memory (RssAnon)", "MiB", PEERS, 128 / 168),
    ("store.memory-worker", "  of the worker", "MiB", (), None),
)


def table(figures):
    """`figures`: by (row, unit) and label, the figures of all runs."""
    columns = (*PEERS, "tar", Ours.label)
    print("\n%-26s" % "medians" + "".join("%10s" % one for one in columns) +
          "     ratio    wanted")
    for row, title, unit, base, wanted in WANTED:
        values = {label: statistics.median(all_of) for label, all_of in
                  figures.get((row, unit), {}).items()}
        peers = [values[one] for one in base if one in values]
        cells = "".join("%10.4g" % values[one] if one in values else
                        "%10s" % "-" for one in columns)
        end = ""
        if peers and Ours.label in values:
            ratio = values[Ours.label] / min(peers)
            end = "%10.3g" % ratio
            if wanted is not None:
                end += "%10.2g %s" % (wanted, "missed" if ratio > wanted
                                      else "")
        print("%-26s%s%s" % ("%s (%s)" % (title, unit), cells, end.rstrip()))

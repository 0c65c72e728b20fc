"""The snapshot rows of tests/bench/run: the same Maildir in restic, borg and
Firnmail, in turn.  For each of them: the first capture until it is durable and
the peak of its own memory, a snapshot when nothing changed, one when 1 % was
added, the size of what it keeps, all restored (beside tar), one message read
back, every byte verified.

What Firnmail captures lies in an account's Maildir and is in the store when
`snapctl reconcile` returns.  restic and borg encrypt, as Firnmail does.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

ONE = 20  # single messages that are read back


def command(*words, **options):
    return subprocess.run([str(w) for w in words], check=True, text=True,
                          stdout=subprocess.PIPE, **options).stdout


def rss_anon(pid):
    with contextlib.suppress(OSError, ProcessLookupError):
        for line in pathlib.Path(f"/proc/{pid}/status").open():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


class Peak:
    """The largest RssAnon of a process while it is watched, in MiB."""

    def __init__(self, pid):
        self.pid, self.bytes, self.is_over = pid, 0, False
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.is_over:
            self.bytes = max(self.bytes, rss_anon(self.pid))
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


def add_messages(cur):
    """1 % of new messages, none of which was there before; their paths."""
    added = []
    for name in sorted(os.listdir(cur))[::100]:
        added.append(cur / ("new" + name.partition(",")[0]))
        added[-1].write_bytes(b"X-Bench: new\n" + (cur / name).read_bytes())
    os.sync()
    return added


def child_of(pid, program):
    """The process of that program whose parent it is."""
    for one in command("pgrep", "-P", pid).split():
        if os.path.basename(os.readlink(f"/proc/{one}/exe")) == program:
            return one
    raise ValueError(f"no {program}")


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
        self.run(*words[label])

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
            with Peak(process.pid) as peak:
                process.wait()
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, words)
        return time.monotonic() - start, peak.mib()

    def capture(self):
        self.archives += 1
        if self.label == "restic":
            return self.run("backup", self.source)
        return self.run("create", f"{self.repository}::{self.archives}",
                        self.source)

    def snapshot(self, _):
        return self.capture()[0]

    def change(self):
        add_messages(self.source / "cur")

    def size(self):
        return disk_mib(self.repository)

    def verify(self):
        if self.label == "restic":
            return self.run("check", "--read-data")[0]
        return self.run("check", "--verify-data", self.repository)[0]

    def restore_all(self):
        target = self.folder / "restored"
        target.mkdir()
        if self.label == "restic":
            took = self.run("restore", "latest", "--target", target)[0]
        else:
            took = self.run("extract", f"{self.repository}::{self.archives}",
                            cwd=target)[0]
        shutil.rmtree(target)
        return took

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
        start = time.monotonic()
        command(*self.server.snapctl, *words, **options)
        return time.monotonic() - start

    def capture(self):
        with Peak(child_of(self.server.pid, "snapd")) as peak:
            self.cur.rmdir()
            self.source.rename(self.cur)
            took = self.snapctl("reconcile", self.user)
        return took, peak.mib()

    def change(self):
        for path in add_messages(self.cur):
            os.chown(path, self.owner.st_uid, self.owner.st_gid)

    def snapshot(self, is_changed):
        found = self.snapctl("reconcile", self.user) if is_changed else 0
        return found + self.snapctl("create", "-m", "bench")

    def size(self):
        self.snapctl("seal")
        time.sleep(2)  # a second later blocks ahead of it are given back
        return disk_mib(self.server.store)

    def verify(self):
        return self.snapctl("verify", "--read-data")

    def restore_all(self):
        gone = tempfile.mkdtemp(dir=self.cur.parents[3])
        count = len(os.listdir(self.cur))
        self.cur.rename(pathlib.Path(gone) / "cur")
        took = self.snapctl("restore", "--yes", "latest:" + self.user)
        if len(os.listdir(self.cur)) != count:
            raise ValueError("a message is missing")
        shutil.rmtree(gone)
        return took

    def restore_one(self, number):
        with tempfile.TemporaryFile() as to:
            start = time.monotonic()
            subprocess.run([*self.server.snapctl, "cat", "latest:%s/INBOX;UID="
                            "%d" % (self.user, number)], check=True, stdout=to)
            return time.monotonic() - start


def measure(store, figure, one):
    """All figures of one of them; `one`: what is read back one by one."""
    took, peak = store.capture()
    figure(store.label, "store.capture", took, "s")
    figure(store.label, "store.memory", peak, "MiB")
    figure(store.label, "store.unchanged", store.snapshot(False) * 1000, "ms")
    store.change()
    figure(store.label, "store.one-percent", store.snapshot(True) * 1000,
           "ms")
    figure(store.label, "store.size", store.size(), "MiB")
    figure(store.label, "store.verify", store.verify(), "s")
    took = sorted(store.restore_one(each) for each in one)
    figure(store.label, "store.restore-one", took[len(took) // 2] * 1000, "ms")
    figure(store.label, "store.restore-all", store.restore_all(), "s")


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
    figure("tar", "store.restore-all", time.monotonic() - start, "s")


def measure_ours(server, folder, maildir, figure):
    count = len(os.listdir(maildir / "cur"))
    measure(Ours(server, folder, maildir), figure,
            range(1, count, max(1, count // ONE)))

"""Servers that are measured: Firnmail by tests/instance, Debian's by the
scripts in tests/peers; and the file system that they lie on."""
import imaplib
import os
import pathlib
import socket
import subprocess
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
PEERS = TREE / "tests/peers"
PASS = "pass"
# Unpacked once: it cannot be installed beside Postfix.
OPENSMTPD_ROOT = os.environ.get("OPENSMTPD_ROOT",
                                str(TREE / "build-peers/opensmtpd"))


def command(*words, **options):
    """Runs a command; its standard output as text."""
    options.setdefault("check", True)
    return subprocess.run([str(w) for w in words], text=True,
                          stdout=subprocess.PIPE, **options).stdout


def free_ports(count):
    """Ports that nobody listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until(holds, seconds, what):
    """Until holds() is true; how long it took."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > seconds:
            raise TimeoutError(what)
        time.sleep(0.005)
    return time.monotonic() - start


def count_files(maildir):
    """Message files of INBOX."""
    return sum(len(os.listdir(maildir / part)) if (maildir / part).exists()
               else 0 for part in ("cur", "new"))


class Image:
    """An ext4 file system with a journal, mounted for the run."""

    def __init__(self, folder, gib):
        self.file = folder / "image"
        self.path = folder / "mnt"
        self.path.mkdir()
        with open(self.file, "wb") as image:
            image.truncate(gib << 30)
        # What mkfs leaves for later would be written during the run.
        command("mkfs.ext4", "-q", "-F", "-E",
                "lazy_itable_init=0,lazy_journal_init=0", self.file)
        command("mount", "-o", "loop", self.file, self.path)

    def close(self):
        """At the latest when the last process that it was started for ends."""
        if subprocess.run(["umount", self.path], check=False).returncode != 0:
            command("umount", "-l", self.path)
        self.file.unlink()


class Peer:
    """A server of Debian's, started by a script in tests/peers."""

    def __init__(self, label, script, folder, **environment):
        self.label = label
        self.script = PEERS / script
        self.folder = folder
        self.ports = free_ports(2)
        self.user, self.rcpt = "user%d", "user%d@example.test"
        self.password = PASS
        self.maildir = f"{folder}/mail/user%d/Maildir"
        self.environment = dict(os.environ, USERS="2500", PASS=PASS,
                                OPENSMTPD_ROOT=OPENSMTPD_ROOT, **environment)

    def start(self):
        command(self.script, "start", self.folder, *self.ports,
                env=self.environment)
        self.pid = command(self.script, "pid", self.folder).strip()
        self.smtp, self.imap, self.imaps = (self.ports[0], self.ports[0],
                                            self.ports[1])
        return self

    def fill(self, build, user, count, size=0):
        """Puts `count` messages into the Maildir of a user, of `size` bytes each
        (0: as mail is)."""
        owner = command("id", "-u", "mail").strip()
        folder = pathlib.Path(f"{self.folder}/mail/user{user}")
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, int(owner), int(owner))
        command(build / "tests/bench/mkmaildir", folder / "Maildir", count,
                size, 1, owner, owner)

    def forget_index(self, user):
        """The cold state that users of Dovecot meet: its caches gone."""
        folder = pathlib.Path(f"{self.folder}/mail/user{user}/Maildir")
        for path in folder.glob("dovecot.index*"):
            path.unlink()

    def stop(self):
        command(self.script, "stop", self.folder, env=self.environment,
                check=False)


class Firnmail:
    """An instance of the built tree, by tests/instance."""

    label = "firnmail"

    def __init__(self, build, folder, accounts, *options, cheap_hash=True):
        self.build, self.folder, self.accounts = build, folder, accounts
        self.options = options
        if cheap_hash:
            self.options += ("--cheap-hash",)

    def start(self):
        out = command(TREE / "tests/instance", "start", self.folder,
                      "--accounts", self.accounts, "--plain-login",
                      *self.options,
                      env=dict(os.environ, BUILD=str(self.build)))
        said = dict(line.split("=", 1) for line in out.splitlines()
                    if "=" in line)
        self.pid = said["PID"]
        self.smtp, self.imap = said["SMTP_PORT"], said["IMAP_PORT"]
        self.submission, self.cafile = said["SUBMISSION_PORT"], said["CAFILE"]
        self.imaps = said["IMAPS_PORT"]
        self.command = said["FIRNMAIL"].split()
        self.snapctl, self.store = said["SNAPCTL"].split(), said["STORE"]
        self.user = self.rcpt = "user%d@" + said["DOMAIN"]
        self.password = said["PASS1"]
        first = pathlib.Path(said["MAILDIR1"])
        self.maildir = str(first.parents[1]) + "/%d/Maildir"
        return self

    def session(self, user):
        session = imaplib.IMAP4("127.0.0.1", int(self.imap))
        session.login(self.user % user, self.password)
        return session

    def exists(self, user):
        """What a client sees that opens INBOX now."""
        session = self.session(user)
        answer = session.select("INBOX", readonly=True)[1][0]
        session.logout()
        return int(answer)

    def make_files(self, user, count, size=0):
        """Message files of another program's; the Maildir's path."""
        self.session(user).logout()  # makes the home
        folder = pathlib.Path(self.maildir % user)
        owner = folder.stat()
        command(self.build / "tests/bench/mkmaildir", folder, count, size, 1,
                owner.st_uid, owner.st_gid)
        return folder

    def fill(self, _, user, count, size=0):
        """The same, until all are adopted; how long that took."""
        self.make_files(user, count, size)
        return wait_until(lambda: self.exists(user) == count, 900, "adoption")

    def forget_index(self, user):
        """What comes nearest to a cold state: a worker that starts anew."""
        self.stop()
        self.start()

    def stop(self):
        command(TREE / "tests/instance", "stop", self.folder, check=False)

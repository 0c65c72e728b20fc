"""A round of the campaign on queues: mail comes in on four connections while
the power is cut, or all processes are killed, again and again; at the end all
that was acknowledged must be with the host that it was sent to."""
import contextlib
import os
import pathlib
import random
import shutil
import smtplib
import subprocess
import tempfile
import threading
import time

import queue_servers
from sink import Sink

SENDERS = 4
SIZES = (0, 0, 5000, 20000, 70000, 300000)
IMAGE_MIB = 768
# Nothing but what is flushed reaches the disk, for all servers alike: a commit of
# the journal's own while the image is copied would tear it.
OPTIONS = 'loop,commit=300'
DRAIN_SECONDS = 120
START_SECONDS = 90


def text_of(key, size):
    line = 'A line of the body of this message.\r\n'
    return ('From: sender@there.test\r\nTo: someone@far.test\r\nSubject: %s\r\n'
            'Message-ID: <%s@there.test>\r\n\r\n%s' %
            (key, key, line * (size // len(line) + 1)))


class Sender(threading.Thread):
    """Hands in mail until told to stop; keeps what was answered with 250."""

    def __init__(self, queue, number, seed):
        super().__init__(daemon=True)
        self.queue = queue
        self.number = number
        self.choice = random.Random(seed * 100 + number)
        self.count = 0
        self.acknowledged = []
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                with self.queue.client() as client:
                    client.ehlo_or_helo_if_needed()
                    while not self.done.is_set():
                        self.send(client)
            except (smtplib.SMTPException, OSError):
                self.done.wait(0.02)

    def send(self, client):
        self.count += 1
        key = '%d-%d' % (self.number, self.count)
        account = self.queue.server.user % 1
        client.sendmail(account if '@' in account else 'sender@there.test',
                        'someone@' + queue_servers.DOMAIN,
                        text_of(key, self.choice.choice(SIZES)))
        self.acknowledged.append(key)


class Disk:
    """An ext4 with a journal in a file; at a cut it becomes what lay on it."""

    def __init__(self, folder):
        self.file = folder / 'disk'
        self.path = folder / 'live'
        self.path.mkdir()
        with open(self.file, 'wb') as image:
            image.truncate(IMAGE_MIB << 20)
        subprocess.run(['mkfs.ext4', '-q', '-F', '-E',
                        'lazy_itable_init=0,lazy_journal_init=0', self.file],
                       check=True)
        self.mount()

    def mount(self):
        subprocess.run(['mount', '-o', OPTIONS, self.file, self.path],
                       check=True)

    def unmount(self):
        subprocess.run(['umount', self.path], check=True)

    def copy(self):
        """What is on the disk now.  The loop device writes through the page
        cache of its file, so what was not flushed is not in it."""
        new = self.file.with_name('copy')
        subprocess.run(['cp', '--sparse=always', self.file, new], check=True)
        return new

    def become(self, new):
        """In a new file: the loop device of the old one may not be gone yet,
        and would be taken again with what it has cached."""
        self.unmount()
        self.file.unlink()
        self.file = new.rename(self.file.with_name('disk-%d' %
                                                   time.monotonic_ns()))
        self.mount()

    def close(self):
        subprocess.run(['umount', '-l', self.path], check=False,
                       stderr=subprocess.DEVNULL)


class Round:
    """One server, one seed."""

    def __init__(self, label, build, folder, seed):
        self.choice = random.Random(seed)
        self.disk = Disk(folder)
        self.disk.path.chmod(0o755)
        self.sink = Sink(seed)
        self.queue = queue_servers.make(label, build, self.disk.path / 's',
                                        self.sink.port)
        self.queue.start()
        subprocess.run(['sync', '-f', self.disk.path], check=True)
        self.senders = [Sender(self.queue, n, seed) for n in range(SENDERS)]

    def acknowledged(self):
        return sum(len(sender.acknowledged) for sender in self.senders)

    def wait_for(self, holds, seconds, what):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(what)
            time.sleep(0.002)

    def load(self):
        """Until some more was acknowledged, and a moment that is chance."""
        before = self.acknowledged()
        more = self.choice.randint(5, 60)
        self.wait_for(lambda: self.acknowledged() >= before + more,
                      START_SECONDS, 'mail is taken again')
        time.sleep(self.choice.random() * 0.02)

    def cut(self):
        self.queue.hold_still()
        new = self.disk.copy()
        self.queue.kill()
        self.disk.become(new)

    def kill(self):
        self.queue.kill()

    def run(self, event, count):
        """(acknowledged, lost, doubled)"""
        for sender in self.senders:
            sender.start()
        for _ in range(count):
            self.load()
            event(self)
            self.queue.start()
        self.load()
        for sender in self.senders:
            sender.done.set()
        for sender in self.senders:
            sender.join(60)
        return self.drain()

    def drain(self):
        """What is neither there nor in the queue any more is lost, and what
        does not leave the queue, too: its body may be gone."""
        wanted = {key for sender in self.senders
                  for key in sender.acknowledged}
        self.sink.is_busy = False
        end = time.monotonic() + DRAIN_SECONDS
        while self.queue.waiting() or not self.sink.is_quiet():
            if time.monotonic() > end:
                print('%s: %d stay in the queue' % (
                    self.queue.label, self.queue.waiting()), flush=True)
                break
            self.queue.flush()
            time.sleep(1)
        lost = wanted - set(self.sink.arrived)
        if lost:
            print('%s: lost %s' % (self.queue.label, sorted(lost)[:20]),
                  flush=True)
        doubled = sum(count - 1 for count in self.sink.arrived.values())
        return len(wanted), len(lost), doubled

    def close(self):
        for sender in self.senders:
            sender.done.set()
        with contextlib.suppress(OSError, AttributeError):
            self.queue.kill()
        self.sink.close()
        self.disk.close()


EVENTS = {'spool-cuts': Round.cut, 'spool-kills': Round.kill}


def run(step, label, build, seed, count):
    folder = pathlib.Path(tempfile.mkdtemp(prefix='firnmail-queue-',
                                           dir='/var/tmp'))
    os.chmod(folder, 0o755)
    try:
        one = Round(label, build, folder, seed)
        try:
            return one.run(EVENTS[step], count)
        finally:
            one.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)

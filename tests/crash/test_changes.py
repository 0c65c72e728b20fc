"""Several mail programs change mailboxes at once (STORE, APPEND, COPY, MOVE,
EXPUNGE, CREATE, RENAME, DELETE) while mail arrives and somebody makes snapshots;
then some processes are killed, or the power is cut.  What was answered is there,
number for number; of what was not, all or nothing.  No UID means two messages,
no counter goes back, who asks by QRESYNC what he missed has the right picture,
and each snapshot is whole.  CRASH_STORMS: how many times (3); CRASH_SEED."""
import fcntl
import os
import random
import signal
import struct
import subprocess
import time

import pytest

from changes import Deliverer, Ledger, Program, Watcher, Worker, judge
from conftest import Server, mount, wait_for

SEED = int(os.environ.get('CRASH_SEED', '1'))
STORMS = int(os.environ.get('CRASH_STORMS', '3'))
PROGRAMS = 4
FS_IOC_GOINGDOWN, NO_LOG_FLUSH = 0x8004587d, 2  # ext4, xfs: as in <linux/fs.h>
ROLES = ('worker', 'snapd', 'broker', 'imapd', 'queue', 'smtpd', 'authd')


class Keeper:
    """Makes snapshots, some of whose names it is told are there."""

    def __init__(self, server):
        self.server = server
        self.count = 0
        self.acknowledged = set()

    def connect(self):
        pass

    def step(self):
        self.count += 1
        name = 'storm-%d' % self.count
        try:
            self.server.snapctl('create', '--name', name)
        except AssertionError as error:
            raise OSError(str(error)) from error
        self.acknowledged.add(name)
        time.sleep(0.05)

    def settle(self):
        listed = self.server.snapctl('list')
        lost = [name for name in self.acknowledged if name not in listed]
        assert not lost, 'snapshots that are gone: %s' % lost
        self.server.snapctl('verify')


class Storm:
    def __init__(self, server):
        self.server = server
        self.choice = random.Random(SEED)
        self.ledger = Ledger()
        self.programs = [Program(server, self.ledger, n, SEED)
                         for n in range(PROGRAMS)]
        self.deliverer = Deliverer(server, self.ledger)
        self.watcher = Watcher(server)
        self.keeper = Keeper(server)
        self.kept = None  # a snapshot, and what was in INBOX then
        self.number = 0

    def blow(self, strike):
        """All at once, until it strikes."""
        workers = [Worker(actor) for actor in
                   (*self.programs, self.deliverer, self.watcher,
                    self.keeper)]
        before = self.ledger.acknowledged
        for worker in workers:
            worker.start()
        wanted = before + self.choice.randint(10, 120)
        wait_for(lambda: self.ledger.acknowledged >= wanted, 90, 'changes')
        strike()
        for worker in workers:
            worker.over.set()
        for worker in workers:
            worker.join(120)
        assert not any(worker.is_alive() for worker in workers)

    def settle(self):
        """Nobody changes anything now."""
        for actor in self.programs:
            if actor.session:
                actor.session.close()
        one = judge(self.server, self.ledger)
        truth = wait_for(lambda: self.all_filed(one), 90, 'mail filed')
        try:
            for actor in (*self.programs, self.deliverer):
                actor.settle(truth)
            self.watcher.settle(lambda: one.look('INBOX')
                                and one.pictures['INBOX'])
            self.keeper.settle()
            self.check_snapshot(one)
        finally:
            print('\nacknowledged=%d' % self.ledger.acknowledged)
        one.session.close()

    def all_filed(self, one):
        truth = one.truth()
        there = {key for key, _ in truth['INBOX'].messages.values()}
        return truth if self.deliverer.acknowledged <= there else None

    def keys(self, box):
        return sorted(key for key, _ in box.messages.values())

    def check_snapshot(self, one):
        """The one of before the storm, beside what is there; and a new one."""
        if self.kept:
            name, keys = self.kept
            self.server.snapctl(
                'restore', '--yes', '--mode', 'copy', '--into', 'As-' + name,
                '%s:%s/INBOX' % (name, self.server.user1))
            assert self.keys(one.look('As-' + name)) == keys
        wait_for(lambda: self.keep(one), 60, 'a snapshot of a calm mailbox')

    def keep(self, one):
        """False if mail was filed meanwhile, of which nobody had an answer."""
        self.number += 1
        name = 'calm-%d' % self.number
        keys = self.keys(one.look('INBOX'))
        self.server.snapctl('create', '--name', name)
        self.kept = name, keys
        return keys == self.keys(one.look('INBOX'))


def strike_some(storm):
    roles = storm.choice.sample(ROLES, storm.choice.choice((1, 1, 2, 3)))
    print('\nkill', roles)
    for role in roles:
        try:
            storm.server.kill(role)
        except subprocess.CalledProcessError:
            pass  # it is being started again


def strike_all(storm):
    print('\nkill all')
    storm.server.signal_all(signal.SIGSTOP)
    storm.server.signal_all(signal.SIGKILL)
    storm.server.stop()
    storm.server.start()


def test_kills_leave_what_was_answered(server):
    one = server('--plain-login')
    storm = Storm(one)
    for n in range(STORMS):
        strike = strike_all if n % 4 == 2 else strike_some
        storm.blow(lambda s=strike: s(storm))
        storm.settle()


def is_unmounted(folder):
    return subprocess.run(['umount', folder], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


def cut(disk, live):
    """The file system ends where it is: what is not on the disk by now never
    comes there, and whoever asks for it hears of an error."""
    folder = os.open(disk + '/live', os.O_RDONLY)
    try:
        fcntl.ioctl(folder, FS_IOC_GOINGDOWN, struct.pack('I', NO_LOG_FLUSH))
    except OSError:
        pytest.skip('a file system cannot be shut down here')
    finally:
        os.close(folder)
    live.signal_all(signal.SIGKILL)
    wait_for(lambda: is_unmounted(disk + '/live'), 60, 'the end of all')
    assert mount(disk + '/disk', disk + '/live')
    live.stop()
    live.forget_boot()
    live.start()


def test_cuts_leave_what_was_answered(disk):
    live = Server(disk + '/live', '--cheap-hash', '--plain-login')
    subprocess.run(['sync', '-f', disk + '/live'], check=True)
    storm = Storm(live)
    for _ in range(STORMS):
        storm.blow(lambda: cut(disk, live))
        storm.settle()

"""A power cut at the instant an answer is read: the file system's image is
copied as it lies on disk at that moment, without what was not flushed, mounted
elsewhere and started.  The answer is a 250 or the tagged OK of an IMAP command
that changes something.  CRASH_CUTS: how many cuts (3); CRASH_SEED: which."""
import contextlib
import os
import random
import shutil
import signal
import subprocess

import pytest

from conftest import Server, message, mount, wait_for


class Load:
    """Changes one after the other, and what was acknowledged of them: flags of
    each message by its key, None if it was expunged."""

    def __init__(self, live, choice):
        self.live = live
        self.choice = choice
        self.wanted = {}
        self.count = 0
        self.acknowledged = 0

    def run(self, steps, then):
        """Calls then() when the last step's answer was just read."""
        live = self.live
        # Just after a start the store may not have been reached yet.
        wait_for(lambda: live.view() and live.smtp(), 60, 'the store')
        with live.smtp() as smtp, live.imap_session() as imap:
            smtp.ehlo()
            assert imap.select('INBOX')[0] == 'OK'
            for _ in range(steps):
                self.choice.choice((self.send, self.send, self.append,
                                    self.flag, self.expunge))(smtp, imap)
                self.acknowledged += 1
            then()

    def new(self):
        self.count += 1
        size = self.choice.choice((0, 0, 5000, 20000, 300000))
        key = 'cut-%d' % self.count
        return key, message(key, size)

    def send(self, smtp, _):
        key, text = self.new()
        smtp.mail('sender@there.test')
        smtp.rcpt(self.live.user1)
        assert smtp.data(text)[0] == 250
        self.wanted[key] = ()

    def append(self, _, imap):
        key, text = self.new()
        assert imap.append('INBOX', '(\\Seen)', None, text.encode())[0] == 'OK'
        self.wanted[key] = ('\\Seen',)

    def uid_of_one(self, imap):
        """A message that is there and filed, or None."""
        keys = [key for key, flags in self.wanted.items() if flags is not None]
        if not keys:
            return None, None
        key = self.choice.choice(keys)
        imap.noop()
        found = imap.uid('SEARCH', 'HEADER', 'Message-ID',
                         '<%s@there.test>' % key)[1][0].split()
        return key, found[0].decode() if found else None

    def flag(self, _, imap):
        key, uid = self.uid_of_one(imap)
        if uid:
            assert imap.uid('STORE', uid, 'FLAGS', '(\\Answered $kept)'
                            )[0] == 'OK'
            self.wanted[key] = ('$kept', '\\Answered')

    def expunge(self, _, imap):
        key, uid = self.uid_of_one(imap)
        if uid:
            imap.uid('STORE', uid, '+FLAGS', '(\\Deleted)')
            assert imap.uid('EXPUNGE', uid)[0] == 'OK'
            self.wanted[key] = None


def copy(disk, live):
    """What is on the disk now; nobody may flush meanwhile, so all stand still.
    The loop device writes through the page cache of its file: what the server
    did not flush is not in it."""
    # A new file: a loop device of the last copy may not be gone yet, and would
    # be taken again with what it has cached.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(disk + '/copy')
    live.signal_all(signal.SIGSTOP)
    shutil.copyfile(disk + '/disk', disk + '/copy')
    live.signal_all(signal.SIGCONT)


def test_what_was_acknowledged_survives_a_cut(disk):
    choice = random.Random(int(os.environ.get('CRASH_SEED', '1')))
    live = Server(disk + '/live', '--cheap-hash')
    # The configuration was written long before the power fails.
    subprocess.run(['sync', '-f', disk + '/live'], check=True)
    load = Load(live, choice)
    lost = doubled = 0
    for _ in range(int(os.environ.get('CRASH_CUTS', '3'))):
        load.run(choice.randint(1, 12), lambda: copy(disk, live))
        live.stop()
        one = check_copy(disk, live, load.wanted)
        lost += one[0]
        doubled += one[1]
        live.start()
    print('\nacknowledged=%d lost=%d doubled=%d' % (load.acknowledged, lost,
                                                    doubled))
    assert (lost, doubled) == (0, 0)


def check_copy(disk, live, wanted):
    """What was on the disk at the cut, started under its old path: how many
    acknowledged changes are lost, how many messages are there twice."""
    subprocess.run(['umount', disk + '/live'], check=True)
    assert mount(disk + '/copy', disk + '/live')
    live.forget_boot()
    try:
        live.start()
        there = {key for key, flags in wanted.items() if flags is not None}
        # What is still missing then is counted.
        with contextlib.suppress(pytest.fail.Exception):
            wait_for(lambda: there <= set(live.view().keys.values()), 60)
        return differences(live.view(), wanted)
    finally:
        live.stop()
        subprocess.run(['umount', disk + '/live'], check=True)
        assert mount(disk + '/disk', disk + '/live')


def differences(view, wanted):
    keys = list(view.keys.values())
    flags = {key: view.attributes[uid][2] for uid, key in view.keys.items()}
    wrong = [key for key, value in wanted.items() if flags.get(key) != value]
    if wrong:
        print([(key, wanted[key], flags.get(key)) for key in wrong])
    return len(wrong), len(keys) - len(set(keys))

"""Mail programs that change mailboxes of one account at once, and what each was
told of its own part of them: for test_changes.py.

Messages and mailboxes belong to the program that made them, so that nobody else
changes them.  Of the one command that had no answer when a crash came, either
state may be there, but no third one."""
import contextlib
import copy
import os
import random
import re
import smtplib
import sys
import threading

from conftest import TOP, message, wait_for

sys.path.insert(0, os.path.join(TOP, 'tests/campaign'))
# pylint: disable=wrong-import-position
from imap_view import Divergence, Refused, Session, numbers_of  # noqa: E402

FLAGS = ('\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft', '$Own')
MOST_BOXES = 3
TROUBLE = (Divergence, OSError, smtplib.SMTPException)


class Box:
    def __init__(self, validity=None):
        self.validity = validity  # None: nobody was told
        self.messages = {}        # UID -> (key, flags)
        self.untold = []          # (key, flags): its UID nobody was told

    def is_like(self, other):
        """Whether `other`, in which all UIDs are known, can be it."""
        if self.validity not in (None, other.validity):
            return False
        if any(other.messages.get(uid) != is_
               for uid, is_ in self.messages.items()):
            return False
        rest = [is_ for uid, is_ in other.messages.items()
                if uid not in self.messages]
        return in_order(rest) == in_order(self.untold)


def in_order(messages):
    return sorted((key, sorted(flags)) for key, flags in messages)


def is_like(world, truth):
    return world.keys() == truth.keys() and all(
        box.is_like(truth[name]) for name, box in world.items())


def differences(world, truth):
    """What of it is otherwise there, mailbox by mailbox."""
    found = {}
    for name in sorted(world.keys() | truth.keys()):
        is_, there = world.get(name), truth.get(name)
        if not is_ or not there:
            found[name] = 'not there' if is_ else 'there'
        elif not is_.is_like(there):
            found[name] = (is_.validity, there.validity, is_.untold, {
                uid: (is_.messages.get(uid), there.messages.get(uid))
                for uid in is_.messages.keys() | there.messages.keys()
                if is_.messages.get(uid) != there.messages.get(uid)})
    return found


class Ledger:
    """What was given out, and means the same for ever."""

    def __init__(self):
        self.lock = threading.Lock()
        self.keys = {}     # (UIDVALIDITY, UID) -> key
        self.modseqs = {}  # UIDVALIDITY -> the highest that was told
        self.acknowledged = 0

    def saw(self, validity, uid, key):
        with self.lock:
            if self.keys.setdefault((validity, uid), key) != key:
                raise Divergence('UID %d of %d was %s and is %s' % (
                    uid, validity, self.keys[validity, uid], key))

    def told_modseq(self, validity, modseq):
        with self.lock:
            self.modseqs[validity] = max(modseq,
                                         self.modseqs.get(validity, 0))

    def check_counters(self, validity, uidnext, modseq):
        highest = max((uid for of, uid in self.keys if of == validity),
                      default=0)
        if uidnext <= highest:
            raise Divergence('UIDNEXT %d, but %d was given' % (
                uidnext, highest))
        if modseq < self.modseqs.get(validity, 0):
            raise Divergence('HIGHESTMODSEQ %d, but %d was told' % (
                modseq, self.modseqs[validity]))


def when_served(what):
    """A server that has just been struck may still say UNAVAILABLE."""
    def try_it():
        try:
            return what()
        except Refused as error:
            raise OSError(str(error)) from error
    return wait_for(try_it, 90, 'a session')


class Client(Session):
    """One that may find its connection dead."""

    def close(self):
        with contextlib.suppress(OSError, ValueError):
            super().close()


def client_of(server, name):
    return Client(name, server.imap_port, server.user1, server.pass1)


class Worker(threading.Thread):
    """Does something again and again until it is told to end, or the server
    is gone."""

    def __init__(self, actor):
        super().__init__(daemon=True)
        self.actor = actor
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set() and not self.is_connected():
            self.over.wait(0.05)
        with contextlib.suppress(*TROUBLE):
            while not self.over.is_set():
                self.actor.step()

    def is_connected(self):
        with contextlib.suppress(*TROUBLE):
            self.actor.connect()
            return True
        return False


class Program:
    def __init__(self, server, ledger, number, seed):
        self.server, self.ledger, self.number = server, ledger, number
        self.name = 'p%d' % number
        self.choice = random.Random(seed * 100 + number)
        self.world = {'INBOX': Box()}
        self.after = None  # if what it is doing is done
        self.session = None
        self.count = 0

    def connect(self):
        self.session = client_of(self.server, self.name)
        self.session.command('ENABLE CONDSTORE')

    def new_name(self):
        self.count += 1
        return '%s-%d' % (self.name, self.count)

    def step(self):
        word = self.choice.choices(
            ('append', 'store', 'expunge', 'copy', 'move', 'create', 'rename',
             'delete'), (8, 12, 3, 4, 4, 1, 1, 1))[0]
        self.after = copy.deepcopy(self.world)
        if getattr(self, word)():
            self.world = self.after
            self.ledger.acknowledged += 1
        self.after = None

    # What it does: false if there is nothing to do.

    def some(self):
        """A mailbox of the world to come, and some UIDs there."""
        name = self.choice.choice(sorted(self.after))
        uids = sorted(self.after[name].messages)
        return name, sorted(self.choice.sample(uids, min(
            len(uids), self.choice.choice((1, 1, 1, 2, 5)))))

    def open(self, name):
        self.session.validity = None
        self.session.open(name, False)
        self.note_modseq()

    def note_modseq(self):
        if self.session.highest:
            self.ledger.told_modseq(int(self.session.validity[1]),
                                    self.session.highest)

    def append(self):
        name = self.choice.choice(sorted(self.after))
        key = self.new_name()
        size = self.choice.choice((0, 0, 0, 3000, 40000, 300000))
        flags = frozenset(self.choice.sample(FLAGS, 2))
        box = self.after[name]
        box.untold.append((key, flags))
        data = message(key, size).encode()
        tag = self.session.send('APPEND %s (%s) {%d+}' % (
            name, ' '.join(sorted(flags)), len(data)))
        self.session.socket.sendall(data + b'\r\n')
        said = self.session.await_answer(tag, 'APPEND')[-1]
        told = re.search(r'APPENDUID (\d+) (\d+)', said)
        box.untold.pop()
        self.put(box, int(told[1]), int(told[2]), key, flags)
        return True

    def put(self, box, validity, uid, key, flags):
        if box.validity not in (None, validity):
            raise Divergence('UIDVALIDITY %d was %d' % (
                validity, box.validity))
        box.validity = validity
        box.messages[uid] = key, flags
        self.ledger.saw(validity, uid, key)

    def store(self):
        name, uids = self.some()
        if not uids:
            return False
        self.open(name)
        sign = self.choice.choice(('+', '-', ''))
        flags = set(self.choice.sample(FLAGS, self.choice.choice((1, 2))))
        box = self.after[name]
        for uid in uids:
            key, old = box.messages[uid]
            box.messages[uid] = key, frozenset(
                old | flags if sign == '+' else
                old - flags if sign == '-' else flags)
        self.session.command('UID STORE %s %sFLAGS (%s)' % (
            ','.join(map(str, uids)), sign, ' '.join(sorted(flags))))
        self.note_modseq()
        return True

    def expunge(self):
        name, uids = self.some()
        box = self.after[name]
        uids = [uid for uid in uids if '\\Deleted' in box.messages[uid][1]]
        if not uids:
            return False
        self.open(name)
        for uid in uids:
            del box.messages[uid]
        self.session.command('UID EXPUNGE ' + ','.join(map(str, uids)))
        self.note_modseq()
        return True

    def copy(self):
        return self.copy_or_move('COPY')

    def move(self):
        return self.copy_or_move('MOVE')

    def copy_or_move(self, word):
        name, uids = self.some()
        target = self.choice.choice(sorted(self.after))
        if not uids or target == name:
            return False
        self.open(name)
        source, box = self.after[name], self.after[target]
        moved = [source.messages[uid] for uid in uids]
        box.untold += moved
        if word == 'MOVE':
            for uid in uids:
                del source.messages[uid]
        said = '\n'.join(self.session.command('UID %s %s %s' % (
            word, ','.join(map(str, uids)), target)))
        told = re.search(r'COPYUID (\d+) (\S+) ([\d:,]+)', said)
        if numbers_of(told[2]) != uids:
            raise Divergence('COPYUID: ' + said)
        box.untold.clear()
        for uid, (key, flags) in zip(numbers_of(told[3]), moved):
            self.put(box, int(told[1]), uid, key, flags)
        return True

    def create(self):
        if len(self.after) > MOST_BOXES:
            return False
        # A name that was there before, or a new one.
        name = '%s-box%d' % (self.name, self.choice.randint(1, 4))
        if name in self.after:
            return False
        self.after[name] = Box()
        self.session.command('CREATE ' + name)
        return True

    def own_box(self):
        return self.choice.choice([None] + sorted(
            name for name in self.after if name != 'INBOX'))

    def rename(self):
        name, to = self.own_box(), '%s-box%d' % (
            self.name, self.choice.randint(1, 4))
        if not name or to in self.after:
            return False
        self.after[to] = self.after.pop(name)
        self.session.command('RENAME %s %s' % (name, to))
        return True

    def delete(self):
        name = self.own_box()
        if not name:
            return False
        del self.after[name]
        self.session.command('DELETE ' + name)
        return True

    def settle(self, truth):
        """What is there must be what was answered, or what would have been."""
        mine = {name: box for name, box in truth.items()
                if name.startswith(self.name + '-')}
        mine['INBOX'] = Box(truth['INBOX'].validity)
        mine['INBOX'].messages = {
            uid: is_ for uid, is_ in truth['INBOX'].messages.items()
            if is_[0].startswith(self.name + '-')}
        if not is_like(self.world, mine) and not (
                self.after and is_like(self.after, mine)):
            raise Divergence('%s: answered, there: %s\nor %s\n%s' % (
                self.name, differences(self.world, mine),
                self.after and differences(self.after, mine),
                self.session.recent() if self.session else ''))
        self.world, self.after = mine, None


class Deliverer:
    def __init__(self, server, ledger):
        self.server, self.ledger = server, ledger
        self.acknowledged, self.sent = set(), set()
        self.smtp = None

    def connect(self):
        self.smtp = self.server.smtp()

    def step(self):
        key = 'mail-%d' % (len(self.sent) + 1)
        self.sent.add(key)
        self.smtp.sendmail('sender@there.test', self.server.user1,
                           message(key, len(self.sent) * 997 % 20000))
        self.acknowledged.add(key)
        self.ledger.acknowledged += 1

    def settle(self, truth):
        there = [key for key, _ in truth['INBOX'].messages.values()
                 if key.startswith('mail-')]
        if len(there) != len(set(there)):
            raise Divergence('mail is there twice: %s' % sorted(there))
        if not self.acknowledged <= set(there) <= self.sent:
            raise Divergence('mail: lost %s, never sent %s' % (
                sorted(self.acknowledged - set(there)),
                sorted(set(there) - self.sent)))


class Watcher:
    """Reads along in INBOX, and after a crash asks what it has missed."""

    def __init__(self, server):
        self.server = server
        self.session = None

    def connect(self):
        if self.session is None:
            self.session = client_of(self.server, 'watcher')
            self.session.open('INBOX', True)
            return
        view, modseq = self.session.view, self.session.modseq
        try:
            self.session.reopen()
        except TROUBLE:
            # What it knew it still knows.
            self.session.view, self.session.modseq = view, modseq
            raise

    def step(self):
        self.session.idle(0.05)
        self.session.fill()

    def catch_up(self):
        self.connect()
        return True

    def settle(self, look):
        """Mail of which it had no answer may still be filed."""
        when_served(self.catch_up)
        wait_for(lambda: self.has_picture(look()), 60, 'the same picture')

    def has_picture(self, picture):
        self.session.command('NOOP')
        self.session.fill()
        seen = self.session.view.picture()
        assert seen == picture, {uid: (seen.get(uid), picture.get(uid))
                                 for uid in seen.keys() | picture.keys()
                                 if seen.get(uid) != picture.get(uid)}
        return True


class Judge:
    """What is there, by a session of its own."""

    def __init__(self, server, ledger):
        self.session = client_of(server, 'judge')
        self.session.command('ENABLE CONDSTORE')
        self.ledger = ledger
        self.pictures = {}

    def names(self):
        said = '\n'.join(self.session.command('LIST "" *'))
        return [name for name in re.findall(r'LIST \([^)]*\) "."? "?([^"\s]+)',
                                            said)
                if not name.startswith('Snapshots')]

    def look(self, name):
        session = self.session
        session.validity = None
        session.open(name, False)
        validity = int(session.validity[1])
        opened = session.recent()
        # Before more is filed.
        self.ledger.check_counters(
            validity, int(re.findall(r'UIDNEXT (\d+)', opened)[-1]),
            int(re.findall(r'HIGHESTMODSEQ (\d+)', opened)[-1]))
        session.fill()
        self.pictures[name] = session.view.picture()
        box = Box(validity)
        for uid, key in session.read_keys(session.view.uids):
            self.ledger.saw(validity, uid, key)
            box.messages[uid] = key, self.pictures[name][uid]
        return box

    def truth(self):
        return {name: self.look(name) for name in self.names()}


def judge(server, ledger):
    return when_served(lambda: Judge(server, ledger))

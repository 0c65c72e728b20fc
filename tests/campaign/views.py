#!/usr/bin/env python3
"""Ten mail programs at once with random commands on one mailbox, while mail
arrives, snapshots are made and mail is restored: what each has been told must be
what is there, and what is there must be what the answers said.

    tests/campaign/views.py [--seconds N] [--seed N] [--clients N]

Each program keeps a picture of the mailbox from untagged responses only, as a mail
program does (imap_view.py).  Every few seconds all pause; then
  - each picture must equal what a new session sees: UIDs, flags, keywords;
  - the messages there must be those that were added and not taken away, by the
    tagged answers (the model);
  - each keyword that only one program sets must be where that one set it.
In between: UIDs ascend, none belongs to two messages, no EXPUNGE comes where RFC
3501 (7.4.1) forbids it.  Prints a line a pause, and at the end "N rounds, N
commands, N divergences"; exits 1 if one diverged.  The built tree is $BUILD.
"""
import argparse
import contextlib
import os
import random
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

from evidence import TOP
from imap_view import Divergence, Session

INSTANCE = os.path.join(TOP, 'tests/instance')
ROUND_SECONDS = 5
WAIT_SECONDS = 60
FLAGS = ('\\Seen', '\\Answered', '\\Flagged', '\\Draft', '$Forwarded')
START_MESSAGES = 60
MOST_MESSAGES = 400


class Model:
    """What the answers said: how often each message is in each mailbox."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count = {'INBOX': {}, 'Other': {}}
        self.keys = {}      # UID in INBOX -> key, as anybody saw it
        self.keyword = {}   # (program, UID) it has set its keyword on
        self.number = 0
        self.highest = 0    # UID before the last restore

    def new_key(self):
        with self.lock:
            self.number += 1
            return 'k%d' % self.number

    def add(self, mailbox, key, by=1):
        with self.lock:
            there = self.count[mailbox]
            there[key] = there.get(key, 0) + by
            if there[key] == 0:
                del there[key]
            elif there[key] < 0:
                raise Divergence('%s was taken out of %s twice' % (
                    key, mailbox))

    def saw(self, uid, key):
        with self.lock:
            if self.keys.setdefault(uid, key) != key:
                raise Divergence('UID %d was %s and is %s' % (
                    uid, self.keys[uid], key))

    def key_of(self, uid):
        with self.lock:
            return self.keys.get(uid)

    def size(self):
        with self.lock:
            return sum(self.count['INBOX'].values())


def letter(key):
    return ('From: a@there.test\r\nTo: b@here.test\r\nSubject: %s\r\n'
            'Message-ID: <%s@there.test>\r\n\r\nBody of %s.\r\n' %
            (key, key, key)).encode()


class Site:
    def __init__(self, directory):
        self.dir = directory
        out = subprocess.run(
            [INSTANCE, 'start', self.dir, '--accounts', '1', '--cheap-hash',
             '--plain-login'], check=True, text=True,
            stdout=subprocess.PIPE).stdout
        self.said = dict(line.split('=', 1) for line in out.splitlines())

    def stop(self):
        subprocess.run([INSTANCE, 'stop', self.dir], check=False)

    def session(self, name):
        return Session(name, int(self.said['IMAP_PORT']), self.said['USER1'],
                       self.said['PASS1'])

    def deliver(self, key):
        with smtplib.SMTP('127.0.0.1', int(self.said['SMTP_PORT'])) as client:
            client.sendmail('a@there.test', [self.said['USER1']], letter(key))

    def snapctl(self, *words):
        done = subprocess.run(
            [*self.said['SNAPCTL'].split(), *words], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Divergence('snapctl %s: %d: %s' % (
                ' '.join(words), done.returncode, done.stdout))
        return done.stdout


class Pause:
    """All meet here, whenever the one who leads says so."""

    def __init__(self, parties):
        self.wanted = threading.Event()
        self.arrive = threading.Barrier(parties + 1)
        self.leave = threading.Barrier(parties + 1)

    def take_part(self):
        if self.wanted.is_set():
            self.arrive.wait(WAIT_SECONDS)
            self.leave.wait(WAIT_SECONDS)


class Worker(threading.Thread):
    """Does something again and again, and pauses with the others."""

    def __init__(self, run, number):
        super().__init__(daemon=True)
        self.run_ = run
        self.choice = random.Random(run.seed * 1000 + number)
        self.is_ended = False

    def run(self):
        try:
            self.begin()
            while not self.run_.over.is_set():
                self.run_.pause.take_part()
                if not self.run_.over.is_set():
                    self.step()
        except threading.BrokenBarrierError:
            pass
        except (Divergence, OSError, smtplib.SMTPException) as error:
            self.run_.diverged('%s: %s\n%s' % (
                self.name, error, self.recent()))
            self.run_.pause.arrive.abort()
            self.run_.pause.leave.abort()

    def begin(self):
        pass

    def recent(self):
        """The last lines it read and wrote."""
        return ''

    def step(self):
        raise NotImplementedError


class Deliverer(Worker):
    def step(self):
        if self.run_.model.size() < MOST_MESSAGES:
            key = self.run_.model.new_key()
            # Others may take it away before its answer was read.
            self.run_.model.add('INBOX', key)
            self.run_.site.deliver(key)
        time.sleep(self.choice.random() * 0.2)


class Keeper(Worker):
    """Makes snapshots, and restores one of them beside the mailbox."""

    def step(self):
        name = self.run_.model.new_key()
        self.run_.site.snapctl('create', '--name', name)
        if self.choice.random() < 0.3:
            self.run_.site.snapctl('restore', '--yes', '--mode', 'copy',
                                   '--into', 'Restored-' + name,
                                   '%s:%s/INBOX' % (
                                       name, self.run_.site.said['USER1']))
        time.sleep(self.choice.random())


class Program(Worker):
    """A mail program.  Messages whose UID falls to it are its own: nobody else
    takes them away."""

    def __init__(self, run, number):
        super().__init__(run, number)
        self.number = number
        self.name = 'program %d' % number
        self.keyword = 'mine%d' % number
        self.is_qresync = number % 3 == 0
        self.session = None
        self.commands = 0

    def recent(self):
        return self.session.recent() if self.session else ''

    def begin(self):
        self.session = self.run_.site.session(self.name)
        self.session.open('INBOX', self.is_qresync)
        self.learn()

    # What a program does.

    def step(self):
        word = self.choice.choices(
            ('flag', 'mark', 'read', 'find', 'noop', 'idle', 'append',
             'delete', 'move', 'copy', 'reopen', 'pipeline'),
            (20, 15, 10, 10, 10, 5, 8, 8, 4, 4, 2, 6))[0]
        self.commands += 1
        getattr(self, word)()
        self.learn()

    def learn(self):
        """Fetches what EXISTS announced, as each mail program does."""
        self.session.fill()
        for uid, key in self.session.read_keys(self.unknown()):
            self.run_.model.saw(uid, key)

    def unknown(self):
        return [uid for uid in self.session.view.uids
                if uid and self.run_.model.key_of(uid) is None]

    def some(self):
        """Sequence numbers of its picture."""
        numbers = [n for n, uid in enumerate(self.session.view.uids, 1) if uid]
        return sorted(self.choice.sample(numbers, min(
            len(numbers), self.choice.choice((1, 1, 1, 2, 5, 30)))))

    def own(self):
        return [uid for uid in self.session.view.uids
                if uid and uid % self.run_.programs == self.number]

    def flag(self):
        numbers = self.some()
        if not numbers:
            return
        by_uid = self.choice.random() < 0.5
        which = ([self.session.view.uids[n - 1] for n in numbers] if by_uid
                 else numbers)
        self.session.store(by_uid, which, self.choice.choice('+-'),
                           [self.choice.choice(FLAGS)],
                           is_silent=self.choice.random() < 0.5)

    def mark(self):
        """Its own keyword: where it is, only this program says."""
        numbers = self.some()
        if not numbers:
            return
        uids = [self.session.view.uids[n - 1] for n in numbers]
        sign = self.choice.choice('+-')
        self.session.store(True, uids, sign, [self.keyword],
                           is_silent=self.choice.random() < 0.5)
        with self.run_.model.lock:
            for uid in uids:
                if sign == '+':
                    self.run_.model.keyword[self.number, uid] = True
                else:
                    self.run_.model.keyword.pop((self.number, uid), None)

    def marked(self):
        with self.run_.model.lock:
            return {uid for number, uid in self.run_.model.keyword
                    if number == self.number}

    def find(self):
        """SEARCH answers by the picture; the dead may be left out."""
        found = {self.session.view.uids[n - 1] for n in
                 self.session.search('KEYWORD ' + self.keyword)}
        there = self.marked() & set(self.session.view.uids)
        if found - there:
            raise Divergence('SEARCH found %s' % sorted(found - there))
        self.session.command('NOOP')
        if (there - found) & set(self.session.view.uids):
            raise Divergence('SEARCH left out %s' % sorted(
                (there - found) & set(self.session.view.uids)))

    def read(self):
        numbers = self.some()[:3]
        if numbers:
            self.session.read_bodies(numbers)

    def noop(self):
        self.session.command(self.choice.choice(('NOOP', 'CHECK')))

    def idle(self):
        self.session.idle(self.choice.random())

    def append(self):
        if self.run_.model.size() < MOST_MESSAGES:
            key = self.run_.model.new_key()
            self.run_.model.add('INBOX', key)
            uid = self.session.append('INBOX', letter(key))
            self.run_.model.saw(uid, key)

    def delete(self):
        uids = self.own()
        if not uids:
            return
        which = self.choice.sample(uids, min(len(uids), 3))
        self.session.store(True, which, '+', ['\\Deleted'], True)
        self.session.command(
            'UID EXPUNGE ' + ','.join(map(str, which))
            if self.choice.random() < 0.7 else 'EXPUNGE')
        for uid in which:
            self.run_.model.add('INBOX', self.run_.model.key_of(uid), -1)

    def move(self):
        uids = self.own()
        if not uids:
            return
        uid = self.choice.choice(uids)
        key = self.run_.model.key_of(uid)
        self.session.command('UID MOVE %d Other' % uid)
        self.run_.model.add('INBOX', key, -1)
        self.run_.model.add('Other', key)

    def copy(self):
        uids = self.own()
        if uids:
            uid = self.choice.choice(uids)
            self.session.command('UID COPY %d Other' % uid)
            self.run_.model.add('Other', self.run_.model.key_of(uid))

    def reopen(self):
        """A new connection; with QRESYNC, what was known is brought along."""
        self.session.reopen()

    def pipeline(self):
        """Several commands before the first answer is read."""
        numbers = self.some()
        if numbers:
            self.session.pipeline([
                'UID FETCH %d (UID FLAGS)' % self.session.view.uids[n - 1]
                for n in numbers] + ['NOOP'])


class Run:
    def __init__(self, site, options):
        self.site = site
        self.seed = options.seed
        self.programs = options.clients
        self.model = Model()
        self.over = threading.Event()
        self.divergences = []
        self.rounds = 0
        self.workers = [Program(self, n) for n in range(self.programs)] + [
            Deliverer(self, 900), Keeper(self, 901)]
        self.pause = Pause(len(self.workers))

    def diverged(self, what):
        self.divergences.append(what)
        print('DIVERGED ' + what, flush=True)

    def fill(self):
        with contextlib.closing(self.site.session('start')) as session:
            session.command('CREATE Other')
            for _ in range(START_MESSAGES):
                key = self.model.new_key()
                session.append('INBOX', letter(key))
                self.model.add('INBOX', key)

    def go(self, seconds):
        self.fill()
        for worker in self.workers:
            worker.start()
        end = time.monotonic() + seconds
        before = None
        while time.monotonic() < end and not self.divergences:
            time.sleep(ROUND_SECONDS)
            try:
                before = self.meet(before)
            except threading.BrokenBarrierError:
                break
        self.over.set()
        self.pause.arrive.abort()
        self.pause.leave.abort()

    def meet(self, before):
        """Stops all, compares, restores what went since the last time, every
        third time, and lets them go on."""
        self.pause.wanted.set()
        self.pause.arrive.wait(WAIT_SECONDS)
        self.pause.wanted.clear()
        try:
            self.compare()
            if before and self.rounds % 3 == 2:
                self.restore(*before)
                self.compare()
            name = self.model.new_key()
            self.site.snapctl('create', '--name', name)
            with self.model.lock:
                before = name, {box: dict(keys) for box, keys in
                                self.model.count.items()}
        except (Divergence, OSError) as error:
            self.diverged(str(error))
        self.rounds += 1
        print('round %d: %d messages, %d commands' % (
            self.rounds, self.model.size(),
            sum(w.commands for w in self.workers if isinstance(w, Program))),
              flush=True)
        self.pause.leave.wait(WAIT_SECONDS)
        return before

    def restore(self, name, then):
        """Mode missing: what was there then and is nowhere now is back. (A
        message that was copied or moved is not missing: at least once is what
        must be.)"""
        self.model.highest = max(self.model.keys)
        self.site.snapctl('restore', '--yes', '--mode', 'missing', '%s:%s' % (
            name, self.site.said['USER1']))
        with contextlib.closing(self.site.session('restored')) as session:
            there = {box: self.keys_of(session, box) for box in then}
        with self.model.lock:
            for key in {key for keys in then.values() for key in keys}:
                if not any(key in keys for keys in there.values()):
                    raise Divergence('%s is not back' % key)
            for box, now in there.items():
                for key, count in self.model.count[box].items():
                    if now.get(key, 0) < count:
                        raise Divergence('%s went by a restore' % key)
                for key, count in now.items():
                    most = max(self.model.count[box].get(key, 0),
                               then[box].get(key, 0))
                    if count > most:
                        raise Divergence('%s is %d times in %s' % (
                            key, count, box))
                self.model.count[box] = now
        self.adopt_keywords()

    def adopt_keywords(self):
        """What came back has the keywords of then."""
        with contextlib.closing(self.site.session('restored')) as session:
            session.open('INBOX', False)
            session.fill()
            with self.model.lock:
                for uid, flags in session.view.picture().items():
                    for number in range(self.programs):
                        if 'mine%d' % number in flags and \
                                uid > self.model.highest:
                            self.model.keyword[number, uid] = True

    def keys_of(self, session, box):
        session.open(box, False)
        session.fill()
        count = {}
        for uid, key in session.read_keys(session.view.uids):
            count[key] = count.get(key, 0) + 1
            if box == 'INBOX':
                self.model.saw(uid, key)
        return count

    def compare(self):
        with contextlib.closing(self.site.session('judge')) as judge:
            for box in ('INBOX', 'Other'):
                self.compare_messages(judge, box)
            judge.open('INBOX', False)
            judge.fill()
            truth = judge.view.picture()
            for worker in self.workers:
                if isinstance(worker, Program):
                    self.compare_view(worker, truth)

    def compare_messages(self, judge, box):
        end = time.monotonic() + WAIT_SECONDS
        while (there := self.keys_of(judge, box)) != self.model.count[box]:
            # What was acknowledged may not be filed yet, but will be.
            if time.monotonic() > end:
                wanted = self.model.count[box]
                raise Divergence('%s: %s' % (box, {
                    key: (wanted.get(key, 0), there.get(key, 0))
                    for key in wanted.keys() | there.keys()
                    if wanted.get(key, 0) != there.get(key, 0)}))
            time.sleep(0.1)

    def compare_view(self, program, truth):
        program.session.command('NOOP')
        program.learn()
        seen = program.session.view.picture()
        if seen != truth:
            wrong = {uid: (seen.get(uid), truth.get(uid))
                     for uid in seen.keys() | truth.keys()
                     if seen.get(uid) != truth.get(uid)}
            raise Divergence('%s (QRESYNC %s) saw, is: %s; last: %s' % (
                program.name, program.is_qresync, wrong,
                program.session.recent()))
        marked = {uid for uid, flags in truth.items()
                  if program.keyword in flags}
        wanted = program.marked() & truth.keys()
        if marked != wanted:
            raise Divergence('%s is at %s, was set at %s' % (
                program.keyword, sorted(marked), sorted(wanted)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=int, default=600)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--clients', type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='firnmail-views-',
                                     dir='/var/tmp') as folder:
        os.chmod(folder, 0o711)
        site = Site(os.path.join(folder, 'instance'))
        try:
            run = Run(site, options)
            run.go(options.seconds)
        finally:
            site.stop()
    commands = sum(w.commands for w in run.workers if isinstance(w, Program))
    print('%d rounds, %d commands, %d divergences' % (
        run.rounds, commands, len(run.divergences)))
    return 1 if run.divergences or not run.rounds else 0


if __name__ == '__main__':
    sys.exit(main())

"""./demo tour: mail arrives, is read, is snapshotted, is wiped out by an
intruder and then by root, and comes back under its old UIDs.  The intruder sits
in each process that reads foreign bytes: the broker starts the red team's
program in its place, behind the role's own walls.  Each step is checked; the
table at the end shows the command and the raw answer of each, and the exit
status is 1 if any FAILED.  Uses an instance of its own, which is removed.

    ./demo tour --without WALL,...    leave walls open around the intruder: uid,
                                      chroot, capabilities, landlock, seccomp or
                                      all; their rows turn red"""
import argparse
import imaplib
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
INSTANCE = os.path.join(TOP, 'tests/instance')
TAKEN_OVER = os.path.join(TOP, 'tests/redteam/taken_over')
MESSAGES = 5
FACES = ('smtpd', 'queue', 'imapd', 'worker')
# What each of FACES tries: tests/redteam/attacks.def has them all.
ATTACKS = {'store_unlink': 'deletes the store',
           'store_truncate': 'empties the store',
           'store_folder_rename': 'moves the store away',
           'become_snapd': "takes the store's uid",
           'keeper_kill': "kills the store's keeper",
           'other_account_mail': "reads another's mail"}
# Bits of `walls` in the log (common/sandbox.h).
WALLS = {'uid': 1, 'chroot': 2, 'capabilities': 4, 'bounding': 32,
         'landlock': 8, 'seccomp': 16}
COLOURS = sys.stdout.isatty() and not os.environ.get('NO_COLOR')


class Tour:
    def __init__(self, directory, without):
        self.dir = directory
        self.without = without
        self.rows = []
        out = subprocess.run(
            [INSTANCE, 'start', directory, '--names', 'alice,bob',
             '--cheap-hash'], check=True, text=True,
            stdout=subprocess.PIPE).stdout
        self.at = dict(line.split('=', 1) for line in out.splitlines())

    def row(self, action, who, good, command, answer):
        self.rows.append((action, who, good, command, str(answer)))
        print('%s %s' % (mark(good), action), flush=True)

    def imap(self, user='USER1'):
        client = imaplib.IMAP4_SSL(
            '127.0.0.1', int(self.at['IMAPS_PORT']), timeout=20,
            ssl_context=context())
        client.login(self.at[user], self.at['PASS1'])
        return client

    def view(self):
        """What a fresh client sees: EXISTS, UIDVALIDITY, and of each message
        UID, flags, date and body."""
        client = self.imap()
        status, count = client.select('INBOX')
        if status != 'OK':
            raise imaplib.IMAP4.error('SELECT: %s %s' % (status, count))
        _, validity = client.response('UIDVALIDITY')
        data = []
        if int(count[0]):
            _, data = client.uid('FETCH', '1:*',
                                 '(FLAGS INTERNALDATE BODY.PEEK[])')
        client.logout()
        found = {}
        for item in data:
            if isinstance(item, tuple):
                line = re.sub(rb'^\d+ \((.*) BODY\[\].*', rb'\1', item[0])
                found[int(re.search(rb'UID (\d+)', line)[1])] = (
                    line.decode(), item[1])
        return int(count[0]), validity[0].decode(), found

    def snapctl(self, *words):
        command = self.at['SNAPCTL'].split() + list(words)
        done = subprocess.run(command, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.strip(), 'snapctl ' + \
            ' '.join(words)

    # The story.

    def mail_arrives(self):
        good = True
        with smtplib.SMTP('127.0.0.1', int(self.at['SMTP_PORT']),
                          timeout=20) as client:
            client.starttls(context=context())
            client.ehlo('tour.test')
            for n in range(MESSAGES):
                client.mail('friend@tour.test')
                client.rcpt(self.at['USER1'])
                answer = client.data(
                    'From: friend@tour.test\r\nMessage-ID: <tour-%d@tour.test>'
                    '\r\nSubject: Letter %d\r\n\r\nDear Alice\r\n' % (n, n))
                good = good and answer[0] == 250
        self.row('%d letters arrive' % MESSAGES, 'a friend', good,
                 'SMTP DATA', '%d %s' % (answer[0], answer[1].decode()))

    def mail_is_read(self):
        self.wait(lambda: self.view()[0] == MESSAGES)
        client = self.imap()
        client.select('INBOX')
        client.uid('STORE', '2', '+FLAGS', '(\\Flagged \\Seen)')
        client.logout()
        self.before = self.view()
        self.imap('USER2').logout()  # so that he has a mailbox, too
        self.row('she reads them, flags one', 'alice',
                 self.before[0] == MESSAGES == len(self.before[2]) and
                 'Flagged' in self.before[2][2][0],
                 FETCH, told(self.before))

    def snapshot_is_taken(self):
        code, out, command = self.snapctl('create', '-m', 'before the storm')
        self.row('a snapshot is taken', 'root', code == 0, command, out)

    def nothing_can_be_destroyed(self):
        code, out, command = self.snapctl('destroy', 'latest')
        self.row('snapshots cannot be destroyed', 'root', code == 2, command,
                 'exit %d: %s' % (code, out))

    def intruder_attacks(self):
        """From inside each mail-facing process, with the real snapd beside."""
        if os.geteuid() != 0:
            self.row('an intruder in each process', 'intruder', False, '',
                     'run as root: without it these walls are not there')
            return
        self.instance('stop')
        words = ['--at', self.dir] + (
            ['--without', self.without] if self.without else [])
        command = 'tests/redteam/taken_over BUILD %s ' % ' '.join(words)
        done = subprocess.run(
            [TAKEN_OVER, os.environ['BUILD'], *words, *ATTACKS],
            text=True, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.walls_stand(command + list(ATTACKS)[-1], done.stdout)
        for name, action in ATTACKS.items():
            lines = re.findall(r'^.* %s .*$' % name, done.stdout, re.M)
            found = [line.split(None, 4)[2:] for line in lines]
            good = sorted(one[0] for one in found) == sorted(FACES) and \
                all(one[-1] in ('refused', 'stopped by seccomp')
                    for one in found)
            self.row('he %s' % action, 'intruder', good, command + name,
                     '\n'.join(lines) or done.stdout[-300:])
        self.instance('start')
        code, out, command = self.snapctl('list')
        self.row('the snapshot is still there', 'root',
                 code == 0 and 'before the storm' in out, command, out)

    def walls_stand(self, command, out):
        """One row for each wall, of all four in which he sits."""
        lines = [line for line in out.splitlines()
                 if re.match(r'ready role=(%s) ' % '|'.join(FACES), line)]
        walls = [int(re.search(r'walls=0x(\w+)', line)[1], 16)
                 for line in lines]
        for name, bit in WALLS.items():
            self.row('wall around each of them: ' + name, 'intruder',
                     len(walls) >= len(FACES) and
                     all(one & bit for one in walls),
                     command, '\n'.join(lines))

    def worker_wipes_its_mail(self):
        """What the worker of an account may do to the account's files."""
        home = os.path.dirname(self.at['MAILDIR1'])
        uid = os.stat(self.at['MAILDIR1']).st_uid
        before = self.files()
        done = subprocess.run(
            ['rm', '-rfv', 'Maildir', 'index'], text=True, check=False,
            cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            **({'user': uid, 'group': uid, 'extra_groups': []}
               if os.geteuid() == 0 else {}))
        gone = set(re.findall(r"^removed '(.*)'$", done.stdout, re.M))
        self.row("he wipes all that her worker's uid may", 'intruder',
                 done.returncode == 0 and len(before) == MESSAGES and
                 {os.path.relpath(name, home) for name in before} <= gone,
                 'rm -rfv Maildir index',
                 'uid %d, exit %d, %d files removed' % (
                     uid, done.returncode, len(gone)))

    def reconnecting_client_is_not_misled(self):
        try:
            seen = self.view()
            good = seen == self.before
            answer = told(seen)
        except imaplib.IMAP4.error as error:
            answer = str(error)
            good = 'UNAVAILABLE' in answer
        self.row('a mail program reconnects: not 0 EXISTS', 'alice', good,
                 FETCH, answer)

    def all_mail_is_wiped(self):
        """The hand of an admin, or of who became one."""
        mail = os.path.dirname(os.path.dirname(self.at['MAILDIR1']))
        self.wait(lambda: len(self.files()) == MESSAGES)
        before = len(self.files())
        self.instance('stop')
        shutil.rmtree(mail)
        self.row('the mail of all accounts is wiped', 'root',
                 before == MESSAGES and not os.path.exists(mail),
                 'rm -rf ' + mail,
                 '%d files of hers before, %d now' % (
                     before, len(self.files())))
        self.instance('start')

    def one_command_restores(self):
        code, out, command = self.snapctl('restore', 'latest', '--yes')
        self.wait(lambda: len(self.files()) == MESSAGES)
        self.row('one command brings all back', 'root',
                 code == 0 and len(self.files()) == MESSAGES, command,
                 '%s\n%d files in her Maildir' % (out, len(self.files())))

    def same_mail_same_uids(self):
        after = self.view()
        self.row('same UIDVALIDITY, UIDs, flags, dates, bytes', 'alice',
                 after == self.before, FETCH, told(after))

    def store_is_sound(self):
        code, out, command = self.snapctl('verify', '--read-data')
        self.row('the store is checked, each body read', 'root', code == 0,
                 command, 'exit %d: %s' % (code, out))

    def files(self):
        return [os.path.join(top, name)
                for top, _, names in os.walk(self.at['MAILDIR1'])
                for name in names
                if os.path.basename(top) in ('cur', 'new')]

    def instance(self, verb):
        subprocess.run([INSTANCE, verb, self.dir], check=True,
                       stdout=subprocess.DEVNULL)

    def wait(self, condition):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (imaplib.IMAP4.error, OSError):
                pass
            time.sleep(0.1)

    def table(self):
        print('\n%-48s %-9s %s' % ('action', 'who', 'result'))
        for action, who, good, command, answer in self.rows:
            print('%-48s %-9s %s' % (action, who, mark(good)))
            print('    $ %s' % command)
            for line in answer.splitlines()[:6] or ['']:
                print('    %s' % line[:150])
        wrong = sum(not row[2] for row in self.rows)
        print('\n%d steps, %d failed' % (len(self.rows), wrong))
        return 1 if wrong else 0


FETCH = 'SELECT INBOX; UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])'


def told(view):
    count, validity, found = view
    return '\n'.join(['%d EXISTS, UIDVALIDITY %s' % (count, validity)] +
                     [line for line, _ in found.values()])


def mark(good):
    word = 'ok    ' if good else 'FAILED'
    if not COLOURS:
        return word
    return '\033[%dm%s\033[0m' % (32 if good else 31, word)


def context():
    """The certificate is self-signed and new: its name is not the point."""
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def main():
    parser = argparse.ArgumentParser(prog='./demo tour')
    parser.add_argument('--without', default='', metavar='WALL,...')
    without = parser.parse_args().without
    unknown = set(filter(None, without.split(','))) - {*WALLS, 'all'} | (
        {'bounding'} & set(without.split(',')))
    if unknown:
        parser.error('no such wall to leave open: ' + ' '.join(unknown))
    directory = tempfile.mkdtemp(prefix='firnmail-tour-')
    os.chmod(directory, 0o711)
    try:
        tour = Tour(directory, without)
        for step in (tour.mail_arrives, tour.mail_is_read,
                     tour.snapshot_is_taken, tour.nothing_can_be_destroyed,
                     tour.intruder_attacks, tour.worker_wipes_its_mail,
                     tour.reconnecting_client_is_not_misled,
                     tour.all_mail_is_wiped, tour.one_command_restores,
                     tour.same_mail_same_uids, tour.store_is_sound):
            try:
                step()
            except (imaplib.IMAP4.error, smtplib.SMTPException, OSError,
                    ValueError, LookupError, AttributeError,
                    subprocess.CalledProcessError) as error:
                tour.row(step.__name__.replace('_', ' '), '', False, '',
                         repr(error))
        return tour.table()
    except KeyboardInterrupt:
        return 130
    finally:
        subprocess.run([INSTANCE, 'stop', directory], check=False)
        shutil.rmtree(directory, ignore_errors=True)


sys.exit(main())

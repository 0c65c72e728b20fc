"""./demo tour: mail arrives, is read, is snapshotted, is wiped out by an
intruder, and comes back under its old UIDs.  Each step is checked; the table at
the end shows the command and the raw answer of each, and the exit status is 1
if any went wrong.  Uses an instance of its own, which is removed."""
import imaplib
import os
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
INSTANCE = os.path.join(TOP, 'tests/instance')
MESSAGES = 5
COLOURS = sys.stdout.isatty() and 'NO_COLOR' not in os.environ


class Tour:
    def __init__(self, directory):
        self.dir = directory
        self.rows = []
        out = subprocess.run(
            [INSTANCE, 'start', directory, '--names', 'alice,bob',
             '--cheap-hash'], check=True, text=True,
            stdout=subprocess.PIPE).stdout
        self.at = dict(line.split('=', 1) for line in out.splitlines())

    def row(self, action, who, good, command, answer):
        self.rows.append((action, who, good, command, str(answer)))
        print('%s %s' % (mark(good), action), flush=True)

    def imap(self):
        client = imaplib.IMAP4_SSL(
            '127.0.0.1', int(self.at['IMAPS_PORT']), timeout=20,
            ssl_context=context())
        client.login(self.at['USER1'], self.at['PASS1'])
        return client

    def uids(self):
        """(UIDVALIDITY, [UID, Message-ID]) as a fresh client sees them."""
        client = self.imap()
        _, count = client.select('INBOX')
        _, validity = client.response('UIDVALIDITY')
        found = []
        if int(count[0]):
            _, data = client.uid('FETCH', '1:*',
                                 '(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])')
            for item in data:
                if isinstance(item, tuple):
                    found.append((item[0].split(b'UID ')[1].split()[0],
                                  item[1].split(b':', 1)[1].strip()))
        client.logout()
        return validity[0], sorted(found)

    def snapctl(self, *words):
        command = self.at['SNAPCTL'].split() + list(words)
        done = subprocess.run(command, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.strip(), 'snapctl ' + \
            ' '.join(words)

    # The story.

    def mail_arrives(self):
        answer = ''
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
        self.row('%d letters arrive' % MESSAGES, 'a friend', answer[0] == 250,
                 'SMTP DATA', answer)

    def mail_is_read(self):
        self.wait(lambda: len(self.uids()[1]) == MESSAGES)
        self.before = self.uids()
        self.row('she reads them', 'alice', len(self.before[1]) == MESSAGES,
                 'UID FETCH 1:* (...)', self.before)

    def snapshot_is_taken(self):
        code, out, command = self.snapctl('create', '-m', 'before the storm')
        self.row('a snapshot is taken', 'admin', code == 0, command, out)

    def nothing_can_be_destroyed(self):
        code, out, command = self.snapctl('destroy', 'latest')
        self.row('snapshots cannot be destroyed', 'admin', code == 2, command,
                 'exit %d: %s' % (code, out))

    def store_is_closed_to_the_others(self):
        """What an intruder with the uid of the account's worker, or of a
        front, gets at the store."""
        if os.geteuid() != 0:
            self.row('the store is closed to other uids', 'intruder', False,
                     'needs root', 'run as root to see this wall')
            return
        store = self.at['STORE']
        uids = {status_uid(pid) for pid in children(int(self.at['PID']))}
        uids -= {0, os.stat(store).st_uid}
        answers = []
        for uid in sorted(uids):
            done = subprocess.run(
                ['rm', '-rf', '--', *(os.path.join(store, name)
                                      for name in os.listdir(store))],
                user=uid, group=uid, extra_groups=[], text=True, check=False,
                cwd='/', stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            answers.append('uid %d: exit %d %s' % (
                uid, done.returncode, done.stdout.splitlines()[:1]))
        good = bool(uids) and all(' exit 1 ' in one for one in answers) and \
            bool(os.listdir(store))
        self.row('he tries to wipe the store', 'intruder', good,
                 'rm -rf STORE/* as each uid', '; '.join(answers))

    def mail_is_wiped(self):
        maildir = self.at['MAILDIR1']
        shutil.rmtree(maildir)
        self.row('he wipes the Maildir', 'intruder',
                 not os.path.exists(maildir), 'rm -rf ' + maildir,
                 'gone: %s' % (not os.path.exists(maildir)))

    def reconnecting_client_is_not_misled(self):
        try:
            seen = self.uids()
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            seen = error
        good = isinstance(seen, Exception) or seen == self.before
        self.row('a mail program reconnects: no empty mailbox', 'alice', good,
                 'SELECT INBOX', repr(seen))

    def one_command_restores(self):
        code, out, command = self.snapctl(
            'restore', 'latest:' + self.at['USER1'], '--yes')
        self.row('one command restores', 'admin', code == 0, command, out)

    def same_mail_same_uids(self):
        self.wait(lambda: self.uids() == self.before)
        after = self.uids()
        files = [name for _, _, names in os.walk(self.at['MAILDIR1'])
                 for name in names if ',S=' in name]
        self.row('the same mail under the same UIDs', 'alice',
                 after == self.before and len(files) == MESSAGES,
                 'UID FETCH 1:* (...)', '%s, %d files' % (after, len(files)))

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
        print('\n%-46s %-9s %s' % ('action', 'who', 'result'))
        for action, who, good, command, answer in self.rows:
            print('%-46s %-9s %s' % (action, who, mark(good)))
            print('    $ %s' % command)
            for line in answer.splitlines()[:4] or ['']:
                print('    %s' % line[:150])
        wrong = sum(not row[2] for row in self.rows)
        print('\n%d steps, %d wrong' % (len(self.rows), wrong))
        return 1 if wrong else 0


def mark(good):
    word = 'ok ' if good else 'BAD'
    if not COLOURS:
        return word
    return '\033[%dm%s\033[0m' % (32 if good else 31, word)


def context():
    """The certificate is self-signed and new: its name is not the point."""
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def children(master):
    parents = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open('/proc/%s/stat' % name, encoding='ascii',
                          errors='replace') as file:
                    parent = int(file.read().rpartition(')')[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(name))
    todo = [master]
    while todo:
        pid = todo.pop()
        yield pid
        todo += parents.get(pid, [])


def status_uid(pid):
    return os.stat('/proc/%d' % pid).st_uid


def main():
    directory = tempfile.mkdtemp(prefix='firnmail-tour-')
    os.chmod(directory, 0o711)
    try:
        tour = Tour(directory)
        for step in (tour.mail_arrives, tour.mail_is_read,
                     tour.snapshot_is_taken, tour.nothing_can_be_destroyed,
                     tour.store_is_closed_to_the_others, tour.mail_is_wiped,
                     tour.reconnecting_client_is_not_misled,
                     tour.one_command_restores, tour.same_mail_same_uids):
            try:
                step()
            except (imaplib.IMAP4.error, smtplib.SMTPException, OSError,
                    ValueError) as error:
                tour.row(step.__name__.replace('_', ' '), '', False, '',
                         repr(error))
        return tour.table()
    finally:
        subprocess.run([INSTANCE, 'stop', directory], check=False)
        shutil.rmtree(directory, ignore_errors=True)


sys.exit(main())

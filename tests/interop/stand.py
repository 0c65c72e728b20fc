"""What the programs here have in common: an instance, its mailboxes, waiting."""
import contextlib
import imaplib
import pathlib
import smtplib
import ssl
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
INSTANCE = TOP / 'tests/instance'
SECONDS = 40


def wait_for(condition, what):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            value = condition()
            if value:
                return value
        time.sleep(0.1)
    raise TimeoutError(what)


class Site:
    """An instance with one account and letters in its INBOX."""

    def __init__(self, folder, messages=0, *options):
        self.dir = folder / 'instance'
        out = subprocess.run(
            [INSTANCE, 'start', self.dir, '--accounts', '1', '--cheap-hash',
             *options], check=True, text=True, stdout=subprocess.PIPE).stdout
        self.said = dict(line.split('=', 1) for line in out.splitlines())
        self.user, self.password = self.said['USER1'], self.said['PASS1']
        self.context = ssl.create_default_context(cafile=self.said['CAFILE'])
        with self.imap() as client:
            for number in range(messages):
                client.append('INBOX', None, None, letter(
                    'letter %d' % number, self.user))

    def stop(self):
        subprocess.run([INSTANCE, 'stop', self.dir], check=False)

    @contextlib.contextmanager
    def imap(self):
        client = imaplib.IMAP4_SSL('localhost', int(self.said['IMAPS_PORT']),
                                   ssl_context=self.context)
        client.login(self.user, self.password)
        try:
            yield client
        finally:
            client.logout()

    def search(self, mailbox, *keys):
        with self.imap() as client:
            if client.select('"%s"' % mailbox, readonly=True)[0] != 'OK':
                return []
            return client.search(None, *keys)[1][0].split()

    def deliver(self, subject):
        with smtplib.SMTP('127.0.0.1', int(self.said['SMTP_PORT'])) as client:
            client.sendmail('someone@there.test', [self.user],
                            letter(subject, self.user))


def letter(subject, to):
    return ('From: Someone <someone@there.test>\r\nTo: %s\r\n'
            'Date: Thu, 26 Nov 2026 06:00:00 +0000\r\nSubject: %s\r\n'
            'Message-ID: <%s@there.test>\r\n\r\nText of %s.\r\n' % (
                to, subject, subject.replace(' ', '-'), subject)).encode()

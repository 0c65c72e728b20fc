"""Quotas (RFC 9208), as a client, a sender and the administrator see them."""
import json
import os
import re
import smtplib
import subprocess

import pytest

from clients import say
from conftest import Server, end, message, wait_for

CONFIG = '''
listen lmtp unix {directory}/lmtp
limit quota 64K messages 6
'''
SIZE = 10000  # six of them are less than 64 KiB, seven are more


@pytest.fixture(name='site', scope='module')
def fixture_site(tmp_path_factory):
    directory = '/var/tmp/firnmail-%d-%s' % (
        os.getpid(), tmp_path_factory.mktemp('quota').name)
    os.makedirs(directory, mode=0o711)
    config = tmp_path_factory.mktemp('config') / 'lines'
    config.write_text(CONFIG.format(directory=directory))
    yield Server(directory, '--cheap-hash', '--config', str(config),
                 '--accounts', '9')
    end(directory)


@pytest.fixture(name='user')
def fixture_user(site, request):
    """Of each test its own: no test knows what another left."""
    number = site.__dict__.setdefault('users_taken', 0) + 1
    site.__dict__['users_taken'] = number
    request.node.user = 'user%d@%s' % (number, site.domain)
    return request.node.user


def usage(client):
    """STORAGE and MESSAGE, used of limit."""
    root, quota = say(client, 'GETQUOTAROOT INBOX')
    assert root == b'* QUOTAROOT INBOX account'
    found = re.fullmatch(rb'\* QUOTA account \(STORAGE (\d+) (\d+) '
                         rb'MESSAGE (\d+) (\d+)\)', quota)
    return tuple(int(number) for number in found.groups())


def append(client, key, size=SIZE, box='INBOX'):
    status, text = client.append(box, None, None, message(key, size).encode())
    return status == 'OK' or text[0]


def is_full(answer):
    return answer is not True and answer.startswith(b'[OVERQUOTA]')


def rcpt(site, user, size=0):
    with site.smtp() as client:
        client.ehlo()
        client.mail('a@there.test', ['SIZE=%d' % size] if size else ())
        return client.rcpt(user)


def mail(site, user, key, size=SIZE):
    with site.smtp() as client:
        try:
            client.sendmail('a@there.test', user, message(key, size))
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[user]
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code, refused.smtp_error
    return 250, b''


def test_what_is_announced_is_there(site, user):
    with site.imap_session(user) as client:
        announced = set(client.capability()[1][0].split())
        assert {b'QUOTA', b'QUOTA=RES-STORAGE',
                b'QUOTA=RES-MESSAGE'} <= announced
        assert b'QUOTASET' not in announced
        assert usage(client) == (0, 64, 0, 6)
        status, text = client.setquota('account', '(STORAGE 9000000)')
        assert status == 'NO' and text[0].startswith(b'[NOPERM]')
        assert usage(client) == (0, 64, 0, 6)


def test_append_and_copy_stop_at_the_quota_and_move_does_not(site, user):
    with site.imap_session(user) as client:
        assert client.create('Other')[0] == 'OK'
        assert [append(client, 'm%d' % n) for n in range(4)] == [True] * 4
        client.select('INBOX')
        assert client.copy('1:2', 'Other')[0] == 'OK'
        used, _, messages, _ = usage(client)
        assert messages == 6 and 6 * SIZE / 1024 <= used < 64
        status, text = client.copy('1', 'Other')
        assert status == 'NO' and text[0].startswith(b'[OVERQUOTA]')
        assert is_full(append(client, 'one more', 0))
        assert client.uid('MOVE', '1', 'Other')[0] == 'OK'
        assert usage(client)[2] == 6
        client.store('1', '+FLAGS.SILENT', r'(\Deleted)')
        size = re.search(rb'RFC822.SIZE (\d+)', client.fetch(
            '1', '(RFC822.SIZE)')[1][0])[1]
        assert say(client, 'STATUS INBOX (DELETED DELETED-STORAGE)') == [
            b'* STATUS INBOX (DELETED 1 DELETED-STORAGE %s)' % size]
        client.expunge()
        assert usage(client)[2] == 5
        assert append(client, 'room again') is True
        # What was deleted is kept, and does not count until it is back.
        client.select('"Snapshots/Deleted mail"', readonly=True)
        status, text = client.copy('1', 'INBOX')
        assert status == 'NO' and text[0].startswith(b'[OVERQUOTA]')


def test_mail_to_who_is_full_waits_at_its_sender(site, user):
    assert mail(site, user, 'first')[0] == 250
    with site.imap_session(user) as client:
        wait_for(lambda: usage(client)[2] == 1, what='filed')
        for n in range(5):
            assert append(client, 'm%d' % n) is True
        code, text = rcpt(site, user)
        assert code == 452 and text.startswith(b'4.2.2')
        client.select('INBOX')
        client.store('1', '+FLAGS.SILENT', r'(\Deleted)')
        client.expunge()
        assert rcpt(site, user, 50000)[0] == 452
        assert rcpt(site, user, 9000)[0] == 250
    # Who has no session is full all the same.
    assert mail(site, user, 'last')[0] == 250
    assert wait_for(lambda: rcpt(site, user)[0] == 452, what='full')


def test_what_a_message_takes_shows_at_its_end(site, user):
    with site.imap_session(user) as client:
        for n in range(5):
            assert append(client, 'm%d' % n) is True
        with site.smtp() as sender:
            sender.ehlo()
            sender.mail('a@there.test')
            assert sender.rcpt(user)[0] == 250
            code, text = sender.data(message('large', 30000).encode())
            assert code == 452 and text.startswith(b'4.2.2')
        assert usage(client)[2] == 5


def test_lmtp_tells_each_recipient(site, user):
    other = 'user9@' + site.domain
    with site.imap_session(user) as client:
        for n in range(5):
            assert append(client, 'm%d' % n) is True
        with smtplib.LMTP(site.dir + '/lmtp') as sender:
            sender.ehlo()
            sender.mail('a@there.test')
            assert [sender.rcpt(who)[0] for who in (user, other)] == [250, 250]
            code, text = sender.data(message('to both', 30000).encode())
            assert code == 452 and text.startswith(b'4.2.2')
            assert sender.getreply()[0] == 250
        assert usage(client)[2] == 5


def test_the_administrator_sees_and_changes_it(site, user):
    def shown():
        done = subprocess.run(
            site.firnmail.split() + ['--json', 'account', 'show', user],
            check=True, text=True, stdout=subprocess.PIPE, timeout=60)
        return json.loads(done.stdout)

    with site.imap_session(user) as client:
        append(client, 'x')
        used = usage(client)[0]
        row = shown()
        assert (row['quota'], row['quota_messages'], row['messages']) == (
            65536, 6, 1)
        assert (row['used'] + 1023) // 1024 == used
        path = os.path.join(site.dir, 'etc/users')
        with open(path, encoding='utf-8') as file:
            users = file.read()
        conf = os.path.join(site.dir, 'etc/firnmail.conf')
        with open(conf, 'a', encoding='utf-8') as file:
            file.write('limit messages 1 class one\n')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(re.sub(r'(?m)^(%s:.*)(firnmail_id)' % re.escape(user),
                              r'\1firnmail_class=one \2', users))
        subprocess.run(site.firnmail.split() + ['reload'], check=True,
                       timeout=60, stdout=subprocess.DEVNULL)
        # The session that is open goes by it.
        assert wait_for(lambda: is_full(append(client, 'y', 0)),
                        what='the new quota')
        assert say(client, 'GETQUOTA account') == [
            b'* QUOTA account (MESSAGE 1 1)']
        assert rcpt(site, user)[0] == 452


def test_the_log_has_it_when_nine_tenths_are_used(site, user):
    def logged():
        with open(os.path.join(site.dir, 'log'), encoding='utf-8',
                  errors='replace') as log:
            return [line for line in log if 'quota-warning' in line and
                    'messages=1 ' in line]

    with site.imap_session(user) as client:
        assert append(client, 'large', 60000) is True
        assert wait_for(logged, what='the warning')
        assert len(logged()) == 1 and ' percent=9' in logged()[0]

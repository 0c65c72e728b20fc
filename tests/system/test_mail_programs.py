"""Mail programs that people use, doing their ordinary work."""
import base64
import os
import re
import subprocess

import pytest

from clients import Desk, mbsync
from conftest import message, wait_for


def run(*command, text='', code=0, **more):
    done = subprocess.run(command, input=text, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, **more)
    assert done.returncode == code, done.stdout
    return done.stdout


def key_is_there(server, key, user=None):
    return wait_for(lambda: key in server.view(user).keys.values(),
                    what='mail ' + key)


def test_curl_sends_and_reads(shared, tmp_path):
    mail = tmp_path / 'mail'
    mail.write_bytes(message('curl').encode())
    run('curl', '-sS', '--fail', '--ssl-reqd', '--cacert', shared.cafile,
        'smtp://localhost:%d' % shared.smtp_port, '--mail-from',
        'me@there.test', '--mail-rcpt', shared.user1, '-T', str(mail))
    key_is_there(shared, 'curl')
    view = shared.view()
    uid = next(u for u, key in view.keys.items() if key == 'curl')
    out = run('curl', '-sS', '--fail', '--cacert', shared.cafile, '-u',
              '%s:%s' % (shared.user1, shared.pass1),
              'imaps://localhost:%d/INBOX;UID=%d' % (shared.imaps_port, uid))
    assert 'Subject: curl' in out


def test_swaks_submits_with_starttls_and_with_tls(shared):
    for key, port, tls in (('swaks-starttls', shared.submission_port, '-tls'),
                           ('swaks-tls', shared.smtps_port, '-tlsc')):
        out = run('swaks', '--server', '127.0.0.1', '--port', str(port), tls,
                  '--auth', 'PLAIN', '--auth-user', shared.user1,
                  '--auth-password', shared.pass1, '--from', shared.user1,
                  '--to', shared.user2, '--header',
                  'Message-Id: <%s@there.test>' % key, '--helo', 'c.test')
        assert '250' in out
        key_is_there(shared, key, shared.user2)


def test_swaks_cannot_submit_without_login_or_as_another(shared):
    base = ['swaks', '--server', '127.0.0.1', '--port',
            str(shared.smtps_port), '-tlsc', '--to', shared.user2,
            '--helo', 'c.test']
    run(*base, '--from', shared.user1, code=23)
    run(*base, '--from', shared.user2, '--auth', 'PLAIN', '--auth-user',
        shared.user1, '--auth-password', shared.pass1, code=23)


def test_relaying_is_refused(shared):
    with shared.smtp() as client:
        client.ehlo()
        client.mail('sender@there.test')
        code, text = client.rcpt('someone@elsewhere.test')
    assert code == 550 and b'5.7.1' in text


def test_mbsync_copies_both_ways(shared, tmp_path):
    desk = Desk(shared, 2, tmp_path, ['mbsync-1', 'mbsync-2'])
    sync = mbsync(desk)
    sync()
    texts = desk.texts('near', 'inbox')
    assert sum('Subject: mbsync-' in text for text in texts) == 2
    desk.write('near/inbox/new/1.local',
               message('mbsync-up').replace('\r\n', '\n'))
    sync()
    assert 'mbsync-up' in desk.keys()


def sessions(server, user):
    """What the log has of each session of a user: names of events."""
    with open(server.dir + '/log', encoding='utf-8') as log:
        events = re.findall(
            r'(worker\[\d+\]) info session-(\w+).* (sid=\d+)(.*)', log.read())
    names = {}
    for worker, name, sid, rest in events:
        if ' user=%s ' % user in rest + ' ' or (worker, sid) in names:
            names.setdefault((worker, sid), []).append(name)
    return list(names.values())


@pytest.mark.parametrize('deflate', ('no', 'yes'))
def test_mutt_reads_a_folder(shared, tmp_path, deflate):
    user = 'mutt-%s@%s' % (deflate, shared.domain)
    run(*shared.firnmail.split(), 'account', 'add', user, '--cheap-hash',
        text=shared.pass1 + '\n')
    with shared.imap_session(user) as client:
        client.append('INBOX', None, None, message('mutt').encode())
    rc = tmp_path / 'muttrc'
    rc.write_text('''
set imap_user="%s" imap_pass="%s" folder="imaps://localhost:%d"
set certificate_file="%s" ssl_verify_host=no ssl_force_tls=yes
set spoolfile="+INBOX" header_cache="" quit=yes imap_deflate=%s
push "<limit>~s mutt<enter><tag-pattern>~A<enter><tag-prefix><copy-message>%s<enter>y<quit>"
set confirmappend=no confirmcreate=no delete=no mbox_type=mbox
''' % (user, shared.pass1, shared.imaps_port, shared.cafile,
       deflate, tmp_path / 'saved'))
    run('script', '-qec', 'mutt -F %s' % rc, '/dev/null',
        env=dict(os.environ, TERM='xterm', HOME=str(tmp_path)))
    assert 'Subject: mutt' in (tmp_path / 'saved').read_text()
    # Ours, and mutt's.
    ended = wait_for(lambda: [one for one in sessions(shared, user)
                              if 'close' in one][1:], what='the end of mutt')
    assert [one[1] == 'compressed' for one in ended] == [deflate == 'yes']


def test_imaplib_does_everything_to_a_message(shared):
    with shared.imap_session() as client:
        assert client.create('Work')[0] == 'OK'
        assert client.append('Work', '(\\Seen)', '"01-Jan-2026 10:00:00 +0000"',
                             message('all').encode())[0] == 'OK'
        assert client.select('Work')[0] == 'OK'
        assert client.uid('SEARCH', 'SUBJECT', 'all')[1][0] == b'1'
        assert client.uid('STORE', '1', '+FLAGS', '(\\Flagged)')[0] == 'OK'
        _, data = client.uid('FETCH', '1', '(FLAGS INTERNALDATE)')
        assert b'\\Flagged' in data[0] and b'01-Jan-2026' in data[0]
        assert client.uid('COPY', '1', 'INBOX')[0] == 'OK'
        assert client.uid('STORE', '1', '+FLAGS', '(\\Deleted)')[0] == 'OK'
        assert client.expunge()[1] == [b'1']
        assert client.close()[0] == 'OK'
        assert client.delete('Work')[0] == 'OK'
    assert 'all' in shared.view().keys.values()


def test_a_change_that_changes_nothing_is_answered_once(shared):
    with shared.imap_session(shared.user2) as client:
        client.append('INBOX', '(\\Seen)', None, message('same').encode())
        client.select('INBOX')
        for _ in range(3):
            assert client.store('1:*', '+FLAGS', '(\\Seen)')[0] == 'OK'
            assert client.store('1:*', '+FLAGS.SILENT', '(\\Seen)')[0] == 'OK'
            assert client.expunge() == ('OK', [None])
        # More ranges than glibc's qsort() sorts on the stack.
        ranges = ','.join(str(n) for n in range(1999, 1, -2))
        assert client.uid('FETCH', ranges, 'FLAGS')[0] == 'OK'
        assert client.noop()[0] == 'OK'


def test_rfc822_size_is_the_size_of_the_body(shared):
    with shared.imap_session(shared.user2) as client:
        for mail in (b'Subject: a\n\nx\ny\n', b'Subject: a\r\n\r\nx\ny\r\n',
                     b'Subject: a\r\n\r\nx\ry\r\n', b'Subject: a\n\nx\r\ny'):
            client.send(b'a APPEND INBOX {%d+}\r\n%s\r\n' % (len(mail), mail))
            while not (line := client.readline()).startswith(b'a '):
                pass
            uid = line.split(b'APPENDUID ')[1].split()[1].rstrip(b']').decode()
            client.select('INBOX')
            _, data = client.uid('FETCH', uid, '(RFC822.SIZE BODY.PEEK[])')
            assert b'RFC822.SIZE %d ' % len(data[0][1]) in data[0][0] + b' '


def test_wrong_password_and_unknown_user_look_alike(shared):
    answers = []
    for user in (shared.user1, 'nobody@' + shared.domain):
        client = shared.imap_bare()
        plain = base64.b64encode(
            ('\0%s\0wrong' % user).encode()).decode()
        client.send(b'a AUTHENTICATE PLAIN ' + plain.encode() + b'\r\n')
        while True:
            line = client.readline()
            if line.startswith(b'a '):
                break
        answers.append(line)
        client.shutdown()
    assert answers[0] == answers[1] and answers[0].startswith(b'a NO')

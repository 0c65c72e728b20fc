"""sendmail: mail of this machine's own programs, as they have always sent
it."""
import email
import os
import pwd
import smtplib
import socket
import subprocess

import pytest

from conftest import wait_for

NOBODY = pwd.getpwnam('nobody')
TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
BUILD = os.environ.get('BUILD', os.path.join(TOP, 'build'))


def sendmail(server, *arguments, text='hi\n', code=0, name='sendmail',
             user=None, **environment):
    """What it says; as `user`, if one is given."""
    program = os.path.join(BUILD, 'sendmail/sendmail')
    done = subprocess.run(
        [name, *arguments], executable=program, input=text, text=True,
        check=False, timeout=60, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, user=user,
        extra_groups=[] if user is not None else None,
        env={'FIRNMAIL_SUBMIT': os.path.join(server.dir, 'run/submit.sock'),
             **environment})
    assert done.returncode == code, done.stdout
    return done.stdout


def mail_with(server, word, user=None):
    """The message whose text has that word."""
    def find():
        with server.imap(user) as client:
            client.select('INBOX')
            found = client.search(None, 'TEXT', word)[1][0].split()
            if not found:
                return None
            data = client.fetch(found[-1], '(BODY[])')[1][0][1]
            return email.message_from_bytes(data)
    return wait_for(find, what='mail with ' + word)


def local(address):
    return address.partition('@')[0]


def test_an_echo_arrives(shared):
    sendmail(shared, shared.user1, text='one echo\n')
    mail = mail_with(shared, '"one echo"')
    name = pwd.getpwuid(os.getuid()).pw_name
    assert mail['From'] == '<%s@%s>' % (name, shared.domain)
    assert mail['Return-Path'] == mail['From']
    assert mail['Date'] and mail['Message-ID']
    assert '(local)' in mail['Received']
    # Its text is no part of the header that it has got.
    assert mail.get_payload() == 'one echo\r\n' and not mail.defects


def test_recipients_of_the_header_and_nobody_sees_bcc(shared):
    text = ('From: Me <me@%s>\nTo: %s\nBcc: Two <%s>\nSubject: t\n\n'
            'header echo\n.\nafter the dot\n' %
            (shared.domain, local(shared.user1), shared.user2))
    sendmail(shared, '-t', '-oi', text=text)
    for user in (shared.user1, shared.user2):
        mail = mail_with(shared, '"header echo"', user)
        assert mail['Bcc'] is None
        assert mail['From'] == 'Me <me@%s>' % shared.domain
        assert mail.get_payload() == 'header echo\r\n.\r\nafter the dot\r\n'


def test_a_name_and_a_dot(shared):
    sendmail(shared, '-F', 'Old Cron', local(shared.user1),
             text='named echo\n.\nnever seen\n')
    mail = mail_with(shared, '"named echo"')
    assert mail['From'].startswith('"Old Cron" <')
    assert mail.get_payload() == ''.join(
        line + '\r\n' for line in ('named echo',))


def test_if_one_recipient_is_refused_nobody_gets_it(shared):
    said = sendmail(shared, shared.user1, 'no-such-user',
                    text='half an echo\n', code=os.EX_NOUSER)
    assert 'no-such-user@%s: 550 5.1.1' % shared.domain in said
    with shared.imap() as client:
        client.select('INBOX')
        assert client.search(None, 'TEXT', '"half an echo"')[1] == [b'']


@pytest.mark.skipif(os.getuid() != 0, reason='needs root to be another')
def test_only_root_sends_as_another(shared):
    sendmail(shared, '-f', 'anybody@else.where', shared.user1,
             text='root echo\n')
    assert mail_with(shared, '"root echo"')['Return-Path'] == \
        '<anybody@else.where>'
    sendmail(shared, shared.user1, text='nobody echo\n', user=NOBODY.pw_uid)
    assert mail_with(shared, '"nobody echo"')['Return-Path'] == \
        '<nobody@%s>' % shared.domain
    said = sendmail(shared, '-f', shared.user2, shared.user1,
                    user=NOBODY.pw_uid, code=os.EX_NOPERM)
    assert '553 5.7.1' in said


@pytest.mark.skipif(os.getuid() != 0, reason='needs root to be another')
def test_who_is_trusted_sends_as_another(server, tmp_path):
    config = tmp_path / 'config'
    config.write_text('trusted users nobody\n', encoding='ascii')
    one = server('--accounts', '1', '--config', str(config))
    sendmail(one, '-f', 'list@else.where', one.user1, text='list echo\n',
             user=NOBODY.pw_uid)
    assert mail_with(one, '"list echo"')['Return-Path'] == '<list@else.where>'
    said = sendmail(one, '-f', 'list@else.where', one.user1,
                    user=pwd.getpwnam('daemon').pw_uid, code=os.EX_NOPERM)
    assert '553 5.7.1' in said
    # Who is no longer trusted has no trust left after a reload.
    path = os.path.join(one.dir, 'etc/firnmail.conf')
    with open(path, encoding='ascii') as file:
        text = file.read()
    with open(path, 'w', encoding='ascii') as file:
        file.write(text.replace('trusted users nobody', ''))
    subprocess.run(one.firnmail.split() + ['reload'], check=True, timeout=60)
    sendmail(one, '-f', 'list@else.where', one.user1, user=NOBODY.pw_uid,
             code=os.EX_NOPERM)


def test_smtp_on_standard_input(shared):
    said = sendmail(shared, '-bs', text='EHLO me\r\nNOOP\r\nQUIT\r\n')
    codes = [line[:4] for line in said.splitlines()]
    assert codes[0] == '220 ' and codes[-2:] == ['250 ', '221 ']
    # AUTH and STARTTLS have no meaning there.
    said = sendmail(shared, '-bs', text='EHLO me\r\nSTARTTLS\r\nQUIT\r\n')
    assert '502 5.5.1' in said and 'STARTTLS' not in said


def test_many_at_once(shared):
    program = os.path.join(BUILD, 'sendmail/sendmail')
    senders = [subprocess.Popen(
        [program, shared.user1], stdin=subprocess.PIPE, text=True,
        env={'FIRNMAIL_SUBMIT': os.path.join(shared.dir, 'run/submit.sock')})
        for _ in range(40)]
    for number, sender in enumerate(senders):
        sender.communicate('crowd %03d\n' % number, timeout=60)
        assert sender.returncode == 0
    for number in range(40):
        mail_with(shared, '"crowd %03d"' % number)


def test_mutt_sends_through_it(shared, tmp_path):
    program = os.path.join(BUILD, 'sendmail/sendmail')
    done = subprocess.run(
        ['mutt', '-n', '-F', '/dev/null', '-e', 'set sendmail="%s -oi"'
         % program, '-e', 'set record=', '-e', 'set copy=no', '-s', 'mutt',
         '--', shared.user1], input='mutt echo\n', text=True, timeout=60,
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, 'HOME': str(tmp_path), 'FIRNMAIL_SUBMIT':
             os.path.join(shared.dir, 'run/submit.sock')})
    assert done.returncode == 0, done.stdout
    assert mail_with(shared, '"mutt echo"')['Subject'] == 'mutt'


def test_without_a_server_it_is_for_later(shared, tmp_path):
    nowhere = str(tmp_path / 'nowhere')
    said = sendmail(shared, shared.user1, code=os.EX_TEMPFAIL,
                    FIRNMAIL_SUBMIT=nowhere)
    assert 'not there' in said
    # One that takes the connection and says nothing useful.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(nowhere)
        listener.listen()
        with subprocess.Popen(
                [os.path.join(BUILD, 'sendmail/sendmail'), 'x'],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env={'FIRNMAIL_SUBMIT': nowhere}) as sender:
            peer, _ = listener.accept()
            peer.sendall(b'220 x\r\n')
            peer.recv(100)
            peer.close()
            assert sender.wait(60) == os.EX_TEMPFAIL


def test_usage(shared):
    sendmail(shared, '-bd', code=os.EX_USAGE)
    sendmail(shared, code=os.EX_USAGE)
    sendmail(shared, 'a@b\r\nDATA', code=os.EX_TEMPFAIL)


def test_the_socket_takes_no_password(shared):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(os.path.join(shared.dir, 'run/submit.sock'))
        client = smtplib.SMTP()
        client.sock = connection
        client.file = None
        assert client.getreply()[0] == 220
        client.ehlo('me')
        assert 'auth' not in client.esmtp_features
        assert client.docmd('AUTH', 'PLAIN AGEAYg==')[0] == 502

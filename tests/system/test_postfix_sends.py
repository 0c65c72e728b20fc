"""Debian's Postfix as the sending server."""
import os
import subprocess

import pytest

from conftest import TOP, message, wait_for

HELPER = os.path.join(TOP, 'tests/interop/postfix')


@pytest.fixture
def postfix(shared):
    if os.geteuid() != 0:
        pytest.skip('an own Postfix needs root')
    directory = '/var/tmp/firnmail-postfix-%d' % os.getpid()
    subprocess.run([HELPER, 'start', directory, str(shared.smtp_port),
                    shared.domain], check=True)
    yield directory
    subprocess.run([HELPER, 'stop', directory], check=True)
    subprocess.run(['rm', '-rf', directory], check=True)


def log_of(postfix):
    with open(postfix + '/log/maillog', encoding='utf-8',
              errors='replace') as file:
        return file.read()


def hand_over(postfix, key, *recipients, size=0):
    subprocess.run(['sendmail', '-C', postfix + '/etc', '-f',
                    'me@sender.test', '--', *recipients], check=True,
                   input=message(key, size).replace('\r\n', '\n').encode())


def test_postfix_delivers_to_all_recipients_over_tls(shared, postfix):
    hand_over(postfix, 'from-postfix', shared.user1, shared.user2)
    hand_over(postfix, 'large', shared.user1, size=3 << 20)
    for user, key in ((shared.user1, 'from-postfix'),
                      (shared.user2, 'from-postfix'), (shared.user1, 'large')):
        wait_for(lambda u=user, k=key: k in shared.view(u).keys.values(), 60,
                 key)
    wait_for(lambda: log_of(postfix).count('status=sent (250 ') == 3,
             what="Postfix's three lines")
    assert 'TLS connection established' in log_of(postfix)


def test_postfix_bounces_an_unknown_user_at_once(shared, postfix):
    hand_over(postfix, 'unknown', 'nobody@' + shared.domain)
    wait_for(lambda: 'status=bounced' in log_of(postfix), 60, 'the bounce')
    assert '5.1.1' in log_of(postfix)

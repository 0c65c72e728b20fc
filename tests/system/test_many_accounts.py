"""More accounts than workers may run at once: mail waits for a place, which one
that has nothing more to do gives up at once."""
import imaplib
import os

import pytest

from conftest import wait_for


@pytest.fixture
def crowded(server, tmp_path):
    """Eight accounts, places for two."""
    config = str(tmp_path / 'config')
    with open(config, 'w', encoding='utf-8') as file:
        file.write('max-workers 2\n')
    return server('--accounts', '8', '--config', config)


def user(one, number):
    return one.user1.replace('user1', 'user%d' % number)


def is_filed(one, number):
    """Looks at the files: a session would want a place itself."""
    maildir = os.path.join(os.path.dirname(os.path.dirname(one.maildir1)),
                           str(number), 'Maildir')
    return any(os.path.isdir(os.path.join(maildir, part)) and
               os.listdir(os.path.join(maildir, part))
               for part in ('new', 'cur'))


def test_one_message_to_each_does_not_wait_for_lingering_workers(crowded):
    for number in range(1, 9):
        crowded.send('mail-%d' % number, user(crowded, number))
    # Three times what a worker is kept for without sessions would be 90 s.
    wait_for(lambda: all(is_filed(crowded, n) for n in range(1, 9)), 60,
             'mail of all')


def test_mail_waits_for_a_session_to_end_and_a_session_does_not(crowded):
    first, second = crowded.imap(), crowded.imap(user(crowded, 2))
    assert first.select('INBOX')[0] == second.select('INBOX')[0] == 'OK'
    crowded.send('mail', user(crowded, 3))
    with pytest.raises(imaplib.IMAP4.error, match='UNAVAILABLE'):
        crowded.imap(user(crowded, 4))
    assert not is_filed(crowded, 3)
    first.logout()
    # Without a session it would be kept for 30 s.
    wait_for(lambda: is_filed(crowded, 3), 28, 'the place of who has left')
    second.logout()

"""A disk that is full under the running server: mail is refused, none is lost,
snapshots go on, and room is found again."""
import errno
import os
import smtplib

from conftest import Server, message, wait_for


def fill_up(path):
    """Takes all blocks that are left, the administrator's reserve included."""
    with open(path, 'wb', buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


def test_a_full_disk_refuses_mail_and_loses_none(disk):
    live = Server(disk + '/live', '--cheap-hash')
    live.fill(['before'])
    wanted = {'before'}
    fill_up(disk + '/live/filler')
    code = 250
    with live.smtp() as client:
        while code == 250:
            key = 'full-%d' % len(wanted)
            try:
                client.sendmail('sender@there.test', live.user1,
                                message(key, 100000))
                wanted.add(key)
            except smtplib.SMTPDataError as error:
                code = error.smtp_code
    assert code == 452
    live.snapctl('create', '--name', 'full')
    os.remove(disk + '/live/filler')
    wait_for(lambda: live.send('after')[0] == 250, 60, 'room is found')
    wanted.add('after')
    # Index and Maildir had no room either: they are made again.
    live.stop()
    live.start()
    wait_for(lambda: wanted <= set(live.view().keys.values()), 60,
             'all that got 250')
    live.stop()

"""SAVEDATE (RFC 8514): when a message came into its mailbox, whatever became of
index and files since."""
import calendar
import glob
import imaplib
import os
import re
import shutil
import time

from clients import say
from conftest import message, wait_for

OLD = '"01-Feb-2020 10:00:00 +0000"'


def dates(client, box):
    """SAVEDATE by UID, in seconds since 1970."""
    client.select(box, readonly=True)
    found = {}
    for line in say(client, 'UID FETCH 1:* (SAVEDATE)'):
        uid, text = re.fullmatch(
            rb'\* \d+ FETCH \(UID (\d+) SAVEDATE "(.*) \+0000"\)',
            line).groups()
        found[int(uid)] = calendar.timegm(
            time.strptime(text.decode(), '%d-%b-%Y %H:%M:%S'))
    return found


def day(seconds):
    return time.strftime('%d-%b-%Y', time.gmtime(seconds))


def lose_index(server):
    server.stop()
    for home in glob.glob(os.path.dirname(server.store) + '/mail/*'):
        shutil.rmtree(home + '/index', ignore_errors=True)
    server.start()


def test_it_is_the_time_of_append_copy_and_move(server):
    one = server()
    begun = int(time.time())
    with one.imap_session() as client:
        assert b'SAVEDATE' in client.capability()[1][0].split()
        client.create('Trash')
        for key in 'abc':
            client.append('INBOX', None, OLD, message(key).encode())
        client.select('INBOX')
        client.copy('1', 'Trash')
        client.uid('MOVE', '2', 'Trash')
        client.store('1', '+FLAGS', r'(\Seen)')
        inbox, trash = dates(client, 'INBOX'), dates(client, 'Trash')
        assert sorted(inbox) == [1, 3] and sorted(trash) == [1, 2]
        for seconds in [*inbox.values(), *trash.values()]:
            assert begun <= seconds <= time.time()
        # INTERNALDATE goes along, and finds none of them.
        assert say(client, 'SEARCH SINCE 1-Jan-2025') == [b'* SEARCH']
        assert say(client, 'SEARCH SAVEDSINCE ' + day(begun)) == [
            b'* SEARCH 1 2']
        assert say(client, 'SEARCH SAVEDBEFORE ' + day(begun)) == [
            b'* SEARCH']
        assert say(client, 'SEARCH SAVEDATESUPPORTED') == [b'* SEARCH 1 2']
        client.select('"Snapshots/Deleted mail"', readonly=True)
        assert say(client, 'SEARCH SAVEDATESUPPORTED') == [b'* SEARCH']
    lose_index(one)
    with one.imap_session() as client:
        assert dates(client, 'INBOX') == inbox
        assert dates(client, 'Trash') == trash


def test_a_restore_and_a_lost_store_of_files_leave_it(server):
    one = server()
    one.fill(['a', 'b', 'c'])
    with one.imap_session() as client:
        before = dates(client, 'INBOX')
    assert len(before) == 3
    one.stop()
    for maildir in glob.glob(os.path.dirname(one.store) + '/mail/1/Maildir'):
        shutil.rmtree(maildir)
    one.start()
    one.snapctl('restore', 'latest', '--yes')

    def is_back():
        try:
            with one.imap_session() as client:
                return dates(client, 'INBOX') == before
        except imaplib.IMAP4.error:
            return False
    wait_for(is_back, what='the same dates')

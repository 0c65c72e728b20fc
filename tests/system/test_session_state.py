"""Each piece of what a session is, put to sleep and asked for: what its client
hears is what a session that stayed awake says, to the letter."""
import collections
import contextlib
import re

import pytest

from clients import say
from conftest import message
from sleepers import all_asleep, sleepy_instance, user

# What the client says before; what another session does meanwhile; what the
# client says then; and what is in its answer, or else the row shows nothing.
Row = collections.namedtuple('Row', 'put others ask wanted')

ROWS = {
    'numbers of what is gone':
        Row('SELECT INBOX|FETCH 1:5 UID', 'expunge 2', 'FETCH 3 UID|NOOP',
            r'\* 3 FETCH \(UID 3\).*\* 2 EXPUNGE'),
    'bytes of what is gone':
        Row('SELECT INBOX', 'expunge 2',
            'FETCH 2 (UID BODY.PEEK[TEXT])|FETCH 3 (UID BODY.PEEK[TEXT])',
            r'UID 3 BODY'),
    'all of it is gone':
        Row('SELECT INBOX', 'expunge 1:5', 'UID SEARCH ALL|NOOP',
            r'EXPUNGE.*EXPUNGE'),
    'what came': Row('SELECT INBOX', 'append', 'NOOP', r'\* 6 EXISTS'),
    'flags': Row('SELECT INBOX', r'store 4 \Flagged', 'NOOP',
                 r'\* 4 FETCH \(FLAGS \(.*Flagged'),
    'its own flags':
        Row(r'SELECT INBOX|STORE 1 +FLAGS.SILENT (\Seen)', '', 'NOOP|CHECK',
            'OK'),
    'a keyword': Row('SELECT INBOX', 'store 4 New', 'NOOP',
                     r'\* FLAGS \(.*New.*\* 4 FETCH'),
    'recent': Row('SELECT INBOX', 'append', 'SEARCH RECENT|NOOP',
                  r'\* SEARCH 1 2 3 4 5\n'),
    'not to be changed':
        Row('EXAMINE INBOX', '', r'STORE 1 +FLAGS (\Seen)|FETCH 1 FLAGS',
            'NO .NOPERM'),
    'none': Row('SELECT INBOX|UNSELECT', 'append', 'FETCH 1 UID|NOOP',
                'BAD No mailbox'),
    'never one': Row('NOOP', 'append', 'SEARCH ALL|SELECT INBOX', r'6 EXISTS'),
    'what SEARCH saved':
        Row('SELECT INBOX|UID SEARCH RETURN (SAVE) 2:4', 'expunge 3',
            'FETCH $ UID|NOOP|UID FETCH $ (UID)', r'UID 2\).*UID 4\)'),
    'that it saved none':
        Row('SELECT INBOX|SEARCH RETURN (SAVE) SUBJECT nowhere', '',
            'SEARCH $|FETCH $ UID', r'\* SEARCH\n'),
    'that it saved all':
        Row('SELECT INBOX|SEARCH RETURN (SAVE) ALL', 'append',
            'NOOP|SEARCH $', r'\* SEARCH 1 2 3 4 5\n'),
    'UIDONLY': Row('ENABLE UIDONLY|SELECT INBOX', 'expunge 2',
                   'FETCH 1 UID|NOOP', r'UIDREQUIRED.*VANISHED 2'),
    'CONDSTORE, enabled':
        Row('ENABLE CONDSTORE|SELECT INBOX', r'store 1 \Seen', 'NOOP',
            r'MODSEQ \('),
    'CONDSTORE, of SELECT':
        Row('SELECT INBOX (CONDSTORE)', r'store 1 \Seen', 'NOOP',
            r'MODSEQ \('),
    'CONDSTORE, of FETCH':
        Row('SELECT INBOX|FETCH 1 (MODSEQ)', r'store 1 \Seen', 'NOOP',
            r'MODSEQ \('),
    'no CONDSTORE': Row('SELECT INBOX', r'store 1 \Seen', 'NOOP', 'FETCH'),
    'QRESYNC': Row('ENABLE QRESYNC|SELECT INBOX', 'expunge 2:3',
                   'NOOP|UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)',
                   r'VANISHED 2:3'),
    'UTF8=ACCEPT':
        Row('ENABLE UTF8=ACCEPT|CREATE Entw\u00fcrfe', '', 'LIST "" E*',
            'Entw\u00fcrfe'),
    'not UTF8=ACCEPT':
        Row('CREATE Entw&APw-rfe', '', 'LIST "" E*', 'Entw&APw-rfe'),
    'IMAP4rev2':
        Row('ENABLE IMAP4rev2|SELECT INBOX', 'append', 'SEARCH ALL|NOOP',
            r'\* ESEARCH'),
    'what it enabled':
        Row('ENABLE CONDSTORE', '', 'ENABLE CONDSTORE QRESYNC', r'ENABLED'),
    'its mistakes':
        Row('|'.join(['XYZZY'] * 19), '', 'XYZZY', r'BYE Too many'),
    'its mistakes, one less':
        Row('|'.join(['XYZZY'] * 18), '', 'XYZZY|NOOP', r'NOOP completed'),
    'the tag of IDLE': Row('SELECT INBOX|IDLE', '', 'DONE', r'^t\d+ OK Idle'),
    'what follows it':
        Row('SELECT INBOX|IDLE', '', 'QUIT', r'^t\d+ BAD Expected DONE'),
    'NOTIFY NONE':
        Row('SELECT INBOX|NOTIFY NONE', r'store 1 \Seen',
            'FETCH 2 UID|NOOP', r'Seen'),
    'another mailbox selected by NOTIFY':
        Row('SELECT INBOX|NOTIFY SET (mailboxes Other (MessageNew '
            'MessageExpunge))', r'store 1 \Seen', 'FETCH 2 UID|NOOP', r'Seen'),
    'a name changes':
        Row('CREATE Box|SELECT Box', 'rename Box Chest',
            'NOOP|STATUS Chest (MESSAGES)|STATUS Box (MESSAGES)',
            r'Chest \(MESSAGES 0'),
    'its mailbox is deleted':
        Row('CREATE Box|SELECT Box', 'DELETE Box', 'NOOP|', r'OK NOOP.*\* BYE'),
    '... with what is in it':
        Row('CREATE Box|SELECT INBOX|COPY 1:3 Box|SELECT Box',
            'DELETE Box', 'FETCH 2 UID|', r'\* BYE'),
    '... while it idles':
        Row('CREATE Box|SELECT Box|IDLE', 'DELETE Box', '', r'\* BYE'),
    'the access key':
        Row('CREATE Box|SELECT Box|GENURLAUTH '
            '"imap://{user}@{host}/Box/;UID=1;URLAUTH=anonymous" INTERNAL',
            'RESETKEY Box', 'NOOP', r'URLMECH INTERNAL'),
    'that it is nobody\'s': Row('SELECT INBOX', '', 'LOGIN a b', r'^t\d+ BAD'),
}


@pytest.fixture(name='both', scope='module')
def fixture_both(tmp_path_factory):
    """One whose sessions sleep, and one whose sessions never do."""
    with sleepy_instance(tmp_path_factory, len(ROWS)) as sleepy, \
            sleepy_instance(tmp_path_factory, len(ROWS), 'off') as awake:
        yield sleepy, awake


def put_message(client, key):
    status, _ = client.append('INBOX', None, '"01-Jan-2020 10:00:00 +0000"',
                              message(key).encode())
    assert status == 'OK'


class Kept:
    """The session of one row, in an account of its own."""

    def __init__(self, server, number, row):
        self.server, self.row = server, row
        self.name = user(server, number)
        with server.imap_session(self.name) as one:
            for key in 'abcde':
                put_message(one, key)
        self.client = server.imap(self.name)
        self.number = 0
        self.talk(row.put.format(user=self.name.replace('@', '%40'),
                                 host=server.domain))

    def talk(self, commands):
        """All lines, of commands one after the other; of none up to BYE."""
        heard = []
        for command in commands.split('|'):
            if command not in ('DONE', 'QUIT', ''):
                self.number += 1
                command = 't%d %s' % (self.number, command)
            if command:
                self.client.send(command.encode() + b'\r\n')
            ends = re.compile(rb't%d |\+ |\* BYE' % self.number if command
                              else rb'\* BYE')
            while not heard or not ends.match(heard[-1]):
                heard.append(self.client.readline().rstrip(b'\r\n'))
                assert heard[-1] or self.client.sock.recv(1) != b'', heard
            heard.append(b'')
        return b'\n'.join(heard).decode()

    def others(self):
        what, _, rest = self.row.others.partition(' ')
        if not what:
            return
        with self.server.imap_session(self.name) as one:
            say(one, 'SELECT INBOX')
            if what == 'append':
                put_message(one, 'f')
            elif what == 'expunge':
                say(one, 'UID STORE %s +FLAGS.SILENT (\\Deleted)' % rest)
                say(one, 'EXPUNGE')
            elif what == 'store':
                uid, flag = rest.split()
                say(one, 'UID STORE %s +FLAGS.SILENT (%s)' % (uid, flag))
            else:
                say(one, self.row.others)

    def ask(self):
        said = self.talk(self.row.ask)
        return re.sub(r'UIDVALIDITY \d+', 'UIDVALIDITY N', said)


def ask_all(server, sleep):
    with contextlib.ExitStack() as stack:
        kept = {what: Kept(server, number, row)
                for number, (what, row) in enumerate(ROWS.items(), 1)}
        for one in kept.values():
            stack.callback(one.client.shutdown)
        if sleep:
            all_asleep(server, *(one.name for one in kept.values()))
        for one in kept.values():
            one.others()
        return {what: one.ask() for what, one in kept.items()}


def test_nothing_of_a_session_is_lost_in_its_sleep(both):
    sleepy, awake = both
    asleep, said = ask_all(sleepy, True), ask_all(awake, False)
    empty = {what: said[what] for what, row in ROWS.items()
             if not re.search(row.wanted, said[what], re.S | re.M)}
    assert not empty
    assert asleep == said

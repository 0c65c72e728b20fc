"""What a user does for himself: looks into Snapshots/, copies mail out."""
import os
import re

import pytest

from clients import Desk, Terminal, mbsync, offlineimap
from conftest import View, message, wait_for

DELETED = '"Snapshots/Deleted mail"'
OLD = '"01-Jan-2020 10:00:00 +0000"'


def names(client, pattern):
    status, lines = client.list('""', '"%s"' % pattern)
    assert status == 'OK', lines
    return [(line.decode().split('"/" ')[1].strip('"'),
             re.match(r'\((.*?)\)', line.decode()).group(1))
            for line in lines if line]


def trees(client):
    return [name for name, _ in names(client, 'Snapshots/%')
            if name != 'Snapshots/Deleted mail']


def past(client, mailbox):
    """imaplib takes what it may not write to only from EXAMINE."""
    return View(client, mailbox, True)


def delete(client, uids, mailbox='INBOX'):
    client.select(mailbox)
    assert client.uid('STORE', uids, '+FLAGS.SILENT', '(\\Deleted)')[0] == 'OK'
    assert client.expunge()[0] == 'OK'


def append(client, key, flags='', mailbox='INBOX'):
    status, data = client.append(mailbox, flags, OLD, message(key).encode())
    assert status == 'OK', data


@pytest.fixture
def mail(server):
    """An account with five messages, of which three were deleted."""
    here = server('--accounts', '2')
    with here.imap_session() as client:
        for key in ('one', 'two', 'three', 'four', 'five'):
            append(client, key, '(\\Seen Work)' if key == 'two' else '')
        delete(client, '3')
        delete(client, '1:2')
    return here


def test_deleted_mail_has_the_deleted_in_the_order_of_deletion(mail):
    with mail.imap_session() as client:
        before = past(client, DELETED)
        assert list(before.keys.items()) == [(1, 'three'), (2, 'one'),
                                             (3, 'two')]
        assert before.attributes[3][0] == '01-Jan-2020 10:00:00 +0000'
        assert before.attributes[3][2] == ('Work', '\\Seen')
        assert before.uidvalidity == View(client).uidvalidity
        delete(client, '5')
        after = past(client, DELETED)
        assert {**before.keys, 4: 'five'} == after.keys


def test_numbers_stay_after_everything_was_restarted(mail):
    with mail.imap_session() as client:
        before = past(client, DELETED)
        mail.snapctl('create', '--name', 'mark')
        tree = trees(client)[-1]
        dated = past(client, '"%s/INBOX"' % tree)
        live = View(client)
        assert dated.same(live) and len(dated.keys) == 2

    def is_same():
        with mail.imap_session() as client:
            return past(client, DELETED).same(before)

    mail.kill('worker')
    wait_for(is_same, what='the same from a new worker')
    mail.stop()
    mail.start()
    assert is_same()
    with mail.imap_session() as client:
        delete(client, '4')
        assert past(client, '"%s/INBOX"' % tree).same(dated)
        assert {**before.keys, 4: 'four'} == past(client, DELETED).keys
        delete(client, '5')
        mail.snapctl('create', '--name', 'later')
        assert past(client, '"%s/INBOX"' % tree).same(dated)
        assert len(trees(client)) >= 2


def test_a_copy_is_back_with_its_date_and_flags(mail):
    with mail.imap_session() as client:
        live = View(client)
        client.select(DELETED, True)
        status, data = client.uid('COPY', '2:3', 'INBOX')
        assert status == 'OK', data
        code = client.response('COPYUID')[1][0].decode().split()
        assert code == [live.uidvalidity.decode(), '2:3', '6:7']
        after = View(client)
        assert after.keys == {**live.keys, 6: 'one', 7: 'two'}
        assert after.attributes[7][0] == '01-Jan-2020 10:00:00 +0000'
        assert after.attributes[7][2] == ('Work', '\\Seen')
        body = client.uid('FETCH', '6', 'BODY.PEEK[]')[1][0][1]
        assert body == message('one').encode()
        assert len(past(client, DELETED).keys) == 3
    wait_for(lambda: len(os.listdir(mail.maildir1 + '/cur') +
                         os.listdir(mail.maildir1 + '/new')) == 4,
             what='files written')
    mail.kill('snapd')
    wait_for(lambda: mail.view().same(after), what='the same after a crash')


def test_a_copy_of_a_dated_tree_has_the_flags_of_then(mail):
    with mail.imap_session() as client:
        client.select('INBOX')
        client.uid('STORE', '4', 'FLAGS', '(\\Flagged Then \\Deleted)')
        client.close()
        append(client, 'six', '(\\Draft)')
        client.select('INBOX')
        client.uid('STORE', '6', '+FLAGS', '(\\Deleted)')
        mail.snapctl('create', '--name', 'mark')
        client.uid('STORE', '6', 'FLAGS', '()')
        tree = trees(client)[-1]
        client.create('Restored')
        client.select('"%s/INBOX"' % tree, True)
        assert client.uid('COPY', '6', 'Restored')[0] == 'OK'
        assert View(client, 'Restored').attributes[1][2] == ('\\Draft',)


def answer(client, line, literal=b''):
    """The tagged answer to a line that imaplib would not send."""
    client.send(b't ' + line.encode() + (b' {%d+}\r\n' % len(literal)
                                         if literal else b'') + literal +
                b'\r\n')
    while not (got := client.readline()).startswith(b't '):
        assert got, 'no answer to ' + line
    return got.decode()


INSIDE = ['STORE 1:* +FLAGS (\\Seen)', 'STORE 1:* FLAGS.SILENT ()',
          'UID STORE 1:* -FLAGS (Work)', 'UID STORE 1:* (UNCHANGEDSINCE 99) '
          '+FLAGS (\\Deleted)', 'MOVE 1:* INBOX', 'UID MOVE 1:* INBOX',
          'EXPUNGE', 'UID EXPUNGE 1:*', 'COPY 1:* %(box)s',
          'UID COPY 1:* %(box)s', 'MOVE 1:* %(box)s']
FROM_OUTSIDE = ['COPY 1:* %(box)s', 'UID COPY 1:* %(box)s',
                'MOVE 1:* %(box)s', 'UID MOVE 1:* %(box)s',
                'CREATE Snapshots', 'CREATE Snapshots/', 'CREATE %(box)s',
                'CREATE Snapshots/new', 'CREATE "Snapshots/Deleted mail/new"',
                'CREATE "%(tree)s/new"', 'CREATE "Snapshots/x/y/z"',
                'DELETE Snapshots', 'DELETE %(box)s', 'DELETE "%(tree)s"',
                'RENAME %(box)s elsewhere', 'RENAME "%(tree)s" elsewhere',
                'RENAME Snapshots elsewhere', 'RENAME INBOX %(box)s',
                'RENAME Work Snapshots', 'RENAME Work Snapshots/Work',
                'RENAME Work "%(tree)s/Work"']


def test_everything_that_writes_is_refused(mail):
    with mail.imap_session() as client:
        client.create('Work')
        mail.snapctl('create', '--name', 'mark')
        tree = trees(client)[-1]
        for box in (DELETED, '"%s/INBOX"' % tree):
            live, before = View(client), past(client, box)
            assert before.exists > 0
            assert answer(client, 'SELECT ' + box).startswith(
                't OK [READ-ONLY]')
            assert client.response('PERMANENTFLAGS')[1] == [b'()']
            for line in INSIDE + FROM_OUTSIDE[4:]:
                said = answer(client, line % {'box': box, 'tree': tree})
                assert said.startswith('t NO [NOPERM]'), (line, said)
            client.uid('FETCH', '1:*', '(BODY[] RFC822)')
            # Which expunges what is deleted, elsewhere.
            assert answer(client, 'CLOSE').startswith('t OK')
            client.select('INBOX')
            for line in FROM_OUTSIDE:
                said = answer(client, line % {'box': box, 'tree': tree})
                assert said.startswith('t NO [NOPERM]'), (line, said)
            for flags in ('', '(\\Seen) ', '%s ' % OLD):
                said = answer(client, ('APPEND %s %s' % (box, flags)).rstrip(),
                              message('x').encode())
                assert said.startswith('t NO [NOPERM]'), said
            assert past(client, box).same(before)
            assert View(client).same(live)
        assert [name for name, _ in names(client, '*')] == ['INBOX', 'Work']


def test_all_of_fetch_and_search_works_inside(mail):
    with mail.imap_session() as client:
        client.select(DELETED, True)
        status, data = client.uid(
            'FETCH', '2', '(FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE '
            'BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY[TEXT]<2.4>)')
        text = b''.join(b''.join(part) if isinstance(part, tuple) else part
                        for part in data)
        assert status == 'OK' and b'ENVELOPE (NIL "one"' in text
        assert b'BODYSTRUCTURE ("text" "plain"' in text.lower().replace(
            b'bodystructure', b'BODYSTRUCTURE')
        assert b'BODY[TEXT]<2> {4}line' in text
        for keys, found in (('SUBJECT two', b'3'), ('SEEN', b'3'),
                            ('BODY "line of the body"', b'1 2 3'),
                            ('UID 2:*', b'2 3'), ('KEYWORD Work', b'3'),
                            ('BEFORE 1-Feb-2020', b'1 2 3'),
                            ('DELETED', b''), ('MODSEQ 2', b'2 3 (MODSEQ 3)')):
            assert client.uid('SEARCH', keys)[1][0] == found, keys
        assert client.fetch('1:*', 'FLAGS')[0] == 'OK'
        assert client.status(DELETED, '(MESSAGES UIDNEXT UNSEEN)')[1] == [
            b'%s (MESSAGES 3 UIDNEXT 4 UNSEEN 2)' % DELETED.encode()]


def test_names_are_announced_but_not_in_a_list_of_everything(mail):
    with mail.imap_session() as client:
        mail.snapctl('create', '--name', 'mark')
        assert client.namespace()[1] == [
            b'(("" "/")) NIL (("Snapshots/" "/"))']
        assert names(client, '*') == [('INBOX', '\\HasNoChildren')]
        tree = trees(client)[-1]
        assert re.fullmatch(
            r'Snapshots/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC [0-9a-f]{8}', tree)
        assert names(client, 'Snapshots/*')[:1] == [
            ('Snapshots/Deleted mail', '\\HasNoChildren')]
        assert (tree + '/INBOX', '\\HasNoChildren') in names(
            client, 'Snapshots/*')
        assert client.select('"%s"' % tree)[0] == 'NO'
        assert client.select('"%s/nowhere"' % tree)[0] == 'NO'
        assert client.subscribe(DELETED)[0] == 'OK'
        assert client.lsub()[1] == [b'() "/" %s' % DELETED.encode()]


def test_a_deleted_mailbox_is_among_the_deleted_and_in_the_tree(mail):
    with mail.imap_session() as client:
        client.create('Work/old')
        append(client, 'kept', '(\\Answered)', 'Work/old')
        mail.snapctl('create', '--name', 'mark')
        tree = trees(client)[-1]
        client.delete('Work/old')
        assert names(client, tree + '/%')[1:] == [
            (tree + '/Work', '\\HasChildren')]
        assert past(client, '"%s/Work/old"' % tree).keys == {1: 'kept'}
        view = past(client, DELETED)
        assert view.keys[4] == 'kept'
        assert client.uid('COPY', '4', 'INBOX')[0] == 'OK'
        assert 'kept' in View(client).keys.values()
        # Brought back with its mailbox, it is not deleted any more.
        mail.snapctl('restore', 'mark', '--yes')
        assert sorted(past(client, DELETED).keys) == [1, 2, 3]


def test_another_account_sees_its_own_past_only(mail):
    with mail.imap_session(mail.user2) as client:
        assert past(client, DELETED).exists == 0


@pytest.fixture
def desk(mail, tmp_path):
    return Desk(mail, 1, tmp_path, ())


def test_mutt_copies_a_deleted_message_back(mail, desk):
    rc = desk.write('muttrc', '''
set imap_user="%s" imap_pass="%s" folder="imaps://localhost:%d"
set certificate_file="%s" ssl_verify_host=no ssl_force_tls=yes
set spoolfile="+Snapshots/Deleted mail" header_cache="" quit=yes
set confirmappend=no confirmcreate=no delete=no
push "<limit>~s two<enter><copy-message>=INBOX<enter><quit>"
''' % (desk.user, desk.password, desk.port, mail.cafile))
    desk.run('script', '-qec', 'mutt -F %s' % rc, '/dev/null')
    view = desk.view()
    uid = next(u for u, key in view.keys.items() if key == 'two')
    assert view.attributes[uid][0] == '01-Jan-2020 10:00:00 +0000'
    assert view.attributes[uid][2] == ('Work', '\\Seen')


def test_mutt_cannot_change_the_past(mail, desk):
    mbox = desk.write('mbox', 'From a@b Thu Jan  1 00:00:00 2026\n' +
                      message('intruder').replace('\r\n', '\n') + '\n')
    rc = desk.write('muttrc', '''
set imap_user="%s" imap_pass="%s" folder="imaps://localhost:%d"
set certificate_file="%s" ssl_verify_host=no ssl_force_tls=yes
set header_cache="" quit=yes delete=yes mbox_type=mbox move=no
set confirmappend=no confirmcreate=no
''' % (desk.user, desk.password, desk.port, mail.cafile))
    with mail.imap_session() as client:
        live, before = View(client), past(client, DELETED)
    terminal = Terminal(desk, 'mutt', '-F', rc, '-f',
                        '=Snapshots/Deleted mail')
    terminal.expect('Msgs:3', 'd')
    terminal.expect('read-only', 'q')
    assert terminal.finish() == 0
    terminal = Terminal(desk, 'mutt', '-F', rc, '-f', mbox)
    terminal.expect('Msgs:1', 'C')
    terminal.expect('Copy to mailbox', '\x15=Snapshots/Deleted mail\n')
    terminal.expect('read-only|NOPERM|not permitted|cannot', 'q')
    assert terminal.finish() == 0
    with mail.imap_session() as client:
        assert past(client, DELETED).same(before)
        assert View(client).same(live)


def test_curl_reads_a_message_of_the_past(mail, desk):
    out = desk.run('curl', '-sS', '--fail', '--cacert', mail.cafile, '-u',
                   '%s:%s' % (desk.user, desk.password),
                   'imaps://localhost:%d/Snapshots%%2FDeleted%%20mail;UID=1' %
                   desk.port)
    assert 'Subject: three' in out


@pytest.mark.parametrize('client', [mbsync, offlineimap])
def test_a_copy_of_everything_leaves_snapshots_alone(mail, desk, client):
    mail.snapctl('create', '--name', 'mark')
    client(desk)()
    found = [name for _, folders, names in os.walk(desk.home)
             for name in folders + names if 'napshot' in name]
    assert found == []
    texts = ''.join(desk.texts('near', 'inbox') + desk.texts('mail', 'INBOX'))
    assert texts.count('Message-ID: <') == 2


def test_another_programs_mailbox_of_that_name_comes_first(mail):
    for part in ('', '/cur', '/new', '/tmp'):
        path = mail.maildir1 + '/.Snapshots' + part
        os.mkdir(path, 0o700)
        stat = os.stat(mail.maildir1)
        os.chown(path, stat.st_uid, stat.st_gid)

    def is_adopted():
        with mail.imap_session() as client:
            return ('Snapshots', '\\HasNoChildren') in names(client, '*')

    mail.kill('worker')
    wait_for(is_adopted, what='adopted')
    with mail.imap_session() as client:
        assert names(client, 'Snapshots') == [
            ('Snapshots', '\\HasNoChildren')]
        append(client, 'live', mailbox='Snapshots')
        assert View(client, 'Snapshots').keys == {1: 'live'}
        assert len(past(client, DELETED).keys) == 3


def test_a_bulk_loss_is_explained_in_the_inbox(mail):
    with mail.imap_session() as client:
        for number in range(25):
            append(client, 'bulk-%d' % number)
        delete(client, '1:*')
        wait_for(lambda: client.select('INBOX')[1] == [b'1'], what='a letter')
        text = client.uid('FETCH', '*', '(FLAGS BODY.PEEK[])')[1][0][1]
        assert b'Subject: 27 messages were deleted at once\r\n' in text
        assert b'To: <%s>\r\n' % mail.user1.encode() in text
        assert b'27 of the 27 messages' in text
        assert b'    Snapshots/Deleted mail\r\n' in text
        view = past(client, DELETED)
        assert view.exists == 30 and 'bulk-24' in view.keys.values()
        assert client.uid('COPY', '1:30', 'INBOX')[0] == 'OK'
        assert client.select('INBOX')[1] == [b'31']
        delete(client, '1:*')
        append(client, 'after')
        assert past(client, 'INBOX').exists == 1

"""snapctl find: what a header says, live, then, and among the deleted."""
import json
import os
import time

import pytest


@pytest.fixture(scope='module')
def filled(shared):
    with shared.imap_session() as client:
        client.create('Work')
        for number in range(3):
            client.append('Work', None, None,
                          b'From: a@b.test\r\nTo: c@d.test\r\n'
                          b'Subject: report %d\r\n\r\nsecret\r\n' % number)
        client.append('INBOX', None, None,
                      b'From: =?utf-8?q?J=C3=BCrgen?= <j@x.test>\r\n'
                      b'Subject: =?utf-8?q?=C3=84rger_im?=\r\n'
                      b' =?utf-8?q?_B=C3=BCro?=\r\n'
                      b'X-Long: ' + b'x' * 9000 + b'\r\n'
                      b'Message-ID: <late@x.test>\r\n\r\nbody\r\n')
        client.select('INBOX')
        client.store('1', '+FLAGS', r'(\Deleted)')
        client.expunge()
        client.append('INBOX', None, None, b'Subject: stays\r\n\r\n')
        client.unselect()
        client.delete('Work')
    return shared


def find(server, *words):
    return [json.loads(line) for line in
            server.snapctl('--json', 'find', *words).splitlines()]


@pytest.mark.parametrize('words, subjects', [
    ([], ['stays']),
    (['nothing like it'], []),
    (['--deleted'], ['Ärger im Büro', 'report 0', 'report 1', 'report 2']),
    (['--deleted', 'ärger', 'BÜRO'], ['Ärger im Büro']),
    (['--deleted', '--from', 'jürgen'], ['Ärger im Büro']),
    (['--deleted', '--to', 'c@d'], ['report 0', 'report 1', 'report 2']),
    (['--deleted', '--subject', 'report', '2'], ['report 2']),
    (['--deleted', 'secret'], []),
    (['--deleted', '<late@x.test>'], ['Ärger im Büro']),
    (['--deleted', '--account', 'user2@demo.test'], []),
    (['--deleted', '--since', '-1h'], ['Ärger im Büro', 'report 0', 'report 1',
                                       'report 2']),
    (['--deleted', '--before', '2020-01-01'], []),
    (['--at', '@0'], []),
])
def test_what_is_found(filled, words, subjects):
    assert sorted(row['subject'] for row in find(filled, *words)) == \
        sorted(subjects)


def test_a_selection_names_the_message_for_other_verbs(filled):
    for row in find(filled, '--deleted'):
        assert abs(row['deleted'] - time.time()) < 600
        assert row['subject'][:6] in ('report', 'Ärger ')
        said = filled.snapctl('cat', row['selection'])
        assert ('secret' in said) == (row['mailbox'] == 'Work')


def test_who_deleted_it_is_told_by_find_and_log(filled):
    with filled.imap_session() as client:
        client.create('Moved')
        client.append('INBOX', None, None, b'Subject: moves\r\n\r\n')
        client.select('INBOX')
        client.uid('MOVE', '*', 'Moved')
    said = {row['subject'].split()[0]:
            (row['said_command'], row['said_user'], row['said_address'])
            for row in find(filled, '--deleted')}
    assert said == {'Ärger': ('EXPUNGE', filled.user1, '127.0.0.1'),
                    'report': ('DELETE', filled.user1, '127.0.0.1')}
    log = [json.loads(line) for line in filled.snapctl(
        '--json', 'log', '--deleted', filled.user1).splitlines()]
    assert [(row['said_command'], row['removed'], row['mailbox'])
            for row in log] == [('EXPUNGE', 1, 'INBOX'), ('DELETE', 3, 'Work'),
                                ('MOVE', 1, 'INBOX')]
    for row in log:
        assert (row['actor'], row['account']) == ('worker', filled.user1)
        assert (row['said_user'], row['said_address']) == \
            (filled.user1, '127.0.0.1')
    filled.snapctl('create', '--name', 'noted')
    marked = json.loads(filled.snapctl('--json', 'log').splitlines()[-1])
    assert (marked['event'], marked['actor']) == ('marked', 'snapctl')
    assert marked['said_user'] == 'uid=%d' % os.geteuid()


def test_stats_say_how_much_there_is(filled):
    rows = [json.loads(line) for line in
            filled.snapctl('--json', 'stats').splitlines()]
    mine = next(row for row in rows if row.get('account') == filled.user1)
    total = next(row for row in rows if row.get('account') == 'total')
    assert (mine['kept'], total['kept']) == (4, 4)
    assert mine['messages'] == total['messages'] > 0
    assert 0 < mine['size'] < mine['kept_size'] < mine['body_size']
    assert mine['grows_daily'] == mine['body_size']
    # What is a guess is called one.
    assert mine['disk_estimate'] > 0 and 'on_disk' not in mine
    store = rows[-1]
    assert store['on_disk'] >= store['index_size']
    assert store['type'] == 'store'
    assert store['index_size'] > store['staged_size'] > 0
    assert store['disk_size'] > store['disk_free'] > 0
    one = filled.snapctl('-H', 'stats', filled.user2).splitlines()
    assert len(one) == 1
    assert one[0].split('\t')[:4] == [filled.user2, '0', '0', '0']
    filled.snapctl('stats', 'nobody@demo.test', code=10)


def test_dates_of_options_need_no_file_behind_the_walls(filled):
    assert filled.snapctl('log', '--since', '2020-01-01') != ''
    assert filled.snapctl('log', '--since', '2099-01-01') == ''


def test_wrong_uses_are_explained(filled):
    filled.snapctl('find', '--since', 'yesterday-ish', code=2)
    filled.snapctl('find', '--deleted', '--at', 'latest', code=2)
    filled.snapctl('find', '--account', 'nobody@demo.test', code=10)
    filled.snapctl('find', '--at', '@999999', code=10)

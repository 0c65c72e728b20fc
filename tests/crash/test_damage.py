"""A store that is damaged: it is not opened, says what is wrong, and does not
crash for ever.  tests/unit/flip_test tries many places without a server."""
import json
import os
import re
import smtplib

import pytest

from conftest import wait_for

PAGE = 4096


def data_path(one):
    return os.path.join(one.store, 'index', 'data.mdb')


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write_over(path, data):
    """In place: the file stays the one that it was."""
    with open(path, 'r+b') as file:
        file.write(data)


def starts_of_snapd(one):
    with open(os.path.join(one.dir, 'log'), encoding='utf-8',
              errors='replace') as log:
        return len(re.findall(r' ready role=snapd ', log.read()))


def with_wrong_heads(data):
    """The number of each page but the meta pages is another's."""
    wrong = bytearray(data)
    for page in range(2, len(data) // PAGE):
        wrong[page * PAGE] ^= 0x40
    return bytes(wrong)


def test_damaged_store_is_named_and_served_again_when_it_is_whole(server):
    one = server()
    one.fill(['one', 'two'])
    before = one.view()
    one.stop()
    whole = read(data_path(one))
    write_over(data_path(one), with_wrong_heads(whole))
    wait_for(lambda: starts_of_snapd(one) == 1, what='the first start')
    one.start_expecting_trouble()
    said = wait_for(lambda: one.snapctl('verify', code=20), 60, 'the verifier')
    assert re.search(r'page \d+', said), said
    # Nothing is taken, nothing is shown, and snapd has not been started again.
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        one.send('three')
    assert refused.value.smtp_code == 421
    wait_for(lambda: starts_of_snapd(one) > 1, what='the second start')
    assert starts_of_snapd(one) == 2
    one.stop()
    write_over(data_path(one), whole)
    one.start()
    after = wait_for(one.view, 60, 'the mailbox')
    assert after.same(before)
    wait_for(lambda: 'no damage' in one.snapctl('verify', '--read-data'), 60,
             'the verifier')


def damage_row(one):
    """A bit of each row of a message; who reads pages only does not see it."""
    message = json.loads(one.snapctl(
        '--json', 'ls', 'live:%s/INBOX' % one.user1).splitlines()[0])
    one.stop()
    data = bytearray(read(data_path(one)))
    wanted, at, places = bytes.fromhex(message['sha256']), -1, 0
    while (at := data.find(wanted, at + 1)) != -1:
        data[at + 3] ^= 0x20
        places += 1
    assert places > 0
    write_over(data_path(one), bytes(data))


def closed(one):
    with open(os.path.join(one.dir, 'log'), encoding='utf-8',
              errors='replace') as log:
        return len(re.findall(r' alarm store-unavailable ', log.read()))


def test_store_that_is_kept_closed_is_opened_by_a_word_which_is_logged(server):
    one = server()
    one.crashing_role = 'snapd'
    one.fill(['one', 'two'])
    damage_row(one)
    one.start_expecting_trouble()
    # The first start was that of the whole store.
    for start in (2, 3):
        wait_for(lambda n=start: starts_of_snapd(one) >= n, 60, 'snapd')
        one.kill('snapd')
    wait_for(lambda: closed(one), 60, 'the fence')
    one.snapctl('status', code=75)
    one.stop()
    words = ['--libexec', os.path.join(one.dir, 'libexec'), 'open-damaged',
             '--yes']
    one.snapctl(*words)
    one.start()
    assert wait_for(lambda: one.send('three')[0] == 250, 60, 'mail is taken')
    marks = [json.loads(line) for line in
             one.snapctl('--json', 'list').splitlines()]
    assert [mark for mark in marks if mark['kind'] == 'alarm' and
            mark['name'] == 'opened-damaged']
    assert 'alarm' in one.snapctl('holds')


def test_store_that_is_not_kept_closed_needs_no_word(server):
    one = server()
    one.fill(['one'])
    one.stop()
    one.snapctl('--libexec', os.path.join(one.dir, 'libexec'),
                'open-damaged', '--yes')
    one.start()
    assert 'opened-damaged' not in one.snapctl('list')

"""What a power cut leaves in a Maildir, made by hand: names and bytes that did
not reach the disk.  What was answered counts."""
import os
import signal

import pytest

from conftest import wait_for


def file_of(one, size):
    """The path of the message of that size in its name; sizes differ."""
    for part in ('cur', 'new'):
        for name in os.listdir(os.path.join(one.maildir1, part)):
            if ',S=%d,' % size in name:
                return os.path.join(one.maildir1, part, name)
    return None


def fill(one):
    """Three messages of different sizes; returns the size of each file."""
    sizes = []
    for n, size in enumerate((0, 1000, 3000)):
        key = 'cut-%d' % n
        one.send(key, size=size)
        wait_for(lambda k=key: k in one.view().keys.values(), what=key)
        name, = [name for name in os.listdir(one.maildir1 + '/new')
                 if int(name.split(',S=')[1].split(',')[0]) not in sizes]
        sizes.append(int(name.split(',S=')[1].split(',')[0]))
    return sizes


def cut(one):
    """None of its processes does anything more."""
    one.signal_all(signal.SIGSTOP)
    one.signal_all(signal.SIGKILL)
    one.stop()
    one.forget_boot()


def test_flags_whose_rename_was_cut_stay(server):
    one = server()
    sizes = fill(one)
    old = file_of(one, sizes[0])
    with one.imap_session() as client:
        client.select('INBOX')
        client.uid('STORE', '1', '+FLAGS', '(\\Answered $kept)')
    new = file_of(one, sizes[0])
    assert old != new
    cut(one)
    os.rename(new, old)
    one.start()
    assert one.view().attributes[1][2] == ('$kept', '\\Answered')
    wait_for(lambda: file_of(one, sizes[0]) == new, what='the name')
    assert one.view().attributes[1][2] == ('$kept', '\\Answered')


@pytest.mark.parametrize('is_torn', [True, False])
def test_an_expunge_that_was_cut_is_finished(server, is_torn):
    one = server()
    sizes = fill(one)
    path = file_of(one, sizes[1])
    with open(path, 'rb') as file:
        data = file.read()
    status = os.stat(path)
    before = one.view()
    with one.imap_session() as client:
        client.select('INBOX')
        client.uid('STORE', '2', '+FLAGS', '(\\Deleted)')
        client.uid('EXPUNGE', '2')
    cut(one)
    with open(path, 'wb') as file:
        file.write(b'' if is_torn else data)
    os.chmod(path, 0o600)
    os.chown(path, status.st_uid, status.st_gid)
    one.start()
    wait_for(lambda: one.view() and not os.path.exists(path),
             what='the end of the expunge')
    assert set(one.view().keys) == set(before.keys) - {2}

"""Bodies on their way into segments: snapd is killed, the power is cut, the
index is lost, bits flip.  CRASH_SEALS: how many kills and cuts each (6)."""
import os
import random
import re
import shutil
import subprocess

import pytest

from conftest import Server, mount, wait_for
from test_full_disk import fill_up
from test_power_cut import copy
from test_unclean import cut

SEALS = int(os.environ.get('CRASH_SEALS', '6'))


def path_in_store(one, *names):
    return os.path.join(one.store, *names)


def send_some(one, prefix, count=12):
    """Bodies of all sizes, some of many blocks; their keys."""
    sizes = (300, 5000, 40000, 700000)
    keys = {'%s-%d' % (prefix, n) for n in range(count)}
    for n in range(count):
        # Right after a kill the front says that the store is not there.
        wait_for(lambda n=n: one.send('%s-%d' % (prefix, n),
                                      size=sizes[n % 4])[0] == 250,
                 60, 'mail is taken')
    return keys


def begin_seal(one):
    return subprocess.Popen(one.__dict__['snapctl_command'].split() + ['seal'],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def last_write(one):
    """To any segment: later with each write of a pass."""
    return max((os.stat(os.path.join(folder, 'data.mdb')).st_mtime_ns
                for folder, _, files in os.walk(path_in_store(one, 'segment'))
                if 'data.mdb' in files), default=0)


def check_whole(one, wanted):
    """All mail once, and neither index nor segment has a fault."""
    view = wait_for(lambda: whole_view(one, wanted), 60, 'all that got 250')
    keys = list(view.keys.values())
    assert len(keys) == len(set(keys))
    wait_for(lambda: 'no damage' in one.snapctl('verify', '--read-data'), 60,
             'the verifier')


def whole_view(one, wanted):
    view = one.view()
    return view if wanted <= set(view.keys.values()) else None


def test_killed_while_sealing(server):
    choice = random.Random(int(os.environ.get('CRASH_SEED', '1')))
    one = server()
    wanted = send_some(one, 'first')
    for kill in range(SEALS):
        wanted |= send_some(one, 'kill-%d' % kill)
        before = last_write(one)
        pass_ = begin_seal(one)
        # At once, or when something was written, or when all was.
        stage = choice.randrange(3)
        if stage == 1:
            wait_for(lambda b=before: last_write(one) != b, 60, 'a write')
        elif stage == 2:
            pass_.wait(60)
        one.kill('snapd')
        pass_.wait(60)
        check_whole(one, wanted)
        if kill % 3 == 2:
            # Each quick end doubles the wait for the next start.
            one.stop()
            one.start()
    one.snapctl('seal')
    check_whole(one, wanted)


def test_power_cut_while_sealing(disk):
    live = Server(disk + '/live', '--cheap-hash')
    wanted = send_some(live, 'first', 4)
    subprocess.run(['sync', '-f', disk + '/live'], check=True)
    for cut in range(SEALS):
        wanted |= send_some(live, 'cut-%d' % cut, 8)
        before = last_write(live)
        pass_ = begin_seal(live)
        if cut % 2 == 1:
            wait_for(lambda b=before: last_write(live) != b, 60, 'a write')
        copy(disk, live)
        assert pass_.wait(60) == 0
        live.stop()
        check_cut(disk, live, wanted)
        live.start()
        check_whole(live, wanted)


def check_cut(disk, live, wanted):
    """What lay on the disk then, started, sealed to its end, and verified."""
    subprocess.run(['umount', disk + '/live'], check=True)
    assert mount(disk + '/copy', disk + '/live')
    try:
        live.start()
        check_whole(live, wanted)
        live.snapctl('seal')
        check_whole(live, wanted)
        live.stop()
    finally:
        subprocess.run(['umount', disk + '/live'], check=True)
        assert mount(disk + '/disk', disk + '/live')


def test_full_disk_stops_sealing_and_nothing_else(disk):
    live = Server(disk + '/live', '--cheap-hash')
    wanted = send_some(live, 'before')
    fill_up(disk + '/live/filler')
    done = subprocess.run(live.__dict__['snapctl_command'].split() + ['seal'],
                          check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == 1 and 'full' in done.stderr, done.stderr
    # Marks have their reserve, and what is staged is served.
    live.snapctl('create', '--name', 'full')
    check_whole(live, wanted)
    os.remove(disk + '/live/filler')
    live.snapctl('seal')
    check_whole(live, wanted)
    live.stop()


def lose_index(one):
    for name in ('data.mdb', 'lock.mdb'):
        os.unlink(path_in_store(one, 'index', name))


def rebuild(one):
    return subprocess.run(
        one.__dict__['snapctl_command'].split() +
        ['--libexec', os.path.join(one.dir, 'libexec'), 'rebuild'],
        check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_lost_index_is_made_anew(server):
    one = server()
    wanted = send_some(one, 'lost')
    check_whole(one, wanted)
    with one.imap_session() as client:
        client.select('INBOX')
        client.uid('STORE', '1:3', '+FLAGS', '(\\Flagged)')
        client.uid('STORE', '5', '+FLAGS', '(\\Deleted)')
        client.expunge()
    one.snapctl('seal')
    before = one.view()
    one.stop()
    lose_index(one)
    done = rebuild(one)
    assert done.returncode == 0, done.stdout + done.stderr
    one.start()
    after = wait_for(one.view, 60, 'the mailbox')
    assert after.same(before)
    assert after.uidnext > before.uidnext
    wait_for(lambda: 'no damage' in one.snapctl('verify', '--read-data'), 60,
             'the verifier')
    # What was expunged is in the store as before.
    assert '5' in one.snapctl('find', '--deleted')
    again = rebuild(one)
    assert again.returncode == 1 and 'is it running' in again.stderr


@pytest.mark.parametrize('has_files', [True, False])
def test_mail_accepted_last_is_in_an_index_made_anew(server, has_files):
    """No segment has it, and the index is lost: the log of accepted mail, if not
    its file, is all that is left of it; and of both it does not come twice."""
    one = server()
    wanted = send_some(one, 'sealed', 4)
    check_whole(one, wanted)
    one.snapctl('seal')
    wanted |= send_some(one, 'last', 1)
    check_whole(one, wanted)
    cut(one)
    lose_index(one)
    if not has_files:
        shutil.rmtree(one.maildir1)
    done = rebuild(one)
    assert re.search('accepted +1$', done.stdout, re.M), done.stdout
    one.start()
    check_whole(one, wanted)


def test_flipped_bit_in_a_segment_is_named(server):
    one = server()
    wanted = send_some(one, 'flip')
    check_whole(one, wanted)
    one.snapctl('seal')
    # In the first value, whose pages follow the first few of the file.
    place = find_block(path_in_store(one, 'segment', '1', 'data.mdb'))
    with open(path_in_store(one, 'segment', '1', 'data.mdb'), 'r+b') as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    said = one.snapctl('verify', '--read-data', code=20)
    assert 'segment 1 ' in said and 'value 0: block' in said
    assert 'bodies' in said
    # Everybody else's mail is served.
    assert one.view().exists == len(wanted)


def find_block(path):
    """A byte in the middle of the first block that is alive: the last copy of
    the value that the file has."""
    with open(path, 'rb') as file:
        data = file.read()
    first = data.rfind(b'FnBk\x01\x01\x00\x00')
    assert first > 0
    return first + 300

"""A power cut at the instant the 250 is read: the file system's image is
copied as it lies on disk at that moment, without what was not flushed, mounted
elsewhere and started.  CRASH_CUTS: how many cuts (3)."""
import os
import shutil
import subprocess

import pytest

from conftest import Server, message, wait_for


def mount(image, directory):
    os.makedirs(directory, exist_ok=True)
    return subprocess.run(['mount', '-o', 'loop', image, directory],
                          check=False, stderr=subprocess.DEVNULL
                          ).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A journaled ext4 of its own in a file."""
    if os.geteuid() != 0:
        pytest.skip('mounting needs root')
    base = '/var/tmp/firnmail-cut-%d' % os.getpid()
    os.makedirs(base, mode=0o711)
    image = base + '/disk'
    with open(image, 'wb') as file:
        file.truncate(192 << 20)
    subprocess.run(['mkfs.ext4', '-q', image], check=True)
    if not mount(image, base + '/live'):
        shutil.rmtree(base)
        pytest.skip('no loop devices here')
    os.chmod(base + '/live', 0o711)
    yield base
    for name in ('live', 'cut'):
        subprocess.run([os.path.join(os.path.dirname(__file__), '..',
                                     'instance'), 'stop',
                        '%s/%s' % (base, name)], check=False)
        subprocess.run(['umount', '%s/%s' % (base, name)], check=False,
                       stderr=subprocess.DEVNULL)
    shutil.rmtree(base)


def test_what_got_250_survives_a_cut(disk):
    live = Server(disk + '/live', '--cheap-hash')
    live.fill(['first'])
    # The configuration was written long before the power fails.
    subprocess.run(['sync', '-f', disk + '/live'], check=True)
    wanted = {'first'}
    for cut in range(int(os.environ.get('CRASH_CUTS', '3'))):
        with live.smtp() as client:
            client.ehlo()
            for n in range(7):
                key = 'cut-%d-%d' % (cut, n)
                client.mail('sender@there.test')
                client.rcpt(live.user1)
                assert client.data(message(key))[0] == 250
                wanted.add(key)
            # The 250 was just read. The loop device writes through the page
            # cache of this file: what the server did not flush is not in it.
            shutil.copyfile(disk + '/disk', disk + '/copy')
        live.stop()
        check_copy(disk, live, wanted)
        live.start()


def check_copy(disk, live, wanted):
    """What was on the disk at the cut, started under its old path."""
    subprocess.run(['umount', disk + '/live'], check=True)
    assert mount(disk + '/copy', disk + '/live')
    try:
        live.start()
        view = wait_for(lambda: all_there(live, wanted), 30,
                        'all that got 250')
        keys = list(view.keys.values())
        assert len(keys) == len(set(keys))
        live.stop()
    finally:
        subprocess.run(['umount', disk + '/live'], check=True)
        assert mount(disk + '/disk', disk + '/live')


def all_there(one, wanted):
    view = one.view()
    return view if wanted <= set(view.keys.values()) else None

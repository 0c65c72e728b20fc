"""./demo tour: all rows green; a wall that is taken away turns its row red."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import TOP

TAKES_LONG = True  # conftest.py
BUILD = os.path.abspath(os.environ.get('BUILD') or os.path.join(TOP, 'build'))
pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason='not root: there are no walls to open')


def is_asan():
    program = pathlib.Path(BUILD, 'snapd/snapd')
    return program.exists() and b'__asan_init' in program.read_bytes()


# It takes a minute there, and the walls are those of the plain build.
only_plain = pytest.mark.skipif(is_asan(), reason='ASan build')
WALLS = ('uid', 'chroot', 'capabilities', 'bounding', 'landlock', 'seccomp')


def tour(*words):
    """(exit status, rows that failed, number of rows)"""
    done = subprocess.run(
        [sys.executable, os.path.join(TOP, 'contrib/tour.py'), *words],
        env=dict(os.environ, BUILD=BUILD), text=True,
        check=False, timeout=180, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    failed = re.findall(r'^FAILED (.*)$', done.stdout, re.M)
    table = done.stdout.partition('\naction ')[2]
    rows = re.findall(r'^\S.* (?:ok|FAILED) *\n    \$ (.*)\n    (.*)$', table,
                      re.M)
    assert rows, done.stdout
    for command, answer in rows:
        assert command and answer.strip(), table
    return done.returncode, failed, len(rows)


def test_each_row_is_green_and_shows_command_and_answer():
    status, failed, rows = tour()
    assert (status, failed) == (0, [])
    assert rows == 23


@only_plain
def test_a_wall_taken_away_turns_its_row_red():
    status, failed, _ = tour('--without', 'seccomp')
    assert status == 1
    assert failed == ['wall around each of them: seccomp']


@only_plain
def test_with_all_walls_away_the_intruder_gets_through():
    status, failed, _ = tour('--without', 'all')
    assert status == 1
    assert set(failed) >= {'wall around each of them: ' + w for w in WALLS} | {
        'he deletes the store', 'he empties the store',
        'he moves the store away', "he takes the store's uid",
        "he kills the store's keeper", "he reads another's mail"}

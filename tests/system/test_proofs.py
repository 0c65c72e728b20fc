"""Proofs: that a message was in the store, and that its log only grew; checked
by snapctl alone, without a store."""
import hashlib
import random
import subprocess

import pytest

from conftest import wait_for


class Prover:
    def __init__(self, server, directory):
        self.server = server
        self.file = directory / 'proof'
        self.snapctl = server.snapctl_command.split()
        facts = server.snapctl('-H', 'status').splitlines()
        self.key = dict(line.split('\t')[:2] for line in facts)['signing_key']

    def prove(self, *words, code=0):
        done = subprocess.run(self.snapctl + ['show', '--proof', *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False, timeout=60, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout

    def check(self, proof, *words, code=None):
        """The facts of a proof; nobody is there who could be asked."""
        self.file.write_text(proof)
        done = subprocess.run(
            [*self.snapctl, '--socket', '/nowhere', '-c', '/nowhere', '-H',
             'verify', '--proof', *words, str(self.file)],
            check=False, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if code is not None:
            assert done.returncode == code, done.stderr
        return done.returncode, dict(
            line.split('\t') for line in done.stdout.splitlines())


@pytest.fixture
def prover(server, tmp_path):
    one = server()
    for number in range(5):
        one.send('n%d' % number)
    with one.imap_session() as client:
        wait_for(lambda: client.select('INBOX')[1] == [b'5'], what='filed')
    return Prover(one, tmp_path)


def message(prover, uid):
    return 'live:%s/INBOX;UID=%d' % (prover.server.user1, uid)


def test_message_is_proven_without_the_store(prover):
    proof = prover.prove(message(prover, 3))
    _, facts = prover.check(proof, '--key', prover.key, code=0)
    stored = subprocess.run(
        prover.snapctl + ['cat', message(prover, 3)], check=True,
        stdout=subprocess.PIPE, timeout=60).stdout
    assert facts['sha256'] == hashlib.sha256(stored).hexdigest()
    assert (facts['uid'], facts['account']) == ('3', '1')
    assert int(facts['size']) == len(stored)
    # Each has one of its own.
    assert prover.check(prover.prove(message(prover, 4)), code=0)[1][
        'sha256'] != facts['sha256']


def test_expunged_message_is_proven_as_of_then(prover):
    prover.server.snapctl('create', '--name', 'before')
    with prover.server.imap_session() as client:
        client.select('INBOX')
        client.store('2', '+FLAGS', '\\Deleted')
        client.expunge()
    prover.prove(message(prover, 2), code=10)
    proof = prover.prove(message(prover, 2).replace('live', 'before'))
    assert prover.check(proof, '--key', prover.key, code=0)[1]['uid'] == '2'


def test_no_bit_of_a_proof_can_be_changed(prover):
    proof = prover.prove(message(prover, 1))
    chance = random.Random(1)
    places = [at for at, char in enumerate(proof)
              if char in '0123456789abcdef']
    for at in chance.sample(places, 80):
        other = chance.choice('0123456789abcdef'.replace(proof[at], ''))
        code, _ = prover.check(proof[:at] + other + proof[at + 1:],
                               '--key', prover.key)
        assert code in (1, 20), proof[:at].splitlines()[-1]
    lines = proof.splitlines(keepends=True)
    for number in range(len(lines)):
        less = ''.join(lines[:number] + lines[number + 1:])
        assert prover.check(less, '--key', prover.key)[0] in (1, 20), number
    assert prover.check(proof + 'end\n', '--key', prover.key)[0] == 1
    prover.check(proof, '--key', '0' * 64, code=20)
    prover.check(proof, '--key', 'none', code=2)


def test_log_of_a_snapshot_is_the_beginning_of_a_later_one(prover):
    for name in 'one', 'two', 'three':
        prover.server.snapctl('create', '--name', name)
        prover.server.send(name)
    for older, newer in (('one', 'two'), ('one', 'three'), ('two', 'live'),
                         ('one', 'one')):
        proof = prover.prove(older, newer)
        _, facts = prover.check(proof, '--key', prover.key, code=0)
        assert int(facts['older_events']) <= int(facts['events'])
    proof = prover.prove('one', 'three')
    other = prover.prove('two', 'three')
    heads = [line for line in other.splitlines() if line.startswith('head')]
    swapped = proof.replace(
        [line for line in proof.splitlines() if line.startswith('head')][0],
        heads[0])
    prover.check(swapped, '--key', prover.key, code=20)


def test_store_of_another_key_proves_nothing_of_this_one(prover):
    proof = prover.prove(message(prover, 1))
    lines = proof.splitlines()
    lines[1] = 'store ' + '0' * 32
    prover.check('\n'.join(lines) + '\n', '--key', prover.key, code=20)

"""Account 0: the service's own files are in the store, so that a copy of it
restores a service; secrets come out with the offline recovery key alone."""
import json
import os
import subprocess

from conftest import wait_for

WRONG_KEY = '0123456789abcdef' * 4


def path(server, *parts):
    return os.path.join(server.dir, *parts)


def read(*parts):
    with open(os.path.join(*parts), 'rb') as file:
        return file.read()


def command(server, *words, text=b''):
    """snapctl with bytes in and out: (code, stdout, stderr)."""
    done = subprocess.run(server.__dict__['snapctl_command'].split() +
                          list(words), input=text, check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr.decode()


def files(server, point='live'):
    rows = [json.loads(line) for line in
            server.snapctl('--json', 'ls', point + ':0').splitlines()]
    return {row['file']: (row['version'], row['kept']) for row in rows}


def reload(server):
    subprocess.run(server.firnmail.split() + ['reload'], check=True,
                   stdout=subprocess.DEVNULL)


def change(server, name, old, new):
    """And until the store has it; the sequence before."""
    version = files(server)[name][0]
    sequence = int(next(
        json.loads(line)['value'] for line in
        server.snapctl('--json', 'status').splitlines()
        if json.loads(line)['name'] == 'sequence'))
    where = path(server, 'etc', name)
    text = read(where)
    assert old in text
    with open(where, 'wb') as file:
        file.write(text.replace(old, new))
    reload(server)
    wait_for(lambda: files(server)[name][0] == version + 1, 60,
             'the next version of ' + name)
    return '@%d' % sequence


def test_a_changed_configuration_is_kept_with_the_one_before(shared):
    before = read(path(shared, 'etc/firnmail.conf'))
    point = change(shared, 'firnmail.conf', b'host ', b'# new\nhost ')
    after = read(path(shared, 'etc/firnmail.conf'))
    assert before != after
    for name in ('0', 'config'):
        assert command(shared, 'cat', 'live:%s/firnmail.conf' % name)[1] == \
            after
        assert command(shared, 'cat', '%s:%s/firnmail.conf' % (point, name)
                       )[1] == before
    assert files(shared, point)['firnmail.conf'] == (1, 'plain')
    rows = [json.loads(line) for line in
            shared.snapctl('--json', 'diff', point + ':0').splitlines()]
    assert {(row['change'], row['uid'], row['mailbox']) for row in rows} == \
        {('-', 1, 'firnmail.conf'), ('+', 2, 'firnmail.conf')}
    events = [json.loads(line) for line in
              shared.snapctl('--json', 'log', '0').splitlines()]
    assert (events[-1]['actor'], events[-1]['account'],
            events[-1]['detail']) == ('master', 'config', 'firnmail.conf')
    # A reload, and a start, of what is the same keeps nothing.
    count = len(events)
    reload(shared)
    shared.stop()
    shared.start()
    wait_for(lambda: files(shared), 60, 'the store')
    assert len(shared.snapctl('--json', 'log', '0').splitlines()) == count


def test_secrets_come_out_with_the_recovery_key_only(shared):
    key = path(shared, 'recovery-key')
    kept = files(shared)
    assert {name for name in kept if kept[name][1] == 'sealed'} == \
        {'users', 'key.pem', 'srs-secret'}
    for name in ('users', 'key.pem'):
        was = read(path(shared, 'etc', name))
        code, sealed, said = command(shared, 'cat', 'live:0/' + name)
        assert (code, said) == (0, '') and sealed.startswith(b'FIRNSEAL')
        assert was[20:60] not in sealed
        assert command(shared, 'cat', '--recovery-key', key,
                       'live:0/' + name) == (0, was, '')
        assert command(shared, 'cat', '--recovery-key', '-',
                       'live:0/' + name, text=read(key)) == (0, was, '')
        # Elsewhere, without a store.
        with open(path(shared, 'carried'), 'wb') as file:
            file.write(sealed)
        done = subprocess.run(
            [shared.__dict__['snapctl_command'].split()[0], '-c',
             '/dev/null', '--libexec', path(shared, 'libexec'),
             'unseal', '--recovery-key', key,
             path(shared, 'carried')], check=True, stdout=subprocess.PIPE)
        assert done.stdout == was
    code, out, said = command(shared, 'cat', '--recovery-key', '-',
                              'live:0/users', text=WRONG_KEY.encode())
    assert (code, out) == (1, b'') and 'another recovery key' in said
    code, out, said = command(shared, 'cat', '--recovery-key', '-',
                              'live:0/users', text=b'12')
    assert (code, out) == (2, b'') and '64 hexadecimal digits' in said
    # Nowhere in the store, staged or sealed, is a secret as it is.
    shared.snapctl('seal')
    private = read(path(shared, 'etc/key.pem')).split(b'\n')[1]
    for folder, _, names in os.walk(shared.store):
        for name in names:
            assert private not in read(folder, name), name


def test_account_0_is_no_mailbox(shared):
    for words in (['restore', 'live:0'], ['export', 'live:0'],
                  ['drill', 'live:0'], ['reconcile', '0'],
                  ['restore', 'live:config/users'],
                  ['find', '--account', '0', 'x']):
        code, _, said = command(shared, *words)
        assert code == 12 and 'snapctl cat SNAP:0/FILE > FILE' in said, words
    code, _, said = command(shared, 'cat', 'live:0/none')
    assert code == 10 and 'no such file then' in said
    # What is about all accounts is about those of people.
    drilled = json.loads(
        shared.snapctl('--json', 'drill', '--all').splitlines()[-1])
    assert (drilled['accounts'], drilled['findings']) == (2, 0)
    assert 'config' not in shared.snapctl('restore', '--dry-run', 'live')
    shared.snapctl('verify', '--read-data')


def test_the_login_at_the_smarthost_is_kept_and_sealed(shared):
    login = path(shared, 'etc/login')
    with open(login, 'wb') as file:
        file.write(b'me@far.test:a password of ours\n')
    os.chmod(login, 0o600)
    change(shared, 'firnmail.conf', b'host ',
           b'relay via smart.far.test auth %s\nhost ' % login.encode())
    wait_for(lambda: 'login' in files(shared), what='the login')
    assert files(shared)['login'][1] == 'sealed'
    assert command(shared, 'cat', '--recovery-key',
                   path(shared, 'recovery-key'), 'live:0/login') == \
        (0, read(login), '')


def test_secrets_come_out_of_a_rebuilt_index(shared):
    shared.snapctl('seal')
    kept = files(shared)
    shared.stop()
    os.rename(os.path.join(shared.store, 'index'), path(shared, 'lost'))
    subprocess.run(shared.__dict__['snapctl_command'].split() + [
        '--libexec', path(shared, 'libexec'), 'rebuild'], check=True,
        stdout=subprocess.DEVNULL)
    shared.start()
    assert wait_for(lambda: files(shared), 60, 'the store') == kept
    for name in ('users', 'key.pem'):
        assert command(shared, 'cat', '--recovery-key',
                       path(shared, 'recovery-key'), 'live:0/' + name) == \
            (0, read(path(shared, 'etc', name)), '')

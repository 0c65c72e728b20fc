"""Extensions of IMAP over the wire, as a client that has them speaks."""
import re
import zlib

import pytest

from clients import Compressed, say


@pytest.fixture
def box(shared, request):
    """A mailbox of messages that compress well, and one that does not."""
    name = request.node.name.partition('[')[0]
    with shared.imap_session() as client:
        assert client.create(name)[0] == 'OK'
        for n in range(20):
            client.append(name, None, None, b'Subject: %d\r\n\r\n' % n +
                          b'as they are written every day\r\n' * 200)
        noise = b'\r\n'.join(b'%x' % (pow(7, n, 2 ** 521 - 1))
                             for n in range(1, 8000))
        client.append(name, None, None, b'Subject: noise\r\n\r\n' + noise)
        client.select(name)
        yield name, client


def test_a_compressed_session_says_the_same_in_fewer_bytes(shared, box):
    name, plain = box
    command = 'UID FETCH 1:* (FLAGS UID ENVELOPE BODY.PEEK[])'
    kinds, parts = plain.uid('FETCH', '1:*',
                             '(FLAGS UID ENVELOPE BODY.PEEK[])')
    assert kinds == 'OK'
    bodies = [part[1] for part in parts if isinstance(part, tuple)]
    with shared.imap_session() as client:
        compressed = Compressed(client)
        compressed.say(b'EXAMINE ' + name.encode())
        before = compressed.wire_bytes
        said = compressed.say(command.encode())
        spent = compressed.wire_bytes - before
        assert len(bodies) == 21 and all(body in said for body in bodies)
        small = compressed.wire_bytes
        said = compressed.say(b'UID FETCH 1:20 (BODY.PEEK[])')
        assert (compressed.wire_bytes - small) * 10 < len(said)
        assert spent < sum(len(body) for body in bodies)
        upload = b'Subject: up\r\n\r\n' + b'and up and up ' * 100000
        compressed.say(b'APPEND %s {%d+}\r\n%s' % (
            name.encode(), len(upload), upload))
        assert compressed.say(
            b'FETCH * BODY.PEEK[]').count(b'and up ') == 200000
        compressed.logout()


def test_a_bomb_keeps_nobody_of_the_account_waiting(shared, box):
    name, plain = box
    with shared.imap_session() as client:
        compressed = Compressed(client)
        # 512 MB of a literal that is refused, in half a megabyte.
        packer = compressed.packer
        zeros = b'x' * 1000000
        bomb = packer.compress(b'a NOOP {500000000+}\r\n') + b''.join(
            packer.compress(zeros) for _ in range(500))
        bomb += packer.compress(b'\r\nb NOOP\r\n') + packer.flush(
            zlib.Z_SYNC_FLUSH)
        assert len(bomb) < 1000000
        compressed.socket.sendall(bomb)
        assert say(plain, 'SEARCH SUBJECT noise') == [b'* SEARCH 21']
        while not compressed.line().startswith(b'b OK'):
            pass
        compressed.logout()


def found(pattern, lines):
    return re.findall(pattern, b'\n'.join(lines))


def test_names_of_mailboxes_and_messages_outlive_moving(shared, box):
    name, client = box
    selected = found(rb'MAILBOXID \((F\w+)\)', say(client, 'SELECT ' + name))
    assert client.create(name + '2')[0] == 'OK'
    messages = found(rb'EMAILID \((M\w+)\)',
                     say(client, 'FETCH 1:3 (EMAILID)'))
    assert len(set(messages)) == 3
    say(client, 'MOVE 1:2 %s2' % name)
    client.unselect()
    assert client.rename(name + '2', name + '3')[0] == 'OK'
    assert client.rename(name, name + '2')[0] == 'OK'
    assert found(rb'MAILBOXID \((F\w+)\)', say(
        client, 'STATUS %s2 (MAILBOXID)' % name)) == selected
    say(client, 'SELECT %s3' % name)
    assert found(rb'EMAILID \((M\w+)\)',
                 say(client, 'FETCH 1:* (EMAILID)')) == messages[:2]
    assert say(client, 'SEARCH EMAILID ' + messages[1].decode()) == [
        b'* SEARCH 2']
    # Gone, and still itself.
    say(client, 'STORE 1 +FLAGS.SILENT (\\Deleted)')
    client.expunge()
    say(client, 'EXAMINE "Snapshots/Deleted mail"')
    assert messages[0] in found(rb'EMAILID \((M\w+)\)',
                                say(client, 'FETCH 1:* (EMAILID)'))
    assert found(rb'MAILBOXID \((\w)', say(
        client, 'STATUS "Snapshots/Deleted mail" (MAILBOXID)')) == [b'P']


def test_a_client_of_imap4rev2_hears_nothing_of_recent(shared, box):
    name, _ = box
    with shared.imap_session() as client:
        assert b'IMAP4rev2' in b' '.join(say(client, 'CAPABILITY'))
        assert client.create(name + '2')[0] == 'OK'
        client.append(name + '2', None, None, b'Subject: new\r\n\r\nx\r\n')
        say(client, 'ENABLE IMAP4rev2')
        selected = say(client, 'SELECT %s2' % name)
        assert b'* LIST () "/" %s2' % name.encode() in selected
        assert b'* 1 EXISTS' in selected
        said = b' '.join(selected + say(client, 'FETCH 1 FLAGS'))
        assert b'RECENT' not in said and b'\\Recent' not in said
        assert found(rb'ESEARCH .* ALL 1$', say(client, 'SEARCH ALL'))


def test_a_nul_is_told_in_a_literal8_alone(shared):
    text = b'Subject: a\0b\r\nX-Other: c\0\r\n\r\n\0d\r\n\0'
    shown = text.replace(b'\0', b'\x80')
    with shared.imap_session() as client:
        assert client.create('nuls')[0] == 'OK'
        assert client.append('nuls', None, None, text)[0] == 'OK'
        assert client.select('nuls')[0] == 'OK'
        for item, wanted in ((b'BODY[]', shown), (b'RFC822', shown),
                             (b'BODY[TEXT]', shown[-5:]),
                             (b'BODY[HEADER.FIELDS (SUBJECT)]',
                              b'Subject: a\x80b\r\n\r\n'),
                             (b'BODY[HEADER.FIELDS (X-OTHER)]',
                              b'X-Other: c\x80\r\n\r\n')):
            assert client.fetch('1', item.decode())[1][0][1] == wanted
        assert b'\0' not in b''.join(say(client, 'FETCH 1 ENVELOPE'))
        whole = client.fetch('1', 'BINARY.PEEK[]')[1][0]
        assert whole[0].endswith(b'~{%d}' % len(text)) and whole[1] == text

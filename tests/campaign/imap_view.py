"""An IMAP session that believes what untagged responses say, and nothing else
(RFC 3501 5.2, 7.4; RFC 7162 for VANISHED and QRESYNC)."""
import collections
import re
import select
import socket

SECONDS = 60
# During these no EXPUNGE may come: numbers of the command would change meaning.
BY_NUMBER = re.compile(r'(FETCH|STORE|SEARCH) ')


class Divergence(Exception):
    """What was told does not agree with itself or with what is there."""


class Refused(Divergence):
    """A tagged NO or BAD."""


class View:
    """The picture of one mailbox: UID and flags by sequence number."""

    def __init__(self):
        self.uids = []
        self.flags = []

    def exists(self, count):
        if count < len(self.uids):
            raise Divergence('EXISTS fell from %d to %d' % (
                len(self.uids), count))
        new = count - len(self.uids)
        self.uids += [None] * new
        self.flags += [None] * new

    def expunge(self, number):
        if not 1 <= number <= len(self.uids):
            raise Divergence('EXPUNGE %d of %d' % (number, len(self.uids)))
        del self.uids[number - 1], self.flags[number - 1]

    def vanish(self, uids, is_earlier=False):
        """A UID that it does not know is one of those whose UID it has not
        asked for yet, behind the last known one that is smaller."""
        for uid in uids:
            if uid in self.uids:
                at = self.uids.index(uid)
            elif is_earlier:
                continue
            else:
                smaller = [n for n, known in enumerate(self.uids)
                           if known is not None and known < uid]
                at = self.uids.index(None, smaller[-1] if smaller else 0)
            del self.uids[at], self.flags[at]

    def fetched(self, number, uid, flags):
        if not 1 <= number <= len(self.uids):
            raise Divergence('FETCH %d of %d' % (number, len(self.uids)))
        if uid is not None:
            if self.uids[number - 1] not in (None, uid):
                raise Divergence('message %d was UID %d and is %d' % (
                    number, self.uids[number - 1], uid))
            self.uids[number - 1] = uid
        if flags is not None:
            self.flags[number - 1] = flags

    def picture(self):
        known = [uid for uid in self.uids if uid is not None]
        if known != sorted(set(known)):
            raise Divergence('UIDs do not ascend: %s' % known)
        return dict(zip(self.uids, self.flags))


def numbers_of(text):
    found = []
    for part in text.split(','):
        first, _, last = part.partition(':')
        found += range(int(first), int(last or first) + 1)
    return found


class Session:
    def __init__(self, name, port, user, password):
        self.name, self.at = name, (port, user, password)
        self.lines = collections.deque(maxlen=80)
        self.tag = 0
        self.view = View()
        self.mailbox = None
        self.is_qresync = False
        self.validity = self.modseq = self.highest = None
        self.connect()

    def connect(self):
        port, user, password = self.at
        self.socket = socket.create_connection(('127.0.0.1', port), SECONDS)
        self.stream = self.socket.makefile('rb')
        self.stream.readline()
        self.command('LOGIN %s %s' % (user, password))

    def close(self):
        self.socket.sendall(b'bye LOGOUT\r\n')
        while self.stream.readline():
            pass
        self.stream.close()
        self.socket.close()

    def recent(self):
        return '\n'.join(self.lines)

    # Reading.

    def read(self):
        """One response, literals included."""
        whole = b''
        while True:
            line = self.stream.readline()
            if not line.endswith(b'\r\n'):
                raise Divergence('the server hung up: ' + self.recent())
            whole += line
            literal = re.search(rb'\{(\d+)\}\r\n$', line)
            if not literal:
                break
            whole += self.stream.read(int(literal[1]))
        text = whole.decode('utf-8', 'replace').rstrip('\r\n')
        self.lines.append('S ' + text[:300])
        return text

    def send(self, text):
        self.tag += 1
        line = '%s %s' % (self.tag, text)
        self.lines.append('C ' + line[:300])
        self.socket.sendall((line + '\r\n').encode())
        return str(self.tag)

    def command(self, text):
        return self.await_answer(self.send(text), text)

    def await_answer(self, tag, text):
        """All untagged responses, which the picture has taken in."""
        found = []
        while True:
            line = self.read()
            if line.startswith(tag + ' '):
                if not line.startswith(tag + ' OK'):
                    raise Refused('%s: %s' % (text, line))
                self.note_modseq(line)
                # Up to there it knows all, unless expunges had to wait, or it
                # has not asked yet what EXISTS announced.
                if not BY_NUMBER.match(text) and \
                        None not in self.view.uids:
                    self.modseq = self.highest
                return found + [line]
            self.take(line, text)
            found.append(line)

    def take(self, line, command):
        number = re.match(r'\* (\d+) (EXISTS|EXPUNGE|FETCH)', line)
        vanished = re.match(r'\* VANISHED (\(EARLIER\) )?([\d:,]+)', line)
        self.note_modseq(line)
        if vanished:
            self.check_time(command, bool(vanished[1]))
            self.view.vanish(numbers_of(vanished[2]))
        elif line.startswith('* BYE'):
            raise Divergence(line)
        elif number and number[2] == 'EXISTS':
            self.view.exists(int(number[1]))
        elif number and number[2] == 'EXPUNGE':
            self.check_time(command, False)
            self.view.expunge(int(number[1]))
        elif number:
            self.take_fetch(int(number[1]), line)

    def check_time(self, command, is_earlier):
        if not is_earlier and BY_NUMBER.match(command):
            raise Divergence('EXPUNGE during ' + command)

    def take_fetch(self, number, line):
        uid = re.search(r'[ (]UID (\d+)', line)
        flags = re.search(r'[ (]FLAGS \(([^)]*)\)', line)
        self.view.fetched(number, int(uid[1]) if uid else None,
                          frozenset(flags[1].split()) - {'\\Recent'}
                          if flags else None)

    def note_modseq(self, line):
        for pattern in (r'\[HIGHESTMODSEQ (\d+)\]', r'[ (]MODSEQ \((\d+)\)'):
            found = re.search(pattern, line)
            if found:
                self.highest = max(self.highest or 0, int(found[1]))

    # Commands.

    def open(self, mailbox, is_qresync):
        self.mailbox, self.is_qresync = mailbox, is_qresync
        self.view = View()
        self.modseq = self.highest = None
        if is_qresync:
            self.command('ENABLE QRESYNC')
        self.select('')

    def select(self, parameters):
        said = self.command('SELECT %s%s' % (self.mailbox, parameters))
        validity = next(re.search(r'UIDVALIDITY (\d+)', line)[1]
                        for line in said if 'UIDVALIDITY' in line)
        if self.validity not in (None, (self.mailbox, validity)):
            if self.validity[0] == self.mailbox:
                raise Divergence('UIDVALIDITY changed')
        self.validity = self.mailbox, validity
        return said

    def reopen(self):
        """With QRESYNC the picture is kept and brought up to date."""
        since, self.modseq, self.highest = self.modseq, None, None
        self.close()
        self.connect()
        if not self.is_qresync or since is None:
            self.open(self.mailbox, self.is_qresync)
            return
        known = self.view.picture()
        known.pop(None, None)  # announced, never asked for
        self.command('ENABLE QRESYNC')
        # Numbers are new ones; by UID, what is known stays.
        self.view = View()
        earlier = []
        tag = self.send('SELECT %s (QRESYNC (%s %d))' % (
            self.mailbox, self.validity[1], since))
        while True:
            line = self.read()
            if line.startswith(tag + ' '):
                break
            earlier.append(line)
        if not line.startswith(tag + ' OK'):
            raise Refused(line)
        self.note_modseq(line)
        self.resume(known, earlier)

    def resume(self, known, earlier):
        """The picture from what was known and what has changed since."""
        for line in earlier:
            vanished = re.match(r'\* VANISHED \(EARLIER\) ([\d:,]+)', line)
            uid = re.search(r'[ (]UID (\d+)', line)
            flags = re.search(r'[ (]FLAGS \(([^)]*)\)', line)
            self.note_modseq(line)
            if vanished:
                for one in numbers_of(vanished[1]):
                    known.pop(one, None)
            elif ' FETCH ' in line:
                known[int(uid[1])] = frozenset(
                    flags[1].split()) - {'\\Recent'}
            elif ' EXISTS' in line:
                self.view.exists(int(line.split()[1]))
        self.modseq = self.highest
        if len(known) != len(self.view.uids):
            raise Divergence('QRESYNC: %d known, %d are there: %s' % (
                len(known), len(self.view.uids), self.recent()))
        self.view.uids = sorted(known)
        self.view.flags = [known[uid] for uid in self.view.uids]

    def fill(self):
        """Asks for what EXISTS announced; of what others expunged meanwhile
        nothing comes, until NOOP tells (RFC 2180 4.1.3)."""
        while None in self.view.uids or None in self.view.flags:
            first = next(n for n, (uid, flags) in enumerate(
                zip(self.view.uids, self.view.flags), 1)
                         if uid is None or flags is None)
            said = self.command('FETCH %d:* (UID FLAGS)' % first)
            if 'EXPUNGEISSUED' in said[-1]:
                self.command('NOOP')

    def read_keys(self, uids):
        """(UID, key) of those that are still there."""
        if not uids:
            return []
        said = self.command(
            'UID FETCH %s (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])' % (
                '1:*' if len(uids) > 1000 else ','.join(map(str, uids))))
        return [(int(re.search(r'UID (\d+)', line)[1]),
                 re.search(r'Subject: (\S+)', line)[1])
                for line in said if 'Subject: ' in line]

    def read_bodies(self, numbers):
        said = self.command('FETCH %s BODY.PEEK[]' % ','.join(
            map(str, numbers)))
        for line in said:
            if 'BODY[]' in line:
                key = re.search(r'Subject: (\S+)', line)[1]
                if 'Body of %s.' % key not in line:
                    raise Divergence('the body is not of ' + key)

    def store(self, by_uid, which, sign, flags, is_silent):
        """A silent change is taken into the picture, as RFC 3501 6.4.6 has it:
        the server tells only what the client cannot know."""
        command = '%sSTORE %s %sFLAGS%s (%s)' % (
            'UID ' if by_uid else '', ','.join(map(str, which)), sign,
            '.SILENT' if is_silent else '', ' '.join(flags))
        if is_silent:
            for n, uid in enumerate(self.view.uids):
                if (uid if by_uid else n + 1) in which and \
                        self.view.flags[n] is not None:
                    self.view.flags[n] = (
                        self.view.flags[n] | set(flags) if sign == '+' else
                        self.view.flags[n] - set(flags))
        self.command(command)

    def search(self, keys):
        said = self.command('SEARCH ' + keys)
        line = next(one for one in said if one.startswith('* SEARCH'))
        return [int(word) for word in
                re.sub(r'\(.*\)', '', line).split()[2:]]

    def append(self, mailbox, data):
        tag = self.send('APPEND %s {%d+}' % (mailbox, len(data)))
        self.socket.sendall(data + b'\r\n')
        said = self.await_answer(tag, 'APPEND')
        return int(re.search(r'APPENDUID \d+ (\d+)', said[-1])[1])

    def idle(self, seconds):
        tag = self.send('IDLE')
        while not self.read_one_of_idle().startswith('+'):
            pass
        if select.select([self.socket], [], [], seconds)[0]:
            self.read_one_of_idle()
        self.socket.sendall(b'DONE\r\n')
        self.await_answer(tag, 'IDLE')

    def read_one_of_idle(self):
        line = self.read()
        self.take(line, 'IDLE')
        return line

    def pipeline(self, commands):
        tags = [self.send(command) for command in commands]
        for tag, command in zip(tags, commands):
            self.await_answer(tag, command)

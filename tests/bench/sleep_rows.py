"""What sessions cost that do nothing: the memory of all processes of a server with
many in IDLE, when it has come to rest, for each of them; and how soon one of them
hears of a new message."""
import pathlib
import resource
import smtplib
import socket
import ssl
import statistics
import time
import zlib

from connection_rows import memory_kib, tree

SECONDS = 180
ACCOUNTS = 200
FEW, MANY = 1000, 10000
BOXES = 30    # of each account, where they are watched
SAID = 32768  # bytes, by who compresses
NEWS = 60  # times that a sleeping session is woken
# Its own way to have no process for who is in IDLE.
DOVECOT_HIBERNATES = """
imap_hibernate_timeout = 5s
service imap-hibernate {
  client_limit = 12000
  unix_listener imap-hibernate {
    mode = 0666
  }
}
service imap {
  unix_listener imap-master {
    mode = 0666
  }
}
"""
OURS = "hibernate after 2s\n"


class Packed:
    """A socket behind COMPRESS."""

    def __init__(self, sock):
        self.socket = sock
        self.packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.unpacker = zlib.decompressobj(-15)
        self.close = sock.close

    def sendall(self, data):
        self.socket.sendall(self.packer.compress(data) +
                            self.packer.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size):
        while packed := self.socket.recv(size):
            if plain := self.unpacker.decompress(packed):
                return plain
        return b""


class Client:
    """A session in IDLE, or about to be."""

    def __init__(self, server, user, context):
        port = server.imap if context is None else server.imaps
        self.socket = socket.create_connection(("127.0.0.1", int(port)),
                                               SECONDS)
        if context is not None:
            self.socket = context.wrap_socket(self.socket)
        self.rest = b""
        self.hear(b"* ")
        self.say("a LOGIN %s %s\r\n" % (server.user % user, server.password),
                 b"a OK")

    def hear(self, begin, inside=b""):
        """The next line that begins so."""
        while True:
            line, end, rest = self.rest.partition(b"\r\n")
            if end:
                self.rest = rest
                if line.startswith(begin) and inside in line:
                    return line
                continue
            part = self.socket.recv(4096)
            if not part:
                raise ConnectionError(self.rest)
            self.rest += part

    def say(self, text, answer):
        self.socket.sendall(text.encode())
        return self.hear(answer)

    def idle(self):
        self.say("b SELECT INBOX\r\n", b"b OK")
        self.say("c IDLE\r\n", b"+")
        return self

    def notify(self):
        """Between two commands; all mailboxes are watched."""
        self.say("n NOTIFY SET (personal (MessageNew MessageExpunge "
                 "FlagChange MailboxName))\r\n", b"n OK")
        return self

    def compress(self):
        """In IDLE, and has said 32 KiB before."""
        self.say("p COMPRESS DEFLATE\r\n", b"p OK")
        self.socket = Packed(self.socket)
        self.say("s SELECT INBOX\r\n", b"s OK")
        for n in range(SAID // 64):
            self.say("q%04d UID FETCH %010d (UID FLAGS INTERNALDATE ENVELOPE)"
                     "\r\n" % (n, n * 7919 + 1), b"q%04d OK" % n)
        return self.idle()

    def append(self, text):
        """Until the last byte is sent: what it waits for then is durable."""
        self.say("d APPEND INBOX {%d}\r\n" % len(text), b"+")
        self.socket.sendall(text.encode() + b"\r\n")


def rests(server, seconds=10):
    """Waits until processes neither come nor go for so long, of those that serve
    sessions."""
    last, since = None, time.monotonic()
    end = since + SECONDS
    while time.monotonic() < end:
        now = len(tree(server.pid))
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > seconds:
            return
        time.sleep(0.2)


def processes(server):
    """Those that have sessions of one account."""
    names = [pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
             for pid in tree(server.pid)
             if pathlib.Path(f"/proc/{pid}/comm").exists()]
    return sum(name in ("imap", "imapd-worker", "worker") for name in names)


def news(figure, server, clients, context):
    """By APPEND of another session, and by mail; the one that hears sleeps."""
    text = "Subject: news\r\n\r\n" + "x" * 1000 + "\r\n"
    took = {"append": [], "mail": []}
    for n in range(min(NEWS, ACCOUNTS)):
        sleeper, other = clients[n], None
        if n % 2 == 0:
            kind, other = "append", Client(server, n + 1, context)
            other.append(text)
            began = time.monotonic()
        elif server.label == "firnmail":
            kind = "mail"
            with smtplib.SMTP("127.0.0.1", int(server.smtp)) as smtp:
                smtp.sendmail("a@there.test", server.rcpt % (n + 1), text)
                began = time.monotonic()
        else:
            continue
        sleeper.hear(b"* ", b"EXISTS")
        took[kind].append((time.monotonic() - began) * 1000)
        if other is not None:
            other.socket.close()
    for kind, times in took.items():
        if times:
            figure(server.label, f"asleep.{kind}-to-exists.p50",
                   statistics.median(times), "ms")
            figure(server.label, f"asleep.{kind}-to-exists.most", max(times),
                   "ms")


def measure(figure, server, count):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, how in (("plain", None), ("tls", context)):
        Client(server, 1, how).socket.close()
        rests(server)
        before = memory_kib(server.pid)
        clients = [Client(server, n % ACCOUNTS + 1, how).idle()
                   for n in range(count)]
        rests(server)
        after = memory_kib(server.pid)
        figure(server.label, f"asleep.{name}.{count}.each",
               (after - before) / count, "KiB")
        figure(server.label, f"asleep.{name}.{count}.all", after / 1024, "MiB")
        figure(server.label, f"asleep.{name}.{count}.workers",
               processes(server), "")
        if count == FEW and how is not None:
            news(figure, server, clients, how)
        for client in clients:
            client.socket.close()


def each(server, begin, count):
    """KiB a sleeping session takes, each begun so.  The workers of those that
    were there before are kept for a minute."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    rests(server, 70)
    before = memory_kib(server.pid)
    clients = [begin(Client(server, n % ACCOUNTS + 1, context))
               for n in range(count)]
    rests(server)
    after = memory_kib(server.pid)
    for client in clients:
        client.socket.close()
    return (after - before) / count


def make_mailboxes(server):
    for n in range(ACCOUNTS):
        client = Client(server, n + 1, None)
        for box in range(BOXES):
            client.say("m CREATE box-number-%d\r\n" % box, b"m ")
        client.socket.close()


def rows(bench):
    for s in bench.servers(
            bench.peer("tuned", "dovecot.sh", TUNED="1"),
            bench.peer("hibernates", "dovecot.sh", TUNED="1",
                       EXTRA=DOVECOT_HIBERNATES),
            bench.firnmail(ACCOUNTS, OURS)):
        measure(bench.figure, s, bench.scaled(FEW))
    for s in bench.servers(bench.firnmail(ACCOUNTS, OURS)):
        measure(bench.figure, s, bench.scaled(MANY))
    for kind, begin in (("idle", Client.idle), ("notify", Client.notify),
                        ("compress", Client.compress)):
        for s in bench.servers(bench.firnmail(ACCOUNTS, OURS)):
            make_mailboxes(s)
            bench.figure(s.label, f"asleep.tls.{kind}.{ACCOUNTS}.each",
                         each(s, begin, ACCOUNTS), "KiB")

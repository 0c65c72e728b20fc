"""One who stands between two hosts, on SMTP, and whoever may tell what he sees.

`strip` hides that the server offers STARTTLS; `certificate` answers it with a
certificate of his own.  All else goes on to the server, so that who does not mind
gets his mail there, and never knows.
"""
import contextlib
import socket
import ssl
import threading

SECONDS = 60


class Session:
    """One connection, a thread a direction."""

    def __init__(self, middle, client, server):
        self.middle = middle
        self.client, self.server = client, server
        self.is_tls = False
        self.lines = client.makefile('rb')

    def run(self):
        back = threading.Thread(target=self.run_back, daemon=True)
        back.start()
        with contextlib.suppress(OSError, ValueError):
            while line := self.lines.readline():
                if line.strip().upper() == b'STARTTLS':
                    self.start_tls()
                    continue
                self.middle.seen.append(line)
                self.server.sendall(line)
        self.close()
        back.join(SECONDS)

    def run_back(self):
        with contextlib.suppress(OSError, ValueError):
            for line in self.server.makefile('rb'):
                if line.upper() != b'250-STARTTLS\r\n' or self.offers():
                    self.client.sendall(line)
        self.close()

    def offers(self):
        return self.middle.context is not None and not self.is_tls

    def start_tls(self):
        if not self.offers():
            self.client.sendall(b'502 5.5.1 no such command\r\n')
            return
        self.client.sendall(b'220 go on\r\n')
        self.is_tls = True
        self.client = self.middle.context.wrap_socket(self.client,
                                                      server_side=True)
        self.lines = self.client.makefile('rb')

    def close(self):
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Middle:
    """Takes connections to port 25 of `front`, and goes on from `back` to
    `target`: namespaces of net_hosts.  With a certificate and key he answers
    STARTTLS himself."""

    def __init__(self, front, back, target, certificate=None, key=None):
        self.back, self.target = back, target
        self.seen = [] # lines of clients
        self.sessions = set()
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
        with front.inside():
            self.socket = socket.create_server((front.address, 25))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(client,),
                                 daemon=True).start()

    def serve(self, client):
        with client, contextlib.suppress(OSError), self.back.inside(), \
                socket.create_connection((self.target, 25),
                                         SECONDS) as server:
            client.settimeout(SECONDS)
            session = Session(self, client, server)
            self.sessions.add(session)
            session.run()
            self.sessions.discard(session)

    def saw(self, key):
        return any(key.encode() in line for line in list(self.seen))

    def stop(self):
        """Connections that rest are ended too."""
        for session in list(self.sessions):
            session.close()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

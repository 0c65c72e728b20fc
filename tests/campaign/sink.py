"""The host that mail goes to: counts what arrived by its Message-ID.  While it
is busy it refuses some for the time being, so that a queue has something to
keep; when it is not, it takes everything."""
import random
import re
import socketserver
import threading
import time

QUIET_SECONDS = 2


class Handler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b'\r\n')

    def handle(self):
        try:
            self.say('220 sink.test')
            while self.command():
                pass
        except OSError:
            pass

    def command(self):
        line = self.rfile.readline(4096).upper()
        if line.startswith(b'EHLO'):
            self.say('250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME')
        elif line.startswith(b'DATA'):
            self.say('354 go on')
            return self.take()
        elif line.startswith(b'QUIT') or not line:
            if line:
                self.say('221 bye')
            return False
        else:
            self.say('250 ok')
        return True

    def take(self):
        key = None
        for line in self.rfile:
            if line == b'.\r\n':
                break
            if key is None:
                found = re.match(rb'(?i)message-id: *<([^@]+)@', line)
                key = found[1].decode() if found else None
        else:
            return False
        if self.server.refuses():
            self.say('451 4.2.0 later')
        else:
            # It has it from here on, whether or not anybody hears so.
            self.server.note(key)
            self.say('250 2.0.0 taken')
        return True


class Sink(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(self, seed):
        super().__init__(('127.0.0.1', 0), Handler)
        self.port = self.server_address[1]
        self.lock = threading.Lock()
        self.choice = random.Random(seed)
        self.is_busy = True
        self.arrived = {}  # key: how often
        self.last = time.monotonic()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def refuses(self):
        with self.lock:
            return self.is_busy and self.choice.random() < 0.5

    def note(self, key):
        with self.lock:
            self.last = time.monotonic()
            self.arrived[key] = self.arrived.get(key, 0) + 1

    def is_quiet(self):
        """Nothing has come for a while."""
        return time.monotonic() - self.last > QUIET_SECONDS

    def close(self):
        self.shutdown()
        self.server_close()

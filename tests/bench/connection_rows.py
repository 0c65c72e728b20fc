"""What open SMTP connections cost: the memory of all processes of a server with
many that have said EHLO, plain and after STARTTLS, and have nothing to say."""
import pathlib
import resource
import socket
import ssl

SECONDS = 60
MANY = 1000
OTHERS = 90  # Postfix has a process for each, and a hundred of them


def tree(pid):
    """Every process below that one, and itself."""
    children = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(folder.name))
    found, todo = [], [int(pid)]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def memory_kib(pid):
    """Proportional set size of them all."""
    total = 0
    for process in tree(pid):
        try:
            lines = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(lines.split("\nPss:")[1].split()[0])
    return total


def hear(connection, code):
    """A whole answer."""
    text = b""
    while not (text.endswith(b"\r\n") and
               text.rpartition(b"\r\n")[0].rpartition(b"\r\n")[2]
               .startswith(code + b" ")):
        part = connection.recv(4096)
        if not part:
            raise ConnectionError(text)
        text += part


def dial(port, context):
    connection = socket.create_connection(("127.0.0.1", int(port)), SECONDS)
    hear(connection, b"220")
    connection.sendall(b"EHLO client.test\r\n")
    hear(connection, b"250")
    if context is not None:
        connection.sendall(b"STARTTLS\r\n")
        hear(connection, b"220")
        connection = context.wrap_socket(connection)
        connection.sendall(b"EHLO client.test\r\n")
        hear(connection, b"250")
    return connection


def measure(figure, server):
    """`figure` takes label, name, value, unit."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    count = MANY if server.label == "firnmail" else OTHERS
    dial(server.smtp, context).close()
    before = memory_kib(server.pid)
    for name, how in (("plain", None), ("tls", context)):
        opened = [dial(server.smtp, how) for _ in range(count)]
        after = memory_kib(server.pid)
        for connection in opened:
            connection.close()
        figure(server.label, f"connections.{name}.each",
               (after - before) / count, "KiB")
        if count == MANY:
            figure(server.label, f"connections.{name}.1000.all",
                   after / 1024, "MiB")

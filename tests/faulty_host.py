"""A host on loopback that fails in every way a host can, for tests of downloads."""

import contextlib
import http.server
import socket
import struct
import threading
from dataclasses import dataclass, field

PAGE = b"<!doctype html><title>Log in to the school's network</title>"
TENTHS = tuple(f"cut after {tenth}0 %" for tenth in range(10))
FAULTS = (
    *TENTHS,
    "altered by one byte",
    "cut, and its length not said",
    "said to be longer than it is",
    "said to be shorter than it is",
    "the connection is reset",
    "a web page in its place",
    "sent on to a web page",
    "sent on in a circle",
    "403",
    "500",
    "empty",
)
SILENT = ("accepts and never answers", "sends headers and then nothing")


@dataclass
class FaultyHost:
    """What it has, what it does wrong, and how often it was asked.

    Attributes:
        files: path → content.
        headers: path → what goes with it beyond the length.
        fault: one of `FAULTS` or `SILENT`, or "" for a healthy host.
        spared: paths of which the fault keeps off.
        connections: how many were made so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    fault: str = ""
    spared: tuple[str, ...] = ()
    connections: int = 0
    address: str = ""

    def __post_init__(self):
        self.over = threading.Event()


@contextlib.contextmanager
def faulty_host():
    """A `FaultyHost` at `address` for as long as this is open."""
    host = FaultyHost()

    class Handler(_Handler):
        told = host

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self):
            host.connections += 1
            return super().get_request()

        def handle_error(self, *_):
            pass  # clients hang up on purpose here

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        host.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield host
        finally:
            host.over.set()
            server.shutdown()


@contextlib.contextmanager
def black_hole():
    """Address of a port on loopback that takes no connection and refuses none: its queue is full."""
    with contextlib.ExitStack() as open_ones:
        listener = open_ones.enter_context(
            socket.create_server(("127.0.0.1", 0), backlog=0)
        )
        for _ in range(4):
            waiting = open_ones.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def closed_port() -> str:
    """Address of a port on loopback that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    told: FaultyHost

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        """As a proxy; it has no other host behind it."""
        if self.told.fault == SILENT[0]:
            self.told.over.wait()
        self._send(502, b"there is nothing behind this proxy", "text/plain")

    def do_GET(self):
        path = self.path.split("?")[0]
        fault = "" if path in self.told.spared else self.told.fault
        content = self.told.files.get(path)
        if path == "/login":
            self._send(200, PAGE, "text/html; charset=utf-8")
        elif fault == SILENT[0]:
            self.told.over.wait()
        elif fault in ("403", "500"):
            self._send(int(fault), PAGE, "text/html")
        elif fault == "a web page in its place":
            self._send(200, PAGE, "text/html; charset=utf-8")
        elif fault.startswith("sent on"):
            self._redirect("/login" if "page" in fault else self.path)
        elif content is None:
            self._send(404, b"there is no such file", "text/plain")
        else:
            self._send_file(path, content, fault)

    def _redirect(self, goal: str) -> None:
        self.send_response(302)
        self.send_header("Location", goal)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_file(self, path: str, content: bytes, fault: str) -> None:
        sent, length = content, len(content)
        if fault in TENTHS:
            sent = content[: length * TENTHS.index(fault) // 10]
        elif fault == "altered by one byte":
            middle = length // 2
            sent = (
                content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            )
        elif fault == "cut, and its length not said":
            sent, length = content[: length // 2], None
        elif fault == "said to be longer than it is":
            length += 100
        elif fault == "said to be shorter than it is":
            length = length * 9 // 10
            sent = content[:length]
        elif fault in ("the connection is reset", SILENT[1]):
            sent = content[: length // 2] if fault != SILENT[1] else b""
        elif fault == "empty":
            sent, length = b"", 0
        self.send_response(200)
        self.send_header(
            "Content-Type",
            self.told.headers.get(path, {}).get(
                "Content-Type", "application/octet-stream"
            ),
        )
        for name, value in self.told.headers.get(path, {}).items():
            if name != "Content-Type":
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(sent)
        self.wfile.flush()
        if fault == SILENT[1]:
            self.told.over.wait()
        if fault == "the connection is reset":  # closing without lingering sends RST
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.connection.close()

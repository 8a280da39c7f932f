"""A store that is reached over real sockets, by plain HTTP or as S3, and that can be unwell.

It keeps what is put into it under the path of the request: that is all that HTTP's GET and PUT, and
S3's GetObject and PutObject with the bucket in the path, have to agree on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MISSING = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code>'
    b"<Message>The specified key does not exist.</Message></Error>"
)
_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code>'
    b"<Message>Access Denied</Message></Error>"
)
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Store:
    """What is kept, and how the store answers.

    `wrong` is "", or one of: "lies" (other bytes), "truncates", "cuts" (the connection, half way),
    "endless" (an answer that goes on), "drips" (it stops half way and says no more), "hangs" (no
    answer), "fails" (500), "refuses" (500 to a PUT), "read-only" (403 to a PUT), "secretive" (403
    for what is not there).
    """

    def __init__(self, protocol: str) -> None:
        #: what its users speak, "http" or "s3"
        self.protocol = protocol
        self.reset()
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.store = self  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Be empty and well."""
        self.files: dict[str, bytes] = {}
        self.wrong = ""
        #: method and path of each request
        self.requests: list[tuple[str, str]] = []
        #: requests that are answered before the store is gone; None: all
        self.left: int | None = None
        #: ends what hangs
        self.released = threading.Event()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        """From here on connections are refused."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(protocol: str) -> Iterator[Store]:
    """A store that works on a port of its own until the block ends."""
    store = Store(protocol)
    thread = threading.Thread(target=store.serve, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        store.close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def store(self) -> Store:
        found: Store = self.server.store  # type: ignore[attr-defined]
        return found

    def log_message(self, *arguments: Any) -> None:
        pass

    def _is_gone(self) -> bool:
        """Note a request; whether the store has disappeared in the meantime."""
        with self.store.lock:
            self.store.requests.append((self.command, self.path))
            if self.store.left is None:
                return False
            self.store.left -= 1
            gone = self.store.left < 0
        if gone:
            self.close_connection = True
        return gone

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_gone():
            return
        wrong = self.store.wrong
        if wrong == "hangs":
            self.store.released.wait(60)
            self.close_connection = True
        elif wrong in ("fails", "refuses"):
            self._answer(500, b"out of order")
        elif wrong == "read-only":
            self._answer(403, _DENIED)
        else:
            self.store.files[self.path] = data
            self._answer(200, b"")

    def do_GET(self) -> None:
        if self._is_gone():
            return
        data = self.store.files.get(self.path)
        wrong = self.store.wrong
        if wrong == "hangs":
            self.store.released.wait(60)
            self.close_connection = True
        elif wrong == "fails":
            self._answer(500, b"out of order")
        elif data is None:
            denied = wrong == "secretive"
            self._answer(403 if denied else 404, _DENIED if denied else _MISSING)
        elif wrong in ("cuts", "drips", "endless"):
            self._begin(data)
        else:
            if wrong == "lies":
                data = data[:-40] + bytes(byte ^ 1 for byte in data[-40:])
            if wrong == "truncates":
                data = data[: len(data) // 2]
            self._give(data)

    def _give(self, data: bytes) -> None:
        span = _RANGE.fullmatch(self.headers.get("Range", ""))
        if span is None:
            self._answer(200, data)
            return
        start, end = int(span[1]), min(int(span[2]) + 1, len(data))
        if start >= end:
            self._answer(416, b"")
        else:
            self._answer(206, data[start:end], f"bytes {start}-{end - 1}/{len(data)}")

    def _begin(self, data: bytes) -> None:
        """An answer that does not come to its end."""
        endless = self.store.wrong == "endless"
        self.send_response(200)
        if not endless:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.close_connection = True
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        if self.store.wrong == "drips":
            self.store.released.wait(60)
        try:
            while endless and not self.store.released.is_set():
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass

    def _answer(self, status: int, body: bytes, span: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        self.wfile.write(body)

"""Two independent readers of PE files, each in a process that its input may take down."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

from aotwin.adapters.pe import worker
from aotwin.adapters.pe.image import PeFacts, Unreadable, decode_facts
from aotwin.adapters.tools.process import end, visible
from aotwin.errors import ToolError
from aotwin.termination import WAIT_SECONDS, undisturbed

#: the libraries, and the names of their `pe_<name>.py`
READERS = ("pefile", "lief")
#: seconds of wall-clock time for a file; a fork's own limit of processor time is lower
_TIMEOUT = 20.0
#: seconds that a worker which has hung up gets to end by itself
_LAST_SECONDS = 1.0
_CHUNK = 1 << 16
_BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE

#: what each reader makes of the bytes of a file
Readings = Mapping[str, PeFacts | Unreadable]
#: how a file is read, as `Readers.read` does
Read = Callable[[bytes], Readings]


class Readers:
    """The readers' processes, kept for several files; for `contextlib.closing`.

    Args:
        names: of `READERS`.
    """

    def __init__(self, names: tuple[str, ...] = READERS) -> None:
        self._names = names
        self.workers: dict[str, _Worker] = {}

    def close(self) -> None:
        """End the processes, whatever they do."""
        with undisturbed():
            for each in self.workers.values():
                each.end()
            self.workers.clear()

    def start(self) -> None:
        """Let the processes import their libraries, beside what this one does until `read`.

        Raises:
            ToolError: a reader's library is not installed.
        """
        for name in self._names:
            if name not in self.workers:
                command = worker_command(name, _library_folder(name))
                with undisturbed():
                    self.workers[name] = _Worker(command)

    def read(self, data: bytes) -> Readings:
        """What each reader makes of the bytes of a PE file, side by side; they read in parallel.

        A crash or a time-out of one is an answer, too.

        Raises:
            ToolError: a reader's library is not installed.
        """
        self.start()
        request = memoryview(worker.REQUEST.pack(len(data)) + data)
        left = _TIMEOUT
        with selectors.DefaultSelector() as selector:
            for each in self.workers.values():
                each.ask(request, selector)
            while selector.get_map() and left > 0:
                began = time.monotonic()
                for key, _ in selector.select(WAIT_SECONDS):
                    key.data(selector)
                # Where the machine slept meanwhile, the workers did, too.
                left -= min(time.monotonic() - began, WAIT_SECONDS)
        return {name: self._reading(name) for name in self._names}

    def _reading(self, name: str) -> PeFacts | Unreadable:
        answer = self.workers[name].answer()
        if answer is None:
            # It has ended, or hangs: the next file gets another.
            return Unreadable(f"{name} {self.workers.pop(name).end()}")
        code, text = answer
        if code == worker.UNREADABLE:
            return Unreadable(f"{name}: {text.strip()}")
        if code != worker.FACTS:
            return Unreadable(f"{name} {_death(code, text)}")
        try:
            return decode_facts(text)
        except (ValueError, KeyError, TypeError) as error:
            return Unreadable(f"{name} gave an answer that makes no sense: {error}")


def read_with_all(data: bytes) -> Readings:
    """`Readers.read` for a single file."""
    with closing(Readers()) as readers:
        return readers.read(data)


def read_with(reader: str, data: bytes) -> PeFacts | Unreadable:
    """What one reader makes of a single file, see `Readers.read`."""
    with closing(Readers((reader,))) as readers:
        return readers.read(data)[reader]


def worker_command(reader: str, library: Path) -> list[str]:
    """The command line of one worker: isolated from the environment and the working directory."""
    return [sys.executable, "-I", "-S", str(Path(worker.__file__)), reader, str(library)]


class _Worker:
    """One reader's process, what it is asked and what it has answered so far."""

    def __init__(self, command: list[str]) -> None:
        # A socket, not pipes: it ends for the worker when this process ends, whatever ends it.
        self._socket, its = socket.socketpair()
        self._socket.setblocking(False)
        with its:
            self.process = subprocess.Popen(
                command,
                stdin=its.fileno(),
                stdout=its.fileno(),
                stderr=subprocess.PIPE,
                env=visible(os.environ),
                start_new_session=True,
            )
        self._unsent = memoryview(b"")
        self._received = bytearray()
        self._most = 0
        self._hung_up = False

    def ask(self, request: memoryview, selector: selectors.BaseSelector) -> None:
        """Leave it to the selector's data to send the request and to take the answer in."""
        self._unsent = request
        self._received.clear()
        self._most = worker.ANSWER.size + worker.MAX_OUTPUT + len(request)
        selector.register(self._socket, _BOTH, self._go_on)

    def _go_on(self, selector: selectors.BaseSelector) -> None:
        try:
            if self._unsent:
                with suppress(BlockingIOError):
                    self._unsent = self._unsent[self._socket.send(self._unsent) :]
                if not self._unsent:
                    selector.modify(self._socket, selectors.EVENT_READ, self._go_on)
            with suppress(BlockingIOError):
                chunk = self._socket.recv(_CHUNK)
                self._received += chunk
                self._hung_up = not chunk
                if not chunk or self.answer() or len(self._received) > self._most:
                    selector.unregister(self._socket)
        except ConnectionError:
            self._hung_up = True
            selector.unregister(self._socket)

    def answer(self) -> tuple[int, str] | None:
        """Exit code and text of the fork that read the file; None where there is no answer."""
        start = worker.ANSWER.size
        if len(self._received) < start:
            return None
        code, nbytes = worker.ANSWER.unpack_from(self._received)
        if len(self._received) != start + nbytes:
            return None
        return code, self._received[start:].decode("utf-8", "replace")

    def end(self) -> str:
        """End the process with its fork; returns what had happened to it."""
        if self._hung_up:
            # It has ended, or is about to.
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_LAST_SECONDS)
        code, stderr = self.process.poll(), b""
        if code is not None and self.process.stderr is not None:
            stderr = self.process.stderr.read()
        end(self.process)
        self._socket.close()
        if code is not None:
            return _death(code, stderr.decode("utf-8", "replace"))
        if len(self._received) > self._most:
            return f"gave an answer of more than {self._most:,} bytes"
        return f"was stopped after {_TIMEOUT:.0f} s"


def _death(code: int, text: str) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGPROF):
        return "used up its processor time"
    if code < 0:
        return f"crashed ({signal.Signals(-code).name})"
    lines = text.strip().splitlines()
    return f"failed: {lines[-1] if lines else f'exit code {code}'}"


def _library_folder(reader: str) -> Path:
    # find_spec looks without importing: LIEF must not come into this process
    spec = find_spec(reader)
    if spec is None or spec.origin is None:
        raise ToolError(
            f"the Python package {reader} is not installed",
            cause="a DLL is read by two independent libraries before it may leave the build",
            next_step=f"Install it: pip install {reader}.",
        )
    path = Path(spec.origin)
    return path.parents[1] if path.name == "__init__.py" else path.parent

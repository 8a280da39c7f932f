"""A fork of this process that works on what lies in memory, and hands its results back.

It begins with all that this process has at that moment, modules and weights included, which the
kernel copies page by page only where one of the two writes. It ends when this process ends,
whatever ends it, and leaves no clean-up of this process's to be done twice.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import stat
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from aotwin.adapters.tools.patience import Patience, Watch, processor_seconds
from aotwin.errors import ToolError
from aotwin.termination import WAIT_SECONDS, undisturbed

_PATIENCE = Patience()
_PR_SET_PDEATHSIG = 1
_ALONE = "with one job (AOTWIN_JOBS=1), which needs no such process"


class Fork:
    """A process that was forked for one job; `end` it in the end.

    Args:
        title: what it does: "generating demo.classifier", for messages.
        work: what it does with its end of the connection; its result is not used. What it
            raises reaches `receive`.

    Raises:
        OSError: there is no memory or no number for another process.
    """

    def __init__(self, title: str, work: Callable[[Connection], object]) -> None:
        self._title = title
        self._connection, theirs = Pipe()
        for stream in (sys.stdout, sys.stderr):
            # Else both would write what waits in them.
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        parent = os.getpid()
        with undisturbed(), warnings.catch_warnings():
            # From Python 3.12 on, of any thread: those that are there are aotwin's own.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
            if self._pid == 0:
                _live(parent, work, theirs)
        theirs.close()
        self._status: int | None = None

    def send(self, message: Any) -> None:
        """Hand something over.

        Raises:
            ToolError: the fork has ended.
        """
        try:
            self._connection.send(message)
        except OSError as error:
            raise self._ended() from error

    def receive(self) -> Any:
        """What the fork sends next.

        Raises:
            ToolError: it has ended, or waits for what will not come.
            Whatever was raised in it.
        """
        watch = Watch(_PATIENCE, partial(processor_seconds, self._pid))
        try:
            while not self._connection.poll(WAIT_SECONDS):
                if watch.waited(WAIT_SECONDS):
                    raise self._stuck()
            message = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if isinstance(message, _Raised):
            raise message.error
        return message

    def receive_into(self, buffer: memoryview) -> int:
        """Fill a buffer with what the fork sends next, bytes, at most as many.

        Raises:
            ToolError: it has ended.
        """
        try:
            return self._connection.recv_bytes_into(buffer)
        except (EOFError, OSError) as error:
            raise self._ended() from error

    def end(self) -> None:
        """End it where it still runs; may be called again."""
        with undisturbed():
            if self._status is None:
                os.kill(self._pid, signal.SIGKILL)
                self._status = os.waitpid(self._pid, 0)[1]

    def _ended(self) -> ToolError:
        return ToolError(
            f"the process for {self._title} ended before it was done",
            cause="it was killed, or memory ran out",
            next_step=f"Make room, or build {_ALONE}.",
        )

    def _stuck(self) -> ToolError:
        return ToolError(
            f"the process for {self._title} has done nothing for minutes",
            cause="something that the project's module has started may hold what it waits for",
            next_step=f"Build {_ALONE}.",
        )


class _Raised:
    """What was raised in a fork, where it can be handed over; else its text."""

    def __init__(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own, a moment ago
        except Exception:
            error = RuntimeError(text)
        self.error = error


def _live(parent: int, work: Callable[[Connection], object], connection: Connection) -> None:
    """All that the fork does; it never returns."""
    code = 1
    try:
        _detach(parent, connection.fileno())
        try:
            work(connection)
            code = 0
        except BaseException as error:
            connection.send(_Raised(error))
        sys.stderr.flush()
    finally:
        # Nothing is unwound: folders and locks are those of the process that has forked.
        os._exit(code)


def _detach(parent: int, kept: int) -> None:
    """Let go of what only the process that has forked has to do with."""
    os.setsid()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    # Whoever waits for the end of a pipe would wait for this process. The numbers stay taken, so
    # that whatever writes to one of them writes into nothing.
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for entry in [*Path("/proc/self/fd").iterdir()]:
        number = int(entry.name)
        with suppress(OSError):
            mode = os.fstat(number).st_mode
            if number > 2 and number != kept and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
                os.dup2(nothing, number, inheritable=False)

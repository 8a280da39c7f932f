"""Signals that ask a build to end are Ctrl-C to everything inside, so that every block cleans up.

A CI service cancels with SIGTERM, a terminal that closes sends SIGHUP; by default both end a
process on the spot, with half-written files left behind. Nothing can be done about SIGKILL: what
it leaves is removed by the next build (`aotwin.adapters.storage.files`).
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

#: the signals, and how a message calls what they did; Windows has no SIGHUP
_WORDS = {
    "SIGINT": "interrupted",
    "SIGTERM": "terminated",
    "SIGHUP": "ended with its terminal",
}
_SIGNALS = {getattr(signal, name): word for name, word in _WORDS.items() if hasattr(signal, name)}

#: Seconds after which a long wait begins anew. Python learns of a signal that comes on the very
#: threshold of a wait only when the wait has ended.
WAIT_SECONDS = 0.5


class _Ending:
    """What is known of one `terminable` block."""

    def __init__(self) -> None:
        #: the first signal
        self.received: int | None = None
        #: blocks of `undisturbed` that are open, and whether a signal waits for their end
        self.undisturbed = 0
        self.waiting = False

    def handle(self, signum: int, _: FrameType | None) -> None:
        if self.received is not None and (self.waiting or _is_unwinding()):
            return
        # One whose exception was lost (raised in a `__del__`, caught by a program) is no hindrance.
        self.received = self.received or signum
        if self.undisturbed:
            self.waiting = True
        else:
            raise KeyboardInterrupt


def _is_unwinding() -> bool:
    """Whether a clean-up is under way, which a second signal must not disturb."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


#: of the blocks that the main thread is in; Python runs signal handlers there and nowhere else
_open: list[_Ending] = []


@contextmanager
def terminable() -> Iterator[None]:
    """Let a signal that asks for the end raise KeyboardInterrupt in the block.

    Those that come while the block cleans up after it change nothing.

    Handlers are put back when the block ends, and one of another program's gets the signal then.
    Signals that are ignored (`nohup`) stay so. Outside of the main thread, where Python allows no
    handlers, nothing is changed.

    Raises:
        SystemExit: 128 + the signal's number, in place of whatever left the block after a signal,
            with one line on stderr. Also for a KeyboardInterrupt that no signal of ours raised.
    """
    ending = _Ending()
    previous: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            _open.append(ending)
            _install(ending, previous)
        yield
    except KeyboardInterrupt:
        ending.received = ending.received or signal.SIGINT
    except BaseException:
        # After a signal it is a consequence: distutils for one turns Ctrl-C into SystemExit.
        if ending.received is None:
            raise
    finally:
        ending.undisturbed += 1
        for signum, handler in previous.items():
            signal.signal(signum, handler)
        if ending in _open:
            _open.remove(ending)
    if ending.received is not None:
        _say(_SIGNALS[signal.Signals(ending.received)])
        handler = previous.get(ending.received)
        if callable(handler) and handler is not signal.default_int_handler:
            handler(ending.received, None)
        raise SystemExit(128 + ending.received)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a signal wait until the block's end: what is in it happens wholly or not at all.

    For short blocks of the main thread, in `terminable`; elsewhere it does nothing.
    """
    if not _open or threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = _open[-1]
    ending.undisturbed += 1
    try:
        yield
    finally:
        ending.undisturbed -= 1
        if ending.waiting and not ending.undisturbed:
            ending.waiting = False
            raise KeyboardInterrupt


def _install(ending: _Ending, previous: dict[int, Any]) -> None:
    """Set the handler for all signals that are not ignored, and note what was set before."""
    for signum in _SIGNALS:
        handler = signal.getsignal(signum)
        # None: a handler that Python did not set and cannot put back
        if handler is not None and handler is not signal.SIG_IGN:
            previous[signum] = handler
            signal.signal(signum, ending.handle)


def _say(word: str) -> None:
    # The terminal may be gone.
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        print(f"aotwin: {word}; nothing half-written was left", file=sys.stderr, flush=True)

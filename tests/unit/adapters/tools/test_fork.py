"""What a fork sees, what comes back from it, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from aotwin.adapters.tools import fork
from aotwin.adapters.tools.fork import Fork
from aotwin.adapters.tools.patience import Patience
from aotwin.errors import ProgramError, ToolError

#: forks, tells who it is, and waits to be killed
PARENT = """
import sys, time
from aotwin.adapters.tools.fork import Fork
forked = Fork("waiting", lambda connection: (connection.send("here"), time.sleep(600)))
forked.receive()
print(forked._pid, flush=True)
time.sleep(600)
"""


@contextmanager
def forked(work: Callable[[Connection], object]) -> Iterator[Fork]:
    made = Fork("testing", work)
    try:
        yield made
    finally:
        made.end()


def test_a_fork_works_on_what_was_in_memory_when_it_began() -> None:
    weights = bytearray(b"before")

    def work(connection: Connection) -> None:
        connection.recv()
        connection.send(bytes(weights))
        connection.send_bytes(memoryview(weights))
        weights[:] = b"inside"

    with forked(work) as made:
        weights[:] = b"behind"
        made.send("begin")
        assert made.receive() == b"before"
        buffer = memoryview(bytearray(100))
        assert buffer[: made.receive_into(buffer)] == b"before"
    assert weights == b"behind"


def test_what_is_raised_in_a_fork_is_raised_by_whoever_waits_for_it() -> None:
    def work(_: Connection) -> None:
        raise ProgramError("it cannot be lowered", cause="why", next_step="what to do")

    with forked(work) as made, pytest.raises(ProgramError) as caught:
        made.receive()
    error = caught.value
    assert (error.fact, error.cause, error.next_step) == (
        "it cannot be lowered",
        "why",
        "what to do",
    )


def test_what_cannot_be_handed_over_is_raised_as_its_traceback() -> None:
    def work(_: Connection) -> None:
        class LocalError(Exception):
            pass

        raise LocalError("of here")

    with forked(work) as made, pytest.raises(RuntimeError, match="LocalError: of here"):
        made.receive()


@pytest.mark.parametrize("act", ["receive", "receive_into"])
def test_a_fork_that_was_killed_is_one_message(act: str) -> None:
    with forked(lambda _: os.kill(os.getpid(), signal.SIGKILL)) as made:
        with pytest.raises(ToolError, match="process for testing ended before it was done"):
            made.receive() if act == "receive" else made.receive_into(memoryview(bytearray(9)))
        with pytest.raises(ToolError, match="ended before"):
            # The first may get lost on its way to one that has just gone.
            for _ in range(2):
                made.send("more")


def test_a_fork_that_waits_for_ever_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork, "_PATIENCE", Patience(waiting=0.05))
    monkeypatch.setattr(fork, "WAIT_SECONDS", 0.01)
    with (
        forked(lambda _: time.sleep(600)) as made,
        pytest.raises(ToolError, match="process for testing has done nothing"),
    ):
        made.receive()


def test_a_fork_that_ends_is_waited_for_once() -> None:
    with forked(lambda connection: connection.recv()) as made:
        made.end()
        made.end()
    assert not Path(f"/proc/{made._pid}").exists()


def test_a_fork_ends_with_the_process_that_made_it() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        made = int(parent.stdout.readline())
        assert running(made)
        parent.kill()
    until = time.monotonic() + 60
    while running(made):
        assert time.monotonic() < until, "it lives on"


def running(pid: int) -> bool:
    """Whether a process exists that has not ended; one that nobody waited for may stay known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def test_a_fork_holds_no_pipe_open() -> None:
    """Who reads a compiler's messages to their end must not wait for a fork of that moment."""
    reading, writing = os.pipe()
    with forked(lambda connection: (connection.send("here"), connection.recv())) as made:
        assert made.receive() == "here"
        os.close(writing)
        # The end: with the fork holding the other side there would be none.
        os.set_blocking(reading, False)
        assert os.read(reading, 1) == b""
    os.close(reading)


def test_what_a_fork_leaves_open_is_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        file.write("once\n")
        with forked(lambda connection: connection.send("here")) as made:
            made.receive()
    assert path.read_text() == "once\n"

"""A program that gives no sign of progress is ended; one that is slow is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aotwin.adapters.tools.patience import NoProgressError, Patience, Watch, processor_seconds
from aotwin.adapters.tools.process import run
from aotwin.errors import ToolError

MINUTE = 60.0


class Program:
    """What a watch sees of a program, minute by minute."""

    def __init__(self, patience: Patience) -> None:
        self.used = 0.0
        self.said = 0
        self._watch = Watch(patience, lambda: self.used)

    def goes_on(self, minutes: int, *, computes: float = 0.0, says: int = 0) -> str:
        """Why it was given up in the meantime."""
        for _ in range(minutes):
            self.used += computes
            self.said += says
            if reason := self._watch.waited(MINUTE, self.said):
                return reason
        return ""


@pytest.fixture
def program() -> Program:
    return Program(Patience(waiting=5 * MINUTE, computing=60 * MINUTE))


def test_one_that_waits_for_what_never_comes_is_given_up(program: Program) -> None:
    assert program.goes_on(4) == ""
    assert program.goes_on(1) == "said nothing and used no processor time for 5 minutes"


def test_one_that_says_something_now_and_then_is_waited_for(program: Program) -> None:
    for _ in range(100):
        assert program.goes_on(4) == ""
        assert program.goes_on(1, says=7) == ""


def test_one_that_uses_a_little_processor_time_is_waited_for(program: Program) -> None:
    for _ in range(11):
        assert program.goes_on(4) == ""
        assert program.goes_on(1, computes=0.01) == ""


def test_one_that_computes_for_ever_is_given_up(program: Program) -> None:
    assert program.goes_on(59, computes=2 * MINUTE) == ""
    reason = program.goes_on(1, computes=2 * MINUTE)
    assert reason == "said nothing for 60 minutes, and computed all the while"


def test_one_that_computes_and_then_waits_is_given_up(program: Program) -> None:
    assert program.goes_on(30, computes=1) == ""
    assert program.goes_on(5).startswith("said nothing and used no processor time")


def test_without_a_limit_it_may_compute_for_ever() -> None:
    assert Program(Patience()).goes_on(10_000, computes=1) == ""


#: starts a process of its own and waits with it for ever, both with the same file open
_WAITS = """
import os, signal, sys
file = os.open(sys.argv[1], os.O_WRONLY)
print("begun", flush=True)
os.fork()
signal.pause()
"""


def test_a_program_that_waits_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    command = [sys.executable, "-c", _WAITS, str(tmp_path / "pipe")]
    with pytest.raises(ToolError, match="Python was ended: it said nothing and used no") as caught:
        run(command, tool="Python", patience=Patience(waiting=3))
    ended = caught.value.__cause__
    assert isinstance(ended, NoProgressError)
    assert ended.output == "begun\n"
    # The end of a pipe comes when nobody has it open for writing.
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b""


def test_a_program_that_computes_for_ever_is_ended() -> None:
    command = [sys.executable, "-c", "while True: pass"]
    with pytest.raises(ToolError, match="for 3 seconds, and computed all the while"):
        run(command, tool="Python", patience=Patience(computing=3))


#: its child computes for as long as it is told; it waits for it
_CHILD_COMPUTES = """
import os, sys, time
if os.fork() == 0:
    while time.process_time() < float(sys.argv[1]): pass
    os._exit(0)
os.wait()
print("done")
"""


def test_a_program_whose_child_computes_is_waited_for() -> None:
    command = [sys.executable, "-c", _CHILD_COMPUTES, "6"]
    done = run(command, tool="Python", patience=Patience(waiting=3))
    assert done.stdout == "done\n"


_COMPUTES_AND_WAITS = """
import os, sys
while sum(os.times()[:2]) < 0.2:
    pass
print("computed", flush=True)
sys.stdin.read()
"""


def test_processor_time_is_that_of_a_session() -> None:
    # In this one others end meanwhile, and what they used is no longer told.
    process = subprocess.Popen(
        [sys.executable, "-c", _COMPUTES_AND_WAITS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        assert processor_seconds(process.pid) >= 0.1
    assert processor_seconds(2**30) == 0

"""How outside programs run: the share of the CPU that they get."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aotwin.adapters.tools.process import run

_GROUP = Path("/proc/self/autogroup")
#: a program that waits for a lower priority, ten seconds at most, and tells the one it has
_TELL = """
import os, pathlib, sys, time
path = pathlib.Path("/proc/self/autogroup")
group = lambda: path.read_text().split()[-1] if path.exists() else ""
began = os.getpriority(os.PRIO_PROCESS, 0), group()
end = time.monotonic() + (10 if sys.argv[1] == "waits" else 0.5)
while (os.getpriority(os.PRIO_PROCESS, 0), group()) == began and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.2)
print(os.getpriority(os.PRIO_PROCESS, 0) - int(sys.argv[2]), group())
"""


@pytest.mark.parametrize("gives_way", [True, False])
def test_priority(gives_way: bool) -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    command = [sys.executable, "-c", _TELL, "waits" if gives_way else "", str(mine)]
    result = run(command, tool="Python", gives_way=gives_way)
    lower, *group = result.stdout.split()
    assert int(lower) == (min(10, 19 - mine) if gives_way else 0)
    if _GROUP.exists():
        # Nothing else lowers it: a session begins at 0.
        assert group == ["10" if gives_way else "0"]

"""What a process and all that it starts take: wall and CPU seconds, and resident memory."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
#: seconds between two looks at the memory
_INTERVAL = 0.05


@dataclass(frozen=True)
class Cost:
    """Of one process and all that it started."""

    #: seconds
    wall: float
    cpu: float
    #: most bytes resident at a time in all of them together; files that two map count twice
    memory: int = 0
    #: most bytes resident in the first of them
    first: int = 0
    #: most bytes resident in one of the others: of a build, in a compiler
    other: int = 0


def cost_of(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Cost:
    """Run a command to its end.

    Args:
        log: gets what it prints.

    Raises:
        RuntimeError: it failed; with the end of the log.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env
        )
        memory = _Memory(process.pid)
        code = process.wait()
        wall = time.perf_counter() - start
        memory.stop()
    if code != 0:
        said = log.read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{' '.join(command)[:200]} failed:\n{said[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, memory.all, memory.first, memory.other)


class _Memory:
    """Looks at a process and its descendants until it is stopped."""

    def __init__(self, pid: int) -> None:
        self.all = self.first = self.other = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_INTERVAL):
            resident = {pid: _resident(pid) for pid in _tree(self._pid)}
            self.all = max(self.all, sum(resident.values()))
            self.first = max(self.first, resident.pop(self._pid, 0))
            self.other = max(self.other, *resident.values(), 0)


def _tree(root: int) -> Iterator[int]:
    """The process and its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            children.setdefault(_parent(entry.name), []).append(int(entry.name))
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def _parent(pid: str) -> int:
    try:
        # The name, in parentheses, may hold anything.
        fields = Path("/proc", pid, "stat").read_text(encoding="latin-1").rpartition(")")[2]
        return int(fields.split()[1])
    except (OSError, IndexError):
        return 0


def _resident(pid: int) -> int:
    try:
        return int(Path("/proc", str(pid), "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def median(costs: Sequence[Cost], field: str = "wall") -> float:
    """The median of a field."""
    return statistics.median(getattr(cost, field) for cost in costs)

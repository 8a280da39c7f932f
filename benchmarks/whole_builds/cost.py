"""What a process and all that it starts take: wall and CPU seconds, and resident memory."""

from __future__ import annotations

import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: seconds between two looks at the memory, and as many times as long as a look takes: what looks
#: runs on the CPUs of what it looks at
_INTERVAL, _SPARINGLY = 0.1, 100


@dataclass(frozen=True)
class Cost:
    """Of one process and all that it started."""

    #: seconds
    wall: float
    cpu: float
    #: most bytes resident at a time in all of them together; what several share counts once
    memory: int = 0
    #: most bytes resident in the first of them, its part of what it shares
    first: int = 0
    #: likewise in one of the others: of a build, in a compiler or a process that generates code
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
        pause = _INTERVAL
        while not self._ended.wait(pause):
            began = time.perf_counter()
            resident = {pid: _resident(pid) for pid in _tree(self._pid)}
            self.all = max(self.all, sum(resident.values()))
            self.first = max(self.first, resident.pop(self._pid, 0))
            self.other = max(self.other, *resident.values(), 0)
            pause = max(_INTERVAL, _SPARINGLY * (time.perf_counter() - began))


def _tree(root: int) -> Iterator[int]:
    """The process and its descendants that live now."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            # It has ended.
            continue


def _resident(pid: int) -> int:
    """Bytes in memory; those that it shares divided by how many share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def median(costs: Sequence[Cost], field: str = "wall") -> float:
    """The median of a field."""
    return statistics.median(getattr(cost, field) for cost in costs)

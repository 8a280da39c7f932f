"""When a program that gives no sign of progress is given up.

How long a model takes depends on the model and the machine, so no clock tells that one hangs. What
tells it is what it does not do: a program that waits for what never comes says nothing and uses no
processor time. One whose threads wait for each other in a loop does use it, as one that computes
does; there, silence alone has to be long enough.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: seconds after which what neither says nor computes anything hangs; it may read for long, but
#: that takes processor time, too
WAITING = 300.0
#: how often processor time is looked at within the time that it may stand still
_LOOKS = 10
#: of /proc/<pid>/stat, behind the name: session; time in user mode and in the kernel, in ticks
_SESSION, _USER, _KERNEL = 3, 11, 12


@dataclass(frozen=True)
class Patience:
    """Seconds without a sign of progress after which a program is ended."""

    #: without output, and without processor time
    waiting: float = WAITING
    #: without output, whatever is computed
    computing: float = math.inf


class NoProgressError(Exception):
    """Patience is at its end.

    Args:
        reason: what the program did not do, to stand behind its name.
        output: what it had written to stdout.
    """

    def __init__(self, reason: str, output: str) -> None:
        self.reason = reason
        self.output = output
        super().__init__(reason)


class Watch:
    """The progress of one program.

    Args:
        processor_seconds: tells what it has used so far.
    """

    def __init__(self, patience: Patience, processor_seconds: Callable[[], float]) -> None:
        self._patience = patience
        self._processor_seconds = processor_seconds
        self._said = 0
        self._used = 0.0
        #: seconds since anything was said, since processor time was used, since that was looked at
        self._silent = self._idle = self._unseen = 0.0

    def waited(self, seconds: float, said: int = 0) -> str:
        """Take in that it was waited for.

        Args:
            seconds: as long as the wait was meant to be: a machine that slept meanwhile, and the
                program with it, makes it no longer.
            said: how much the program has said so far, in bytes.

        Returns:
            Why it is given up, "" where it is not.
        """
        if said != self._said:
            self._said = said
            self._silent = self._idle = self._unseen = 0.0
            return ""
        self._silent += seconds
        self._idle += seconds
        self._unseen += seconds
        if self._unseen >= self._patience.waiting / _LOOKS:
            self._look()
        if self._idle >= self._patience.waiting:
            return f"said nothing and used no processor time for {_duration(self._idle)}"
        if self._silent >= self._patience.computing:
            return f"said nothing for {_duration(self._silent)}, and computed all the while"
        return ""

    def _look(self) -> None:
        used, self._unseen = self._processor_seconds(), 0.0
        # It falls where one of several processes has ended.
        if used != self._used:
            self._used, self._idle = used, 0.0


def processor_seconds(session: int) -> float:
    """What the processes of a session have used so far, as Linux tells it (proc(5))."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        # It may end in between.
        with suppress(OSError):
            # The name of a program, in parentheses, may hold anything.
            line = (process / "stat").read_bytes().rpartition(b")")[2].split()
            if int(line[_SESSION]) == session:
                ticks += int(line[_USER]) + int(line[_KERNEL])
    return ticks / os.sysconf("SC_CLK_TCK")


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"

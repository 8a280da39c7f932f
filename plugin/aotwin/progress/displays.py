"""What is shown of stages that are under way: lines now and then, or bars on a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from aotwin.progress.colors import wants_color

if TYPE_CHECKING:
    from rich.progress import Progress as Live

#: seconds without a line after which one says what is going on
SAY_EVERY = 15.0
#: seconds that a stage lasts before a bar is drawn for it
_WORTH_A_BAR = 0.5


class Shown(Protocol):
    """A stage that is under way."""

    title: str
    began: float
    done: int
    total: int | None
    unit: str


class Display(Protocol):
    """Shows stages between the lines that are printed. One thread at a time calls it."""

    #: seconds from one `show` to the next
    interval: float

    def show(self, steps: Sequence[Shown], now: float) -> None:
        """Show what is under way, `now` on the clock of `time.monotonic`."""
        ...

    def print(self, line: str) -> None:
        """Print a line that stays."""
        ...

    def clear(self) -> None:
        """Nothing is under way any more."""
        ...


class Lines:
    """For files, pipes and pip: a line at least every 15 seconds."""

    interval = 1.0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = time.monotonic()

    def show(self, steps: Sequence[Shown], now: float) -> None:
        """Say what is under way, unless something was said lately."""
        if steps and now - self._last >= SAY_EVERY:
            self.print("· still at " + "; ".join(describe(step, now) for step in steps))

    def print(self, line: str) -> None:
        """Print a line, with "?" for what the stream cannot write."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        text = line.encode(encoding, "replace").decode(encoding)
        print(text, file=self._stream, flush=True)
        self._last = time.monotonic()

    def clear(self) -> None:
        """Lines stay."""


class Bars:
    """For terminals: a bar for each stage below the lines, drawn by rich where it is installed."""

    interval = 0.2

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = Lines(stream)
        self._live: Live | None = None

    def show(self, steps: Sequence[Shown], now: float) -> None:
        """Draw the bars anew."""
        if self._live is None:
            if not any(now - step.began >= _WORTH_A_BAR for step in steps):
                return
            try:
                self._live = _live(self._stream)
            except ImportError:
                self._lines.show(steps, now)
                return
            self._live.start()
        live = self._live
        for task in live.task_ids:
            live.remove_task(task)
        for step in steps:
            live.add_task(describe(step, now), total=step.total, completed=step.done)
        live.refresh()

    def print(self, line: str) -> None:
        """Print a line above the bars."""
        if self._live is None:
            self._lines.print(line)
            return
        from rich.text import Text

        self._live.console.print(Text.from_ansi(line), soft_wrap=True, highlight=False)

    def clear(self) -> None:
        """Take the bars away."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def _live(stream: TextIO) -> Live:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    # What is described may be a file's name: no markup.
    return Progress(
        BarColumn(bar_width=16),
        TextColumn("{task.description}", markup=False),
        console=Console(file=stream, no_color=not wants_color(stream), highlight=False),
        auto_refresh=False,
        transient=True,
    )


def describe(step: Shown, now: float) -> str:
    """A stage in few words: "sysroot, 45 of 139 MB, 12 s"."""
    parts = [step.title]
    if step.unit == "bytes":
        done, total = step.done / 1e6, (step.total or 0) / 1e6
        parts.append(f"{done:,.0f} of {total:,.0f} MB" if step.total else f"{done:,.0f} MB")
    elif step.unit:
        of = "" if step.total is None else f" of {step.total:,}"
        parts.append(f"{step.done:,}{of} {step.unit}")
    return ", ".join([*parts, f"{now - step.began:.0f} s"])

"""Stages: one line each when they end, and what the long ones have done while they last."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TextIO

from aotwin.progress.colors import is_terminal, wants_color
from aotwin.progress.displays import Bars, Display, Lines
from aotwin.progress.timings import Stage


@dataclass
class Step:
    """A stage that is under way. Threads may tell it what was done."""

    title: str
    #: on the clock of `time.monotonic`
    began: float = field(default_factory=time.monotonic)
    #: bytes, or pieces of what `unit` names
    done: int = 0
    #: of all; None where nobody knows
    total: int | None = None
    #: "bytes", "sources", ...; "" where nothing is counted
    unit: str = ""
    #: a word on how it went, behind its title; "" for none
    note: str = ""
    _measure: Callable[[], int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def expect(self, total: int | None, unit: str) -> None:
        """Say what is counted from here on, and how much of it there will be."""
        with self._lock:
            self.done, self.total, self.unit, self._measure = 0, total, unit, None

    def advance(self, done: int = 1) -> None:
        """So much more is done."""
        with self._lock:
            self.done += done

    def follow(self, measure: Callable[[], int]) -> None:
        """Let what is done be measured, from another thread, whenever it is about to be shown."""
        self._measure = measure

    def look(self) -> None:
        """Measure, where there is something to measure with."""
        if self._measure is not None:
            self.done = self._measure()


_current: ContextVar[Step | None] = ContextVar("step", default=None)


def note(word: str) -> None:
    """Say a word on how the stage goes that is under way here, in its line; none: nobody hears."""
    if (step := _current.get()) is not None:
        step.note = word


@dataclass
class Progress:
    """Prints stages and remarks to one stream, and remembers the stages' seconds.

    Args:
        stream: where to print; stderr by default, so that stdout stays free for data.
        quiet: print nothing but warnings.
        display: what shows the stages that are under way; chosen by the stream.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    quiet: bool = False
    display: Display | None = None
    #: those that ended well, in that order
    stages: list[Stage] = field(default_factory=list)
    #: on the clock of `time.monotonic`
    began: float = field(default_factory=time.monotonic)
    _open: list[Step] = field(default_factory=list, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _ticker: threading.Thread | None = field(default=None, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        """Choose the display."""
        if self.display is None:
            kind = Bars if is_terminal(self.stream) else Lines
            self.display = kind(self.stream)

    @property
    def seconds(self) -> list[tuple[str, float]]:
        """(stage, wall seconds) in the order in which they ended."""
        return [(stage.title, stage.seconds) for stage in self.stages]

    @contextmanager
    def stage(self, title: str) -> Iterator[Step]:
        """Time a block and print one line when it ends well; a failure prints itself.

        What the block tells the step is shown while it lasts.
        """
        step = Step(title)
        self._enter(step)
        outer = _current.set(step)
        try:
            yield step
        except BaseException:
            self._leave(step)
            raise
        finally:
            _current.reset(outer)
        elapsed = time.monotonic() - step.began
        with self._lock:
            self.stages.append(Stage(title, step.began - self.began, elapsed))
            self._leave(step)
            if not self.quiet:
                line = f"{title} ({step.note})" if step.note else title
                self._print(f"{self._style('✓', '32')} {line:<56} {elapsed:7.1f} s")

    def remark(self, text: str) -> None:
        """One line of plain talk, before a wait for instance."""
        if not self.quiet:
            self._print(f"{self._style('·', '2')} {text}")

    def result(self, lines: list[str]) -> None:
        """The last words of a build: what was made, then what there is to know and to do."""
        if not self.quiet:
            first, *others = lines
            self._print("\n".join([self._style(first, "1"), *(f"  {line}" for line in others)]))

    def command(self, line: str) -> None:
        """A command that is about to run."""
        self._print(f"{self._style('$', '36')} {line}")

    def warn(self, text: str) -> None:
        """Something the user should know but that stops nothing; printed even when quiet."""
        self._print(f"{self._style('aotwin: warning:', '33')} {text}")

    def _enter(self, step: Step) -> None:
        with self._lock:
            self._open.append(step)
            if not self.quiet and self._ticker is None:
                self._ended = threading.Event()
                self._ticker = threading.Thread(
                    target=self._tick, args=(self._ended,), name="aotwin-progress", daemon=True
                )
                self._ticker.start()

    def _leave(self, step: Step) -> None:
        with self._lock:
            self._open.remove(step)
            if not self._open and self._ticker is not None:
                self._ended.set()
                self._ticker = None
                assert self.display is not None
                self.display.clear()

    def _tick(self, ended: threading.Event) -> None:
        assert self.display is not None
        while not ended.wait(self.display.interval):
            with self._lock:
                if ended.is_set():
                    return
                for step in self._open:
                    step.look()
                self.display.show(self._open, time.monotonic())

    def _print(self, line: str) -> None:
        assert self.display is not None
        with self._lock:
            self.display.print(line)

    def _style(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if wants_color(self.stream) else text

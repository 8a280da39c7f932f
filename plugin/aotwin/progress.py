"""Talk to the person who waits: one line per stage with its seconds, on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Progress:
    """Prints stages and remarks to one stream, and remembers the stages' seconds.

    Args:
        stream: where to print; stderr by default, so that stdout stays free for data.
        quiet: print nothing but warnings.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    quiet: bool = False
    #: (stage, wall seconds) in the order in which they ended
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Time a block and print one line when it ends well; a failure prints itself."""
        start = time.monotonic()
        yield
        elapsed = time.monotonic() - start
        self.seconds.append((title, elapsed))
        if not self.quiet:
            self._print(f"{self._style('✓', '32')} {title:<56} {elapsed:7.1f} s")

    def remark(self, text: str) -> None:
        """One line of plain talk, before a wait for instance."""
        if not self.quiet:
            self._print(f"{self._style('·', '2')} {text}")

    def warn(self, text: str) -> None:
        """Something the user should know but that stops nothing; printed even when quiet."""
        self._print(f"{self._style('aotwin: warning:', '33')} {text}")

    def _print(self, line: str) -> None:
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        print(line.encode(encoding, "replace").decode(encoding), file=self.stream, flush=True)

    def _style(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if wants_color(self.stream) else text


def wants_color(stream: TextIO) -> bool:
    """NO_COLOR (no-color.org) beats FORCE_COLOR, which beats being a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty()

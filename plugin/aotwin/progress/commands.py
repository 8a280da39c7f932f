"""`-v`: the commands of outside programs, each printed before it runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aotwin.progress.stages import Progress

#: where the adapter that runs programs says each command, as a line for a shell
COMMANDS = logging.getLogger("aotwin.commands")
# Whatever a program makes of the root logger: commands are printed on request only, and once.
COMMANDS.setLevel(logging.WARNING)
COMMANDS.propagate = False


class _Printed(logging.Handler):
    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.command(record.getMessage())


@contextmanager
def commands_shown(progress: Progress, wanted: bool = True) -> Iterator[None]:
    """Print the commands that run within the block, whatever thread runs them.

    Args:
        wanted: False changes nothing.
    """
    if not wanted:
        yield
        return
    handler, level = _Printed(progress), COMMANDS.level
    COMMANDS.addHandler(handler)
    COMMANDS.setLevel(logging.INFO)
    try:
        yield
    finally:
        COMMANDS.removeHandler(handler)
        COMMANDS.setLevel(level)

"""What several commands take: how much they say."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from aotwin.progress import Progress, commands_shown

#: what a command adds its parser to
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_talk(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="print nothing but the result")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print the commands that are run"
    )


@contextmanager
def talk(options: argparse.Namespace) -> Iterator[Progress]:
    progress = Progress(quiet=options.quiet)
    with commands_shown(progress, options.verbose):
        yield progress

"""The command line: `aotwin` and `python -m aotwin`.

Data on stdout, talk on stderr; exit code 0, 1 (failed) or 2 (usage).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from aotwin.cli import build, cache, check, doctor, report, run, toolchain, verify
from aotwin.errors import AotwinError
from aotwin.termination import terminable
from aotwin.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code. The boundary for errors of the family.

    Raises:
        SystemExit: 2 for wrong usage; 128 + its number for a signal that asked for the end.
    """
    options = _parser().parse_args(arguments)
    with terminable():
        return _run_command(options)


def _run_command(options: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read stdout (head, less) has gone; what Python would still flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except AotwinError as error:
        print(f"aotwin: error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aotwin",
        description="From a PyTorch model on Linux to a Windows package.",
    )
    parser.add_argument("--version", action="version", version=f"aotwin {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (build, check, report, run, verify, doctor, toolchain, cache):
        command.add(commands)
    return parser

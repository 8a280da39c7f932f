"""For shell scripts: python -m windows_on_wine setup | python ARGUMENTS... | path PATH.

`python-without-torch` is `python` where torch is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from aotwin.adapters.tools.wine import windows_path
from aotwin.errors import AotwinError, UsageError
from windows_on_wine.environment import ensure


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    match arguments:
        case ["setup"]:
            print(ensure().home)
            return 0
        case [("python" | "python-without-torch") as which, *rest]:
            windows = ensure() if which == "python" else ensure().without_torch
            return windows.session.relay([windows_path(windows.executable), *rest])
        case ["path", path]:
            print(windows_path(Path(path)))
            return 0
    raise UsageError(
        "usage: python -m windows_on_wine setup | python ARGUMENTS... |"
        " python-without-torch ARGUMENTS... | path PATH",
        next_step="setup builds the environment and prints its folder, python runs its python.exe,"
        " path prints the Windows spelling of a path.",
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except AotwinError as error:
        print(f"windows_on_wine: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)

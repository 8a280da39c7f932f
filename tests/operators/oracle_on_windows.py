"""Runs all cases through a DLL in the Windows Python under Wine.

python tests/operators/oracle_on_windows.py LIBRARY.dll CASES.npz REPORT.jsonl [--only NAME]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from oracle import run_all, summary

from windows_on_wine import ensure


def run_on_windows(library: Path, cases: Path, report: Path, more: Sequence[str] = ()) -> None:
    """Run them all; the report is written as by `run_all`."""
    windows = ensure()

    def start(arguments: Sequence[str]) -> int:
        # the runner's own path is spelled for Windows too
        script, *rest = arguments
        done = windows.python(
            [windows.path(Path(script).absolute()), *rest], timeout=3600, check=False
        )
        if done.returncode != 0:
            print(done.stderr[-2000:], file=sys.stderr)
        return done.returncode

    run_all(
        start,
        windows.path(library.absolute()),
        windows.path(cases.absolute()),
        report.absolute(),
        more,
        spelled=windows.path,
    )


if __name__ == "__main__":
    dll, file, output, *rest = sys.argv[1:]
    run_on_windows(Path(dll), Path(file), Path(output), rest)
    print(summary(Path(output)))

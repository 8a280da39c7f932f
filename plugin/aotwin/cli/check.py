"""`aotwin check`: what is wrong with DLLs, models, wheels and archives."""

from __future__ import annotations

import argparse
from pathlib import Path

from aotwin.cli.options import Commands


def add(commands: Commands) -> None:
    check = commands.add_parser("check", help="check DLLs, folders with models, wheels, .pt2")
    check.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    check.add_argument("--full", action="store_true", help="hash the weights as well")
    check.add_argument("--json", action="store_true", help="print one JSON report a path")
    check.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from aotwin.checking import check_all

    passed = True
    for report in check_all(options.paths, full=options.full):
        print(report.to_json() if options.json else report.to_text())
        passed = passed and bool(report)
    return 0 if passed else 1

"""`aotwin report`: a page about what was built."""

from __future__ import annotations

import argparse
from pathlib import Path

from aotwin.cli.options import Commands


def add(commands: Commands) -> None:
    report = commands.add_parser(
        "report", help="write an HTML page about a model, a wheel: what is inside, checked, proven"
    )
    report.add_argument("path", type=Path, metavar="PATH")
    report.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    report.add_argument("--full", action="store_true", help="hash the weights as well")
    report.add_argument(
        "--timings", type=Path, metavar="FILE", help="the build's stages, as it wrote them"
    )
    report.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from aotwin.reporting import read_timings, write_report

    stages, total = read_timings(options.timings) if options.timings is not None else ((), 0.0)
    passed = write_report(
        options.path, options.output, stages=stages, total=total, full=options.full
    )
    print(options.output)
    return 0 if passed else 1

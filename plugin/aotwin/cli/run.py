"""`aotwin run`: a built model's results, from arrays in files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aotwin.cli.options import Commands


def add(commands: Commands) -> None:
    run = commands.add_parser("run", help="run a built model: on Windows, or on Linux through Wine")
    run.add_argument("directory", type=Path, metavar="DIR", help="a built model's folder")
    run.add_argument(
        "-i", "--input", action="append", type=Path, default=[], metavar="FILE.npy",
        help="one of the model's inputs, in its order",
    )  # fmt: skip
    run.add_argument("-o", "--output", type=Path, metavar="DIR", help="write results as .npy here")
    run.add_argument("--repeat", type=_positive, default=1, metavar="N", help="calls a thread")
    run.add_argument("--threads", type=_positive, default=1, metavar="N", help="at the same time")
    run.add_argument(
        "--describe", action="store_true", help="print inputs and outputs, run nothing"
    )
    run.add_argument("--json", action="store_true", help="print one JSON object")
    run.add_argument("--torch", type=Path, metavar="DIR", help="the folder of torch_cpu.dll")
    run.add_argument("--sdk", type=Path, metavar="DIR", help="an SDK with aotwin-run.exe")
    run.set_defaults(command=_run)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _run(options: argparse.Namespace) -> int:
    from aotwin.stages.run import RunOptions, run_model

    wanted = RunOptions(
        output=options.output,
        repeat=options.repeat,
        threads=options.threads,
        describe=options.describe,
        json=options.json,
    )
    report = run_model(
        options.directory, options.input, wanted, torch=options.torch, sdk=options.sdk
    )
    sys.stdout.write(report.stdout)
    sys.stderr.write(report.stderr)
    return report.exit_code

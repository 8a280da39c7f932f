"""`aotwin verify`: built models, proven again."""

from __future__ import annotations

import argparse
from pathlib import Path

from aotwin.cli.options import Commands


def add(commands: Commands) -> None:
    verify = commands.add_parser(
        "verify", help="prove built models again: on Windows, or on Linux through Wine"
    )
    verify.add_argument("path", type=Path, metavar="DIR|WHEEL")
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from aotwin.verifying import verify

    return 0 if verify(options.path) else 1

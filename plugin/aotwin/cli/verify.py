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
    verify.add_argument("--json", action="store_true", help="print one JSON report")
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from aotwin.verifying import verified_model, verify

    runs = verify(options.path)
    if options.json:
        from aotwin.formats.verification import render_verification

        models = [verified_model(*each) for each in runs]
        print(render_verification(str(options.path), models))
        return 0 if all(models) else 1
    codes = []
    for kept, outcomes in runs:
        # It needs numpy, of which `verify` has made sure.
        from aotwin.payload.verify import told

        codes.append(told(kept, outcomes))
    return 1 if any(codes) else 0

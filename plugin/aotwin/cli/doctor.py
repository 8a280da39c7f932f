"""`aotwin doctor`: what this machine has and lacks."""

from __future__ import annotations

import argparse
import json

from aotwin.cli.options import Commands


def add(commands: Commands) -> None:
    doctor = commands.add_parser("doctor", help="say what this machine has and lacks")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from aotwin.doctor import examine

    rows = examine()
    if options.json:
        print(json.dumps({"version": 1, "checks": [row.__dict__ for row in rows]}, indent=1))
    else:
        for row in rows:
            print(f"{'ok ' if row.ok else 'NO '} {row.what:<22} {row.found}")
            if not row.ok:
                print(f"    {row.next_step}")
    return 0 if all(row.ok or not row.required for row in rows) else 1

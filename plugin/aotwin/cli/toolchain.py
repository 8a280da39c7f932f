"""`aotwin toolchain`: what builds need once per machine, and pins of other torches."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from aotwin.cli.options import Commands, add_talk, talk


def add(commands: Commands) -> None:
    toolchain = commands.add_parser(
        "toolchain", help="fetch, move, list or clean what is cached; pin another torch"
    )
    actions = toolchain.add_subparsers(required=True, metavar="fetch|pin|export|import|list|clean")
    fetch = actions.add_parser(
        "fetch", help="fetch the sysroot and compile now what a machine compiles once"
    )
    fetch.add_argument("--target", default="windows")
    fetch.add_argument(
        "--torch", default="", metavar="VERSION", help="whose sysroot (default: the newest's)"
    )
    add_talk(fetch)
    fetch.set_defaults(command=_toolchain_fetch)
    pin = actions.add_parser(
        "pin", help="pin another torch: fetch, compile and open a probe model, compare"
    )
    pin.add_argument("requirement", metavar="torch==VERSION")
    pin.add_argument("--target", default="windows")
    pin.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="where the pin file goes, to be named by AOTWIN_SYSROOTS (default: aotwin's own)",
    )  # fmt: skip
    pin.add_argument("--check", choices=("static", "wine"), default="wine")
    add_talk(pin)
    pin.set_defaults(command=_toolchain_pin)
    export = actions.add_parser(
        "export", help="compile zig's C++ run time anew, into an archive with aotwin's own"
    )
    export.add_argument("archive", type=Path, metavar="FILE")
    export.add_argument("--target", default="windows")
    export.add_argument(
        "--torch", action="append", default=[], metavar="VERSION", dest="torches",
        help="also put in the sysroot of this torch, for machines without a network; repeatable",
    )  # fmt: skip
    add_talk(export)
    export.set_defaults(command=_toolchain_export)
    importing = actions.add_parser("import", help="lay out an archive of export in the cache")
    importing.add_argument("archive", type=Path, metavar="FILE")
    importing.add_argument("--target", default="windows")
    importing.add_argument("--sha256", default="", metavar="HEX", help="what the archive must have")
    add_talk(importing)
    importing.set_defaults(command=_toolchain_import)
    actions.add_parser("list", help="list what is cached").set_defaults(command=_toolchain_list)
    actions.add_parser("clean", help="remove the cache").set_defaults(command=_toolchain_clean)


def _toolchain_fetch(options: argparse.Namespace) -> int:
    from aotwin.pipeline.toolchain import fetch_toolchain

    with talk(options) as progress:
        print(fetch_toolchain(options.target, torch=options.torch, progress=progress))
    return 0


def _toolchain_pin(options: argparse.Namespace) -> int:
    from aotwin.pinning import pin_torch

    with talk(options) as progress:
        report = pin_torch(
            options.requirement,
            options.output,
            target=options.target,
            check=options.check,
            progress=progress,
        )
    print(report.path)
    print(report.to_text(), file=sys.stderr)
    return 0 if report else 1


def _toolchain_export(options: argparse.Namespace) -> int:
    from aotwin.warm_archive import export_toolchain

    with talk(options) as progress:
        digest = export_toolchain(
            options.archive.absolute(),
            target=options.target,
            jobs=len(os.sched_getaffinity(0)),
            progress=progress,
            torches=options.torches,
        )
    print(f"{digest}  {options.archive}")
    return 0


def _toolchain_import(options: argparse.Namespace) -> int:
    from aotwin.warm_archive import import_toolchain

    with talk(options) as progress:
        taken = import_toolchain(
            options.archive.absolute(),
            target=options.target,
            sha256=options.sha256,
            progress=progress,
        )
        if not taken:
            progress.warn(
                "zig took nothing of the archive and has built its C++ run time anew: export it "
                "again, with this version of ziglang"
            )
    return 0


def _toolchain_list(_: argparse.Namespace) -> int:
    from aotwin.adapters.storage.cache import cache_dir, cached

    for entry in cached():
        print(f"{entry.nbytes >> 20:>7} MB  {entry.path.relative_to(cache_dir())}")
    return 0


def _toolchain_clean(_: argparse.Namespace) -> int:
    from aotwin.adapters.storage.cache import clean

    print(f"{clean() >> 20} MB removed")
    return 0

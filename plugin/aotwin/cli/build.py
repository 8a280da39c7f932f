"""`aotwin build`: one model into a folder, or an archive for torch's own loader."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aotwin.cli.options import Commands, add_talk, talk
from aotwin.configuration.checkers import CHECKS, RUN_TIMES
from aotwin.errors import UsageError
from aotwin.progress import Progress

if TYPE_CHECKING:
    from aotwin.target.toolchain import Toolchain


def add(commands: Commands) -> None:
    build = commands.add_parser("build", help="build one model into a folder")
    build.add_argument(
        "source",
        help="module:attribute, a file of torch.export.save, or a ready wrapper (.pt2 or folder)",
    )
    build.add_argument("-o", "--output", required=True, type=Path, metavar="DIR")
    build.add_argument("--name", help="dotted package name (default: from the source's name)")
    build.add_argument("--target", default="windows")
    build.add_argument("--cpu", action="append", help="CPU level, repeated for several")
    build.add_argument(
        "--runtime",
        choices=RUN_TIMES,
        default="auto",
        help="own: no torch on Windows; auto (the default): own where it has every operator",
    )
    build.add_argument(
        "--torch", default="", metavar="VERSION", help="what generated a ready wrapper: 2.12.1"
    )
    build.add_argument("--check", choices=CHECKS, default="static")
    build.add_argument(
        "--proof", metavar="SAMPLES",
        help="for --check run: module:attribute of a list of (args, kwargs), or an .npz for a "
        "ready wrapper (default: the program's example inputs)",
    )  # fmt: skip
    build.add_argument(
        "--format",
        choices=("folder", "pt2"),
        default="folder",
        help="a folder for any host, or an archive for torch's own Windows loader",
    )
    build.add_argument("--sdk", type=Path, metavar="DIR", help="write the SDK for C and C++ here")
    build.add_argument(
        "--timings", type=Path, metavar="FILE", help="write the seconds of each stage as JSON"
    )
    add_talk(build)
    build.set_defaults(command=_build)


def _build(options: argparse.Namespace) -> int:
    from aotwin.reporting import write_timings

    with talk(options) as progress:
        made, last_words = _built(options, progress)
    if options.timings is not None:
        write_timings(options.timings, progress)
    progress.result(last_words)
    print(made)
    return 0


def _built(options: argparse.Namespace, progress: Progress) -> tuple[Path, list[str]]:
    """What was built, and what there is to say about it in the end."""
    from aotwin.target.toolchain import load_toolchain

    toolchain = load_toolchain(options.target)
    asked = _Asked(
        options,
        options.name or default_name(options.source),
        toolchain,
        tuple(options.cpu or (toolchain.default_cpu,)),
        progress,
    )
    return _archive(asked) if options.format == "pt2" else _folder(asked)


@dataclass(frozen=True)
class _Asked:
    """What the command line asks for, defaults filled in."""

    options: argparse.Namespace
    name: str
    toolchain: Toolchain
    cpus: tuple[str, ...]
    progress: Progress

    @property
    def keywords(self) -> dict[str, Any]:
        """What both kinds of build take."""
        return {
            "name": self.name,
            "target": self.toolchain.name,
            "progress": self.progress,
            "check": self.options.check,
            "torch": self.options.torch,
            "proof": self.options.proof,
        }


def _archive(asked: _Asked) -> tuple[Path, list[str]]:
    from aotwin.outcome import outcome
    from aotwin.pipeline.archive import build_pt2

    options, cpus = asked.options, asked.cpus
    if options.runtime == "own":
        raise UsageError(
            "--format pt2 takes no --runtime own",
            cause="torch's own loader opens the archive, and hands torch's tensors to the DLL",
            next_step="Build a folder, or leave --runtime out.",
        )
    if len(cpus) > 1 or options.sdk is not None:
        raise UsageError(
            "--format pt2 takes one --cpu and no --sdk",
            cause="an archive for torch's loader holds one DLL and nothing else",
            next_step="Build a folder, or one archive for each cpu.",
        )
    path = build_pt2(options.source, options.output, cpu=cpus[0], **asked.keywords)
    loading = f'torch._inductor.aoti_load_package("{path.name}"), on Windows'
    return path, outcome(path.name, path.stat().st_size, [], loading)


def _folder(asked: _Asked) -> tuple[Path, list[str]]:
    from aotwin.outcome import outcome, read_manifest
    from aotwin.pipeline.model import build_model

    options = asked.options
    built = build_model(
        options.source, options.output, cpu=asked.cpus, runtime=options.runtime, **asked.keywords
    )
    if options.sdk is not None:
        _write_sdk(built.directory, options.sdk, asked.toolchain)
    nbytes = sum(path.stat().st_size for path in built.directory.rglob("*") if path.is_file())
    running = f"aotwin run {shlex.quote(os.path.relpath(built.directory))} --describe"
    manifests = [read_manifest(built.manifest)]
    return built.directory, outcome(os.path.relpath(built.directory), nbytes, manifests, running)


def _write_sdk(model: Path, folder: Path, toolchain: Toolchain) -> None:
    from aotwin.adapters.tools.zig import find_zig
    from aotwin.stages.sdk import write_sdk

    write_sdk(model, folder.absolute(), toolchain=toolchain, zig=find_zig())


def default_name(source: str) -> str:
    """A package name from a source's spelling: "export:net" -> net, "a/clf.pt2" -> clf.

    Raises:
        UsageError: it gives no Python identifier.
    """
    last = source.rpartition(":")[2] if ":" in source else Path(source).name.partition(".")[0]
    name = last.rpartition(".")[2].replace("-", "_")
    if not name.isidentifier():
        raise UsageError(
            f"no package name can be made from {source!r}",
            cause=f"{name!r} is no Python identifier",
            next_step="Say --name demo.classifier.",
        )
    return name

"""The command line: `aotwin` and `python -m aotwin`.

Data on stdout, talk on stderr; exit code 0, 1 (failed) or 2 (usage).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aotwin.configuration.checkers import CHECKS, RUN_TIMES
from aotwin.errors import AotwinError, UsageError
from aotwin.progress import Progress, commands_shown
from aotwin.termination import terminable
from aotwin.version import __version__

if TYPE_CHECKING:
    from aotwin.target.toolchain import Toolchain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code. The boundary for errors of the family.

    Raises:
        SystemExit: 2 for wrong usage; 128 + its number for a signal that asked for the end.
    """
    options = _parser().parse_args(arguments)
    with terminable():
        return _run_command(options)


def _run_command(options: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read stdout (head, less) has gone; what Python would still flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except AotwinError as error:
        print(f"aotwin: error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aotwin",
        description="From a PyTorch model on Linux to a Windows package.",
    )
    parser.add_argument("--version", action="version", version=f"aotwin {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_build(commands)
    _add_check(commands)
    _add_report(commands)
    _add_run(commands)
    _add_verify(commands)
    _add_doctor(commands)
    _add_toolchain(commands)
    _add_cache(commands)
    return parser


def _add_build(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    _add_talk(build)
    build.set_defaults(command=_build)


def _add_talk(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="print nothing but the result")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print the commands that are run"
    )


@contextmanager
def _talk(options: argparse.Namespace) -> Iterator[Progress]:
    progress = Progress(quiet=options.quiet)
    with commands_shown(progress, options.verbose):
        yield progress


def _build(options: argparse.Namespace) -> int:
    from aotwin.pipeline import write_timings

    with _talk(options) as progress:
        made, last_words = _built(options, progress)
    if options.timings is not None:
        write_timings(options.timings, progress)
    progress.result(last_words)
    print(made)
    return 0


def _built(options: argparse.Namespace, progress: Progress) -> tuple[Path, list[str]]:
    """What was built, and what there is to say about it in the end."""
    from aotwin.outcome import outcome, read_manifest
    from aotwin.pipeline import build_model, build_pt2
    from aotwin.target.toolchain import load_toolchain

    toolchain = load_toolchain(options.target)
    name = options.name or default_name(options.source)
    cpus = tuple(options.cpu or (toolchain.default_cpu,))
    if options.format == "pt2":
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
        path = build_pt2(
            options.source,
            options.output,
            name=name,
            target=toolchain.name,
            cpu=cpus[0],
            progress=progress,
            check=options.check,
            torch=options.torch,
            proof=options.proof,
        )
        loading = f'torch._inductor.aoti_load_package("{path.name}"), on Windows'
        return path, outcome(path.name, path.stat().st_size, [], loading)
    built = build_model(
        options.source,
        options.output,
        name=name,
        target=toolchain.name,
        cpu=cpus,
        progress=progress,
        check=options.check,
        runtime=options.runtime,
        torch=options.torch,
        proof=options.proof,
    )
    if options.sdk is not None:
        _write_sdk(built.directory, options.sdk, toolchain)
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


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = commands.add_parser(
        "verify", help="prove built models again: on Windows, or on Linux through Wine"
    )
    verify.add_argument("path", type=Path, metavar="DIR|WHEEL")
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from aotwin.verifying import verify

    return 0 if verify(options.path) else 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_toolchain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    toolchain = commands.add_parser(
        "toolchain", help="fetch, move, list or clean what is cached; pin another torch"
    )
    actions = toolchain.add_subparsers(required=True, metavar="fetch|pin|export|import|list|clean")
    fetch = actions.add_parser("fetch", help="fetch the sysroot and build zig's C++ run time now")
    fetch.add_argument("--target", default="windows")
    fetch.add_argument(
        "--torch", default="", metavar="VERSION", help="whose sysroot (default: the newest's)"
    )
    _add_talk(fetch)
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
    _add_talk(pin)
    pin.set_defaults(command=_toolchain_pin)
    export = actions.add_parser(
        "export", help="compile zig's C++ run time anew, into an archive with aotwin's own"
    )
    export.add_argument("archive", type=Path, metavar="FILE")
    export.add_argument("--target", default="windows")
    _add_talk(export)
    export.set_defaults(command=_toolchain_export)
    importing = actions.add_parser("import", help="lay out an archive of export in the cache")
    importing.add_argument("archive", type=Path, metavar="FILE")
    importing.add_argument("--target", default="windows")
    importing.add_argument("--sha256", default="", metavar="HEX", help="what the archive must have")
    _add_talk(importing)
    importing.set_defaults(command=_toolchain_import)
    actions.add_parser("list", help="list what is cached").set_defaults(command=_toolchain_list)
    actions.add_parser("clean", help="remove the cache").set_defaults(command=_toolchain_clean)


def _toolchain_fetch(options: argparse.Namespace) -> int:
    from aotwin.pipeline import fetch_toolchain

    with _talk(options) as progress:
        print(fetch_toolchain(options.target, torch=options.torch, progress=progress))
    return 0


def _toolchain_pin(options: argparse.Namespace) -> int:
    from aotwin.pinning import pin_torch

    with _talk(options) as progress:
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

    with _talk(options) as progress:
        digest = export_toolchain(
            options.archive.absolute(),
            target=options.target,
            jobs=len(os.sched_getaffinity(0)),
            progress=progress,
        )
    print(f"{digest}  {options.archive}")
    return 0


def _toolchain_import(options: argparse.Namespace) -> int:
    from aotwin.warm_archive import import_toolchain

    with _talk(options) as progress:
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


def _add_cache(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cache = commands.add_parser("cache", help="show or clear the results that builds remember")
    actions = cache.add_subparsers(required=True, metavar="show|clear")
    show = actions.add_parser("show", help="say what is kept, and where")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    show.set_defaults(command=_cache_show)
    actions.add_parser("clear", help="forget all results").set_defaults(command=_cache_clear)


def _cache_show(options: argparse.Namespace) -> int:
    from aotwin.adapters.storage import results, shared_results

    kept, bound, shared = results.kept(), results.max_nbytes(), shared_results.described()
    if options.json:
        facts = {
            "version": 1,
            "folder": str(results.results_dir()),
            "enabled": results.enabled(),
            "max_nbytes": bound,
            "shared": shared,
            "kinds": [each.__dict__ for each in kept],
        }
        print(json.dumps(facts, indent=1))
        return 0
    total = sum(each.nbytes for each in kept)
    used = f"{total >> 20:,} MB of {bound >> 20:,} MB" if bound else f"{total >> 20:,} MB, no bound"
    print(f"{results.results_dir()}: {used}{'' if results.enabled() else ', not used'}")
    for each in kept:
        about = results.KINDS[each.kind]
        print(f"{each.nbytes >> 20:>7} MB {each.count:>6}  {each.kind:<9} {about}")
    if shared:
        print(f"shared: {shared}")
    return 0


def _cache_clear(_: argparse.Namespace) -> int:
    from aotwin.adapters.storage.results import clear

    print(f"{clear() >> 20} MB removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

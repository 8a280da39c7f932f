"""How long a model's weights take to be ready, in a C host and in Windows' Python, under Wine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_cache
from results import Row, median
from synthetic import WIDTH, Built, write_archive

from aotwin.adapters.zig import find_zig
from aotwin.toolchain import load_toolchain
from windows_on_wine import WindowsPython

Sample = dict[str, float]

HERE = Path(__file__).resolve().parent
#: the C API that hosts call, and what Windows tells of a process
HOST_HEADERS = HERE.parent / "tests" / "windows" / "hosts"
#: two runs of the same code on the same bytes
_SAME = 1e-6
_COPYING = "UpdateConstantsFromBlob"


def build_host(directory: Path) -> Path:
    """Compile load_host.c for Windows."""
    program = directory / "load_host.exe"
    flags = ["-target", load_toolchain("windows").triple, "-municode", "-O2", "-s"]
    source = HERE / "load_host.c"
    command = ["cc", *flags, f"-I{HOST_HEADERS}", str(source), "-o", str(program)]
    find_zig().run(command, cwd=directory, doing=f"compiling {source.name}")
    return program


class CHost:
    """Loads models in one Windows process each."""

    def __init__(self, windows: WindowsPython, directory: Path) -> None:
        self._windows = windows
        self._program = build_host(directory)

    def load(self, dll: Path, blob: Path | None = None) -> Sample:
        """Load and run a model twice; hand `blob` over where it is given. Seconds and bytes."""
        torch = self._windows.torch_lib / "torch_cpu.dll"
        arguments: list[str | Path] = [torch, dll, str(WIDTH)]
        done = self._windows.exe(self._program, [*arguments, *([blob] if blob else [])])
        told: Sample = json.loads(done.stdout)
        return told


def in_c(host: CHost, built: Built, alone: Path, case: str, repeats: int) -> list[Row]:
    """Ready time, private memory and first run, against the copying way.

    Args:
        host: the C host.
        built: the model, its blob beside the DLL.
        alone: an empty folder for the DLL without its blob.
        case: what the table calls this size.
        repeats: processes for each figure.
    """
    dll = Path(shutil.copy(built.dll, alone))
    blob = built.model.blob
    page_cache.fill(blob)
    # Turn by turn, so that both see the same other load of the machine.
    mapped, copied = _in_turns(lambda: host.load(built.dll), lambda: host.load(dll, blob), repeats)
    rows = [
        _ready(mapped, copied, case),
        _first_run(mapped, copied, f"{case}, warm"),
    ]

    def cold(dll: Path, blob_given: Path | None) -> Callable[[], Sample]:
        def measure() -> Sample:
            page_cache.drop(blob)
            return host.load(dll, blob_given)

        return measure

    mapped_cold, copied_cold = _in_turns(
        cold(built.dll, None), cold(dll, blob), max(3, repeats // 2)
    )
    rows.append(_first_run(mapped_cold, copied_cold, f"{case}, cold"))
    return rows


def private_memory(host: CHost, built: Built, plain: Built, alone: Path, case: str) -> Row:
    """Private memory after load, against a model without weights; the copying way for comparison."""
    dll = Path(shutil.copy(built.dll, alone))
    ours = host.load(built.dll)["private_after"]
    without = host.load(plain.dll)["private_after"]
    copied = host.load(dll, built.model.blob)["private_after"]
    return Row(
        "private memory after load, over a model without weights",
        case,
        (ours - without) / 1e6,
        (copied - without) / 1e6,
        "MB",
        _COPYING,
        "at most 40 MB",
        ours - without <= 40e6,
        {"mapped": ours, "copied": copied, "without_weights": without},
    )


def in_python(
    windows: WindowsPython, built: Built, directory: Path, case: str, repeats: int
) -> Row:
    """`load()` of the model's package against `aoti_load_package`, torch imported already.

    Args:
        windows: the environment.
        built: a model built to `directory/<name>`.
        directory: also for the archive, and what torch's loader extracts.
        case: what the table calls this size.
        repeats: processes for each way.
    """
    folder = built.model.directory
    archive = write_archive(built, directory / f"{folder.name}.pt2")
    temporary = directory / "extracted"

    def run(*arguments: str | Path) -> Sample:
        temporary.mkdir()
        try:
            spelled = windows.path(temporary)
            done = windows.python(
                [HERE / "load_in_python.py", *arguments], env={"TEMP": spelled, "TMP": spelled}
            )
        finally:
            # torch's loader leaves a copy of the weights behind.
            shutil.rmtree(temporary)
        told: Sample = json.loads(done.stdout.splitlines()[-1])
        return told

    ours, theirs = _in_turns(
        lambda: run("package", folder.parent, folder.name),
        lambda: run("archive", archive),
        repeats,
    )
    os.unlink(archive)
    return _row(
        "`load()` from Python, torch imported",
        case,
        ours,
        theirs,
        ("load",),
        "aoti_load_package",
        "at most 50 ms",
        lambda measured, _: measured <= 0.050,
    )


def _in_turns(
    first: Callable[[], Sample], second: Callable[[], Sample], repeats: int
) -> tuple[list[Sample], list[Sample]]:
    """Both measurements in turns, after one of each that does not count; same results required."""
    found: tuple[list[Sample], list[Sample]] = ([], [])
    for turn in range(repeats + 1):
        for samples, measure in zip(found, (first, second), strict=True):
            sample = measure()
            if turn:
                samples.append(sample)
    outputs = [sample["output"] for samples in found for sample in samples]
    if max(outputs) - min(outputs) > _SAME:
        raise RuntimeError(f"the ways to load give different results: {outputs}")
    return found


def _ready(mapped: list[Sample], copied: list[Sample], case: str) -> Row:
    return _row(
        "weights ready, C host",
        case,
        mapped,
        copied,
        ("ready",),
        _COPYING,
        "at most 5 ms",
        lambda measured, _: measured <= 0.005,
    )


def _first_run(mapped: list[Sample], copied: list[Sample], case: str) -> Row:
    return _row(
        "load + first run, C host",
        case,
        mapped,
        copied,
        ("library", "ready", "first_run"),
        _COPYING,
        "never slower",
        lambda measured, reference: measured <= reference,
    )


def _row(
    what: str,
    case: str,
    ours: list[Sample],
    theirs: list[Sample],
    fields: tuple[str, ...],
    reference_name: str,
    target: str,
    reached: Callable[[float, float], bool],
) -> Row:
    measured, reference = median(ours, *fields), median(theirs, *fields)
    samples: dict[str, Any] = {"measured": ours, "reference": theirs}
    return Row(
        what,
        case,
        measured * 1e3,
        reference * 1e3,
        "ms",
        reference_name,
        target,
        reached(measured, reference),
        samples,
    )

"""How long a model's weights take to be ready, in a C host and in Windows' Python, under Wine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import page_cache
from results import Row, median
from synthetic import WIDTH, Built

from aotwin.adapters.tools.zig import find_zig
from aotwin.stages.pack.pt2 import write_pt2
from aotwin.target.toolchain import load_toolchain
from windows_on_wine import WindowsPython

Sample = dict[str, float]
#: ours, and the reference's
Samples = tuple[list[Sample], list[Sample]]

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
    blob = built.blob
    page_cache.fill(blob)
    # Turn by turn, so that both see the same other load of the machine.
    warm = _in_turns(lambda: host.load(built.dll), lambda: host.load(dll, blob), repeats)

    def cold(dll: Path, given: Path | None) -> Sample:
        page_cache.drop(blob)
        return host.load(dll, given)

    from_disk = _in_turns(
        lambda: cold(built.dll, None), lambda: cold(dll, blob), max(3, repeats // 2)
    )
    return [
        _ready(warm, case),
        _first_run(warm, f"{case}, warm"),
        _first_run(from_disk, f"{case}, cold"),
    ]


def private_memory(host: CHost, built: Built, plain: Built, alone: Path, case: str) -> Row:
    """Private memory after load, less that of a model without weights."""
    dll = Path(shutil.copy(built.dll, alone))
    ours = host.load(built.dll)["private_after"]
    without = host.load(plain.dll)["private_after"]
    copied = host.load(dll, built.blob)["private_after"]
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
    folder = built.directory
    archive = directory / f"{folder.name}.pt2"
    write_pt2(folder, archive)
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

    samples = _in_turns(
        lambda: run("package", folder.parent, folder.name),
        lambda: run("archive", archive),
        repeats,
    )
    archive.unlink()
    return _row(
        samples,
        ("load",),
        what="`load()` from Python, torch imported",
        case=case,
        reference_name="aoti_load_package",
        target="at most 50 ms",
        reached=lambda measured, _: measured <= 0.050,
    )


def _in_turns(first: Callable[[], Sample], second: Callable[[], Sample], repeats: int) -> Samples:
    """Both measurements in turns, after one of each that does not count; same results required."""
    found: Samples = ([], [])
    for turn in range(repeats + 1):
        for samples, measure in zip(found, (first, second), strict=True):
            sample = measure()
            if turn:
                samples.append(sample)
    outputs = [sample["output"] for samples in found for sample in samples]
    if max(outputs) - min(outputs) > _SAME:
        raise RuntimeError(f"the ways to load give different results: {outputs}")
    return found


def _ready(samples: Samples, case: str) -> Row:
    return _row(
        samples,
        ("ready",),
        what="weights ready, C host",
        case=case,
        reference_name=_COPYING,
        target="at most 5 ms",
        reached=lambda measured, _: measured <= 0.005,
    )


def _first_run(samples: Samples, case: str) -> Row:
    return _row(
        samples,
        ("library", "ready", "first_run"),
        what="load + first run, C host",
        case=case,
        reference_name=_COPYING,
        target="never slower",
        reached=lambda measured, reference: measured <= reference,
    )


def _row(
    samples: Samples,
    fields: tuple[str, ...],
    *,
    what: str,
    case: str,
    reference_name: str,
    target: str,
    reached: Callable[[float, float], bool],
) -> Row:
    measured, reference = (median(each, *fields) for each in samples)
    return Row(
        what,
        case,
        measured * 1e3,
        reference * 1e3,
        "ms",
        reference_name,
        target,
        reached(measured, reference),
        {"measured": samples[0], "reference": samples[1]},
    )

"""Load and run latency of the speech example's models under Wine: mapped in place, and copied.

    PYTHONPATH=ci python benchmarks/speech_latency.py [--config shallow] [--models DIR] [--repeat 6]

Both ways run the very same DLLs in turn. "Mapped" is what a wheel's user gets: the blob lies beside
the DLL, which maps it and uses it where it is. "Copied" is the upstream way: no blob beside the
DLL; the host maps the blob, calls AOTInductorModelUpdateConstantsFromBlob and unmaps it. Prints the
tables of docs/reference/speech-latency.md, medians of all repetitions.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aotwin.adapters.tools.zig import find_zig
from windows_on_wine import WindowsPython, ensure

REPO = Path(__file__).resolve().parents[1]
EXAMPLE = REPO / "examples" / "speech"
NAMES = ("audio_encoder", "token_embedding", "text_decoder")
WAYS = ("mapped", "copied")
_LATENCY = re.compile(r"  (\w+): ([\d.]+)")
_PART = re.compile(r"    (archive extraction|\.so loading): ([\d.]+).*")
_OUTPUT = re.compile(r"    output 0: dtype (\w+), shape (\[.*\]), numel (\d+)")
_WEIGHTS = re.compile(r"Loading weights .*\\(\w+)_weights\.blob \((\d+) bytes.*, (\d+) copied\)")


@dataclass(frozen=True)
class Run:
    """What one process printed; latencies in milliseconds."""

    load: Mapping[str, float]
    #: model -> what the load is made of, by name
    parts: Mapping[str, Mapping[str, float]]
    run: Mapping[str, float]
    #: dtype, shape, number of elements
    outputs: Mapping[str, tuple[str, str, int]]
    #: bytes mapped, bytes copied
    weights: Mapping[str, tuple[int, int]]
    tokens: str
    #: seconds, user and system, of the whole process; 0 where it was not measured
    cpu: float = 0.0


def parse(text: str) -> Run:
    """Read what main_voxtral.exe prints."""
    load: dict[str, float] = {}
    run: dict[str, float] = {}
    parts: dict[str, dict[str, float]] = defaultdict(dict)
    sections = {"Load latency (ms)": load, "Run latency (ms)": run}
    outputs: dict[str, tuple[str, str, int]] = {}
    weights: dict[str, tuple[int, int]] = {}
    section: dict[str, float] | None = None
    name = ""
    lines = text.splitlines()
    for line in lines:
        if line in sections:
            section = sections[line]
        elif found := _WEIGHTS.fullmatch(line):
            weights[found[1]] = (int(found[2]), int(found[3]))
        elif found := _OUTPUT.fullmatch(line):
            outputs[name] = (found[1], found[2], int(found[3]))
        elif found := _PART.fullmatch(line):
            parts[name][found[1]] = float(found[2])
        elif section is not None and (found := _LATENCY.fullmatch(line)):
            name = found[1]
            section[name] = float(found[2])
    return Run(load, parts, run, outputs, weights, lines[-1].strip())


def main() -> int:
    """Measure, and print the tables; 1 where the two ways disagree on a token."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="shallow")
    parser.add_argument("--models", type=Path, help="the folder `speech` of models built before")
    parser.add_argument("--repeat", type=int, default=6)
    arguments = parser.parse_args()
    windows = ensure()
    with tempfile.TemporaryDirectory(prefix="speech-latency-") as folder:
        work = Path(folder)
        models = arguments.models or build(arguments.config, work)
        program = compile_program(work)
        _example("make_audio.py", work / "speech.wav")
        bare = without_blobs(models, work / "bare", work / "blobs")
        runs: dict[str, list[Run]] = defaultdict(list)
        ways: dict[str, tuple[Path, Sequence[str | Path]]] = {
            "mapped": (models, ()),
            "copied": (bare, ("--blobs", work / "blobs")),
        }
        for turn in range(arguments.repeat):
            # Each goes first half of the time: neither has the other's warm caches for itself.
            for way in WAYS if turn % 2 else WAYS[::-1]:
                folder_of_way, options = ways[way]
                runs[way].append(measured(windows, program, folder_of_way, work, *options))
    print(report(runs))
    return int(len({run.tokens for way in WAYS for run in runs[way]}) != 1)


def build(config: str, work: Path) -> Path:
    """The three models in the given size."""
    _example("build_models.py", "-o", work / "built", "--config", config)
    return work / "built" / "speech"


def _example(*arguments: str | Path) -> None:
    path = os.pathsep.join([str(REPO / "plugin"), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=EXAMPLE,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=True,
    )


def compile_program(work: Path) -> Path:
    """main_voxtral.exe."""
    program = work / "main_voxtral.exe"
    find_zig().run(
        ["c++", "-target", "x86_64-windows-gnu", "-std=c++20", "-O2", "-municode", "-s",
         str(EXAMPLE / "host" / "main_voxtral.cpp"), "-o", str(program)],
        cwd=work,
        doing="compiling main_voxtral.cpp",
    )  # fmt: skip
    return program


def without_blobs(models: Path, bare: Path, blobs: Path) -> Path:
    """The DLLs in folders of their own, the blobs in another; both as links to the same files."""
    blobs.mkdir()
    for name in NAMES:
        (bare / name).mkdir(parents=True)
        for file, folder in ((f"{name}.dll", bare / name), (f"{name}_weights.blob", blobs)):
            (folder / file).symlink_to((models / name / file).resolve())
    return bare


def measured(
    windows: WindowsPython, program: Path, models: Path, work: Path, *options: str | Path
) -> Run:
    """One process: load the three models, run each, generate three tokens."""
    folders = (windows.torch_lib, windows.executable.parent)
    dlls = [word for folder in folders for word in ("--dlls", folder)]
    arguments = [models, work / "speech.wav", *dlls, "--tokens", "3", *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = windows.exe(program, arguments).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return replace(parse(output), cpu=cpu)


def report(runs: Mapping[str, Sequence[Run]]) -> str:
    """Markdown: one table of load latencies, one of run latencies."""

    def median(kind: str, way: str, name: str) -> str:
        return f"{statistics.median(getattr(run, kind)[name] for run in runs[way]):,.1f}"

    def part(way: str, name: str, what: str) -> str:
        return f"{statistics.median(run.parts[name][what] for run in runs[way]):,.1f}"

    mapped, copied = runs["mapped"][0], runs["copied"][0]
    lines = [
        f"{len(runs['mapped'])} processes each way, in turn, medians; "
        f"{os.cpu_count()} CPUs, {platform.machine()}, under Wine.",
        "",
        "| Load latency (ms) | mapped | archive extraction | `.so` loading "
        "| copied | archive extraction | `.so` loading |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in NAMES:
        cells = [
            cell
            for way in WAYS
            for cell in (
                median("load", way, name),
                part(way, name, "archive extraction"),
                part(way, name, ".so loading"),
            )
        ]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    lines += [
        "",
        "| Weights (bytes) | mapped | beside it copied: buffers that the model writes "
        "| copied, the other way |",
        "|---|--:|--:|--:|",
    ]
    for name in NAMES:
        lines.append(
            f"| `{name}` | {mapped.weights[name][0]:,} | {mapped.weights[name][1]:,} "
            f"| {copied.weights[name][1]:,} |"
        )
    lines += [
        "",
        "| Run latency (ms), first call | mapped | copied | output 0: dtype | shape | numel |",
        "|---|--:|--:|---|---|--:|",
    ]
    for name in NAMES:
        dtype, shape, numel = mapped.outputs[name]
        lines.append(
            f"| `{name}` | {median('run', 'mapped', name)} | {median('run', 'copied', name)} "
            f"| {dtype} | {shape} | {numel:,} |"
        )
    lines += ["", *totals(runs)]
    return "\n".join(lines)


def totals(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """Markdown: load and first call of all three models together, and the processes' CPU time."""

    def latency(run: Run) -> float:
        return sum(run.load[name] + run.run[name] for name in NAMES)

    rows: dict[str, Callable[[str], float]] = {
        "load + first call of all three (ms), median": lambda way: statistics.median(
            map(latency, runs[way])
        ),
        "the same, minimum": lambda way: min(map(latency, runs[way])),
        "CPU time of the whole process (ms), median": lambda way: statistics.median(
            1000 * run.cpu for run in runs[way]
        ),
    }
    lines = ["| Together | mapped | copied | mapped / copied |", "|---|--:|--:|--:|"]
    for title, figure in rows.items():
        mapped, copied = figure("mapped"), figure("copied")
        lines.append(f"| {title} | {mapped:,.0f} | {copied:,.0f} | {mapped / copied:.2f} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())

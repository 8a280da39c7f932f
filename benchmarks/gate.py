"""Measure what the check of DLLs costs, alone and within a build. Prints a table, writes JSON.

    python benchmarks/gate.py [--repeats N] [--build-repeats N] [--json FILE]

The model is that of examples/sentence-embeddings, whose requirements must be installed. See
README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from results import Row, finish, median

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "sentence-embeddings"
#: DLLs of one command, to see what a further one costs
SEVERAL = 11
CHECK_TARGET_MS, SHARE_TARGET = 500.0, 0.05


def check_rows(dll: Path, repeats: int) -> Iterator[Row]:
    """`aotwin check` as a whole process, beside processes that do less."""
    aotwin = [sys.executable, "-m", "aotwin", "check"]
    commands = {
        "check": [*aotwin, str(dll)],
        "several": [*aotwin, *[str(dll)] * SEVERAL],
        "pass": [sys.executable, "-c", "pass"],
        "imports": [sys.executable, "-c", "import lief, pefile"],
    }
    samples = [
        {name: _milliseconds(command) for name, command in commands.items()} for _ in range(repeats)
    ]
    check, several = median(samples, "check"), median(samples, "several")
    case = f"{dll.stat().st_size / 1e6:.1f} MB"
    for reference, told in (("pass", "python -c pass"), ("imports", "import lief, pefile")):
        yield Row(
            what="`aotwin check`, the whole process",
            case=case,
            measured=check,
            reference=median(samples, reference),
            unit="ms",
            reference_name=f"`{told}`",
            target=f"at most {CHECK_TARGET_MS:.0f} ms",
            reached=check <= CHECK_TARGET_MS,
            samples={"all": samples},
        )
    yield Row(
        what="each further DLL of the command",
        case=case,
        measured=(several - check) / (SEVERAL - 1),
        reference=check,
        unit="ms",
        reference_name="the first one",
        target="less than the first one",
        reached=several < SEVERAL * check,
        samples={"all": samples},
    )


def build_rows(work: Path, repeats: int) -> Iterator[Row]:
    """Warm builds with the gate, in turns with builds without it."""
    samples = [
        {"gated": _build(work, "gated"), "ungated": _build(work, "ungated")} for _ in range(repeats)
    ]
    gated = [sample["gated"] for sample in samples]
    ungated = [sample["ungated"] for sample in samples]
    gate, whole = median(gated, "check"), median(gated, "whole")
    yield Row(
        what="the gate's stage of a warm build",
        case="all-MiniLM-L6-v2",
        measured=1000 * gate,
        reference=1000 * whole,
        unit="ms",
        reference_name="the whole build",
        target=f"under {SHARE_TARGET:.0%}",
        reached=gate < SHARE_TARGET * whole,
        samples={"gated": gated},
    )
    without = median(ungated, "whole")
    yield Row(
        what="warm build",
        case="all-MiniLM-L6-v2",
        measured=whole,
        reference=without,
        unit="s",
        reference_name="without the gate",
        target=f"under {SHARE_TARGET:.0%} longer",
        reached=whole < (1 + SHARE_TARGET) * without,
        samples={"gated": gated, "ungated": ungated},
    )


def _build(work: Path, way: str) -> dict[str, float]:
    """Seconds of a build in a process of its own: the process, and its stage `check`."""
    command = [sys.executable, "-W", "ignore", str(HERE / "gated_build.py"), way, str(work)]
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=EXAMPLE, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    whole = time.perf_counter() - start
    stages = json.loads(done.stdout.splitlines()[-1])
    check = sum(seconds for title, seconds in stages if title.startswith("check "))
    print(f"{way} build: {whole:.2f} s, {1000 * check:.0f} ms of it", file=sys.stderr, flush=True)
    return {"whole": whole, "check": check}


def _milliseconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - start)


def main() -> int:
    """Run; 1 where a target was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15, help="processes for each figure")
    parser.add_argument("--build-repeats", type=int, default=5, help="builds, with and without")
    parser.add_argument("--json", type=Path, default=Path("gate.json"), help="where results go")
    options = parser.parse_args()
    # The example imports its own module by name.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(HERE.parent / "plugin"), os.environ.get("PYTHONPATH", "")])
    )
    with tempfile.TemporaryDirectory(prefix="aotwin-gate-") as folder:
        work = Path(folder)
        _build(work, "gated")  # makes all caches warm
        (dll,) = work.rglob("*.dll")
        rows = [*check_rows(dll, options.repeats), *build_rows(work, options.build_repeats)]
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())

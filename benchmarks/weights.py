"""Measure the weights' whole path: build, load, first run. Prints a table, writes JSON.

    PYTHONPATH=ci python benchmarks/weights.py [--parts ...] [--sizes 0.1,1.6,6] [--json FILE]

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from loading import CHost, in_c, in_python, private_memory
from results import Row, finish, table
from synthetic import Built, build
from writing import blob_and_wheel, peak_memory

from windows_on_wine import WindowsPython, ensure

GB = 1e9
PARTS = ("load", "python", "write", "memory")
#: size of the models for the parts that have one size only, in GB
PYTHON_SIZE, WRITE_SIZE = 1.6, 2.0


def load_rows(
    windows: WindowsPython, work: Path, sizes: Sequence[float], repeats: int
) -> Iterator[Row]:
    """C host and private memory for each size."""
    host = CHost(windows, work)
    plain = build(0, work, "plain")
    for size in sizes:
        built = _build(size, work)
        alone = work / "alone"
        alone.mkdir()
        yield from in_c(host, built, alone, f"{size:g} GB", repeats)
        yield private_memory(host, built, plain, alone, f"{size:g} GB")
        shutil.rmtree(alone)
        shutil.rmtree(built.directory)


def rows_of(
    parts: Sequence[str], work: Path, sizes: Sequence[float], repeats: int
) -> Iterator[Row]:
    """All rows of the parts that are wanted."""
    windows = ensure() if {"load", "python"} & set(parts) else None
    if "load" in parts and windows:
        yield from load_rows(windows, work, sizes, repeats)
    if "python" in parts and windows:
        built = _build(PYTHON_SIZE, work)
        yield in_python(windows, built, work, f"{PYTHON_SIZE:g} GB", max(3, repeats // 2))
        shutil.rmtree(built.directory)
    if "write" in parts:
        yield blob_and_wheel(int(WRITE_SIZE * GB), work, f"{WRITE_SIZE:g} GB", repeats)
    if "memory" in parts:
        yield peak_memory(int(WRITE_SIZE * GB), work, f"{WRITE_SIZE:g} GB")


def _build(size: float, work: Path) -> Built:
    print(f"building a model of {size:g} GB", file=sys.stderr, flush=True)
    return build(size * GB, work, "stack")


def main() -> int:
    """Run; 1 where a target was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure")
    parser.add_argument("--sizes", default="0.1,1.6,6", help="GB of weights for the C host")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each figure")
    parser.add_argument("--work", type=Path, help="folder on a disk (three times the largest size)")
    parser.add_argument("--json", type=Path, default=Path("weights.json"), help="where results go")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts {sorted(unknown)}; known are {', '.join(PARTS)}")
    sizes = [float(size) for size in options.sizes.split(",")]
    rows = []
    with tempfile.TemporaryDirectory(prefix="aotwin-weights-", dir=options.work) as work:
        for row in rows_of(parts, Path(work).resolve(), sizes, options.repeats):
            rows.append(row)
            print(table([row]).splitlines()[-1], file=sys.stderr, flush=True)
    return finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())

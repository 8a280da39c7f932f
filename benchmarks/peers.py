"""Measure networks of usual sizes beside what users would take instead of aotwin, under Wine.

    PYTHONPATH=ci python benchmarks/peers.py [--networks NAME...] [--dtype float32 bfloat16]
        [--threads 1 2] [--rounds 3] [--engines own onnxruntime ...] [--library DLL] [--avx2]
        [--data FOLDER] [--json FILE] [--page FILE]

Each figure is of a Windows process of its own; engines take turns. What the networks are made into
(our models, ONNX, programs; 14 GB for all) stays in --data, so that a later run only measures.
--library lets our models run on another aotwin.dll without being built again. Results go to the
JSON file network by network: what was not run stays as it is. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from against_peers import figures
from against_peers.bench import Bench
from against_peers.cases import NETWORKS, Case
from against_peers.engines import ENGINES, Engine
from against_peers.machine import avx2_limit, handover


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of warm calls per process")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--library", type=Path, help="another aotwin.dll for our models")
    parser.add_argument("--avx2", action="store_true", help="as on a CPU without AVX-512")
    parser.add_argument("--data", type=Path, default=Path("build/peers"))
    parser.add_argument("--json", type=Path, default=Path("peers.json"))
    parser.add_argument("--only-make", action="store_true", help="measure nothing")
    parser.add_argument("--page", type=Path, help="its tables are written anew, and its chart")
    return parser.parse_args(arguments)


def cases(options: argparse.Namespace) -> Iterator[tuple[Case, list[Engine]]]:
    """What is to be run, and by which engines."""
    chosen = [ENGINES[name] for name in options.engines]
    if options.avx2:
        chosen = [engine for engine in chosen if engine.avx2 is not None]
    for dtype in options.dtype:
        for name in options.networks:
            if dtype == "float32" or NETWORKS[name].bfloat16:
                yield Case(name, dtype), [each for each in chosen if dtype in each.dtypes]


def measure(
    bench: Bench, case: Case, engines: Sequence[Engine], threads: int, rounds: int
) -> dict[str, Any]:
    """Samples by engine; an engine that failed once is left out from then on."""
    samples: dict[str, Any] = {engine.name: [] for engine in engines}
    for turn in range(rounds):
        # Each goes first half of the time: neither has the other's warm caches for itself.
        for engine in engines if turn % 2 else engines[::-1]:
            found = samples[engine.name]
            if isinstance(found, list):
                try:
                    found.append({**bench.run(case, engine, threads), "handover": handover()})
                except RuntimeError as error:
                    samples[engine.name] = {"error": str(error)}
                    print(f"{case} {engine.name} failed: {error}", file=sys.stderr)
    return samples


def main() -> int:
    """Measure; 1 where an engine failed."""
    options = options_of()
    bench = Bench(options.data, seconds=options.seconds, library=options.library, avx2=options.avx2)
    failed = False
    for case, engines in cases(options):
        bench.make(case, engines)
        for threads in options.threads if not options.only_make and options.rounds else ():
            samples = measure(bench, case, engines, threads, options.rounds)
            limit = avx2_limit(threads) if options.avx2 else None
            figures.merge(options.json, case, threads, bench.flops(case), samples, limit=limit)
            for name, found in samples.items():
                if isinstance(found, list):
                    print(figures.line_of(case, threads, name, found), flush=True)
                else:
                    failed = True
    if options.page:
        write_page(bench, options)
    return int(failed)


def write_page(bench: Bench, options: argparse.Namespace) -> None:
    """All results of the JSON file, as the page's tables and chart."""
    from against_peers.chart import draw

    whole = figures.read(options.json)
    case = Case("minilm", "float32")
    installed = {
        name: bench.installed(case, engine)
        for name, engine in ENGINES.items()
        if name in ("own", "torch", "onnxruntime", "openvino_float32")
        and name in figures.engines_of(whole["rows"])
    }
    figures.write_page(options.page, figures.tables(whole, installed))
    draw(whole, options.page.with_suffix(".svg"))


if __name__ == "__main__":
    raise SystemExit(main())

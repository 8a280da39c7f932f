"""Matrix products of the run time from one row to thousands, under the machine's two limits.

    python benchmarks/roofline.py [--library SO] [--threads 2] [--dtype float32 bfloat16]
        [--json FILE] [--svg FILE] [--draw]

y = x W^T + b with W [3072, 768], rows from 1 to 4096, weights from memory: more of them than the
caches hold, in turn; ours are constants, as in a model, and in float32 lie as the build has them,
in blocks of 32 results. Each point stands at its operations per byte (weights, x and y once each),
with eager torch's beside it. The roof is the lesser of the best product and of reading memory, each
the best that the run has seen: what products.py takes for a limit, or a point. Operations are
counted as for the plain sum: where ours save multiplications they may lie above the roof, and do
not raise it.
AOTWIN_MAX_CPU_LEVEL=3 holds the library to AVX2. `--draw` draws the chart of a JSON file, no more.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from products import caller, in_turn, limits, seconds_of
from tests.runtime.operator_calls import Operators, Optional
from tests.runtime.product_calls import in_blocks

ROWS = [1 << power for power in range(13)]
COLUMNS, TERMS = 3072, 768
_LAYER = "aoti_torch_cpu__linear_pointwise"
#: bytes of weights that are used in turn
_WEIGHTS = 200_000_000
#: dtype -> colour
_COLOURS = {"float32": "#0b6e4f", "bfloat16": "#4a7fb5"}


def measured(
    library: Operators, name: str, threads: int, seconds: float
) -> Iterator[dict[str, Any]]:
    """One row of results for each number of rows."""
    dtype = getattr(torch, name)
    limit = limits(library, threads, dtype)
    count = _WEIGHTS // (COLUMNS * TERMS * dtype.itemsize)
    weights = [torch.randn(COLUMNS, TERMS).to(dtype).t() for _ in range(count)]
    laid_out = [in_blocks(w.t()) if dtype == torch.float32 else w.t() for w in weights]
    handles = [library.over(weight) for weight in laid_out]
    for handle in handles:
        library.call("aotwin_mark_constant", handle)
    constants = [ctypes.c_void_p(handle.address) for handle in handles]
    bias = torch.randn(COLUMNS).to(dtype)
    for rows in ROWS:
        x, out = torch.randn(rows, TERMS).to(dtype), torch.empty(rows, COLUMNS, dtype=dtype)
        ours = in_turn(
            [caller(library, _LAYER, 1, x, w, Optional(bias), "none", [], None) for w in constants]
        )
        eager = in_turn([functools.partial(torch.addmm, bias, x, w, out=out) for w in weights])
        operations = 2e-9 * rows * COLUMNS * TERMS
        moved = 1e-9 * dtype.itemsize * (COLUMNS * TERMS + rows * (COLUMNS + TERMS))
        found = {
            "ours": operations / seconds_of(ours, threads, seconds),
            "eager": operations / seconds_of(eager, threads, seconds),
        }
        yield {
            "dtype": name,
            "threads": threads,
            "rows": rows,
            "intensity": operations / moved,
            **found,
            "limits": limit,
        }


def _saves(row: dict[str, Any]) -> bool:
    """Whether ours may have fewer multiplications than the plain sum."""
    return row["dtype"] == "float32" and row["rows"] > 32


def add_roofs(rows: list[dict[str, Any]]) -> None:
    """The limits of a run of one dtype, and each point's."""
    fastest = [max(row["ours"], row["eager"]) for row in rows]
    every = [row["ours"] for row in rows if not _saves(row)] + [row["eager"] for row in rows]
    limits = {
        "GFLOPS": max(rows[0]["limits"]["GFLOPS"], *every),
        "GB/s": max(
            rows[0]["limits"]["GB/s"],
            *(rate / row["intensity"] for rate, row in zip(fastest, rows, strict=True)),
        ),
    }
    for row in rows:
        row["limits"] = limits
        row["roof"] = min(limits["GFLOPS"], row["intensity"] * limits["GB/s"])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """One panel a dtype: points of ours and eager's under the roof."""
    from charts import svg

    names = list(dict.fromkeys(row["dtype"] for row in rows))
    with svg(path, (4.2 * len(names), 3.6)) as figure:
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            shown = [row for row in rows if row["dtype"] == name]
            at = [row["intensity"] for row in shown]
            axes.loglog(at, [row["roof"] for row in shown], color="#8a8d91", label="limit")
            axes.loglog(at, [row["eager"] for row in shown], "x", color="#b9a44c", label="eager")
            axes.loglog(
                at, [row["ours"] for row in shown], "o", color=_COLOURS[name], label="aotwin"
            )
            for row in shown:
                axes.annotate(
                    row["rows"],
                    (row["intensity"], row["ours"]),
                    xytext=(0, -12),
                    textcoords="offset points",
                    ha="center",
                    fontsize=6,
                )
            axes.set_title(f"{name}, {shown[0]['threads']} threads")
            axes.set_xlabel("operations per byte (below each point: rows)")
            axes.set_ylabel("GFLOPS")
            axes.legend(frameon=False)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", type=Path, help="the run time for Linux; none: it is built")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtype", nargs="+", choices=_COLOURS, default=list(_COLOURS))
    parser.add_argument("--seconds", type=float, default=0.3, help="for each point")
    parser.add_argument("--json", type=Path, default=Path("roofline.json"))
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    options = parser.parse_args()
    if not options.draw:
        rows = list(all_measured(options))
        options.json.write_text(json.dumps({"version": 1, "rows": rows}, indent=1) + "\n", "utf-8")
    if options.svg:
        draw(json.loads(options.json.read_text("utf-8"))["rows"], options.svg)
    return 0


def all_measured(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every dtype's rows, printed when they are complete."""
    if options.library is None:
        from tests.runtime.product_calls import library

        options.library = library()
    operators = Operators(options.library)
    operators.library.aotwin_set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    print(
        "| rows | dtype | ours | eager | limit (GFLOPS) | of the limit |\n|--:|---|--:|--:|--:|--:|"
    )
    for name in options.dtype:
        rows = list(measured(operators, name, options.threads, options.seconds))
        add_roofs(rows)
        for row in rows:
            print(
                f"| {row['rows']} | {name} | {row['ours']:.1f} | {row['eager']:.1f} "
                f"| {row['roof']:.1f} | {row['ours'] / row['roof']:.2f} |",
                flush=True,
            )
        yield from rows


if __name__ == "__main__":
    raise SystemExit(main())

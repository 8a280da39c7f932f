"""What was measured, as a file that grows network by network, and as tables."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from against_peers.cases import NETWORKS, Case
from against_peers.engines import ENGINES

VERSION = 1
#: nanoseconds from CPU to CPU from which on they have no last cache in common
_FAR = 100.0
#: engine -> its samples, or {"error": text}
Found = Mapping[str, Any]
#: the page's tables lie between these
BEGIN = "<!-- from here on: benchmarks/peers.py -->"
END = "<!-- up to here: benchmarks/peers.py -->"


def read(path: Path) -> dict[str, Any]:
    """The results so far, empty ones where there is no file."""
    if not path.exists():
        return {"version": VERSION, "machine": {}, "rows": []}
    whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if whole["version"] != VERSION:
        raise SystemExit(f"{path} has version {whole['version']}: name another file with --json")
    return whole


def merge(
    path: Path, case: Case, threads: int, flops: int, found: Found, *, limit: float | None = None
) -> None:
    """Put a network's results into the file; what it has of other engines stays.

    Args:
        flops: of a call.
        limit: GFLOPS of the CPU level that engines were held to; None: they were not held.
    """
    whole = read(path)
    whole["machine"] = {
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "system": platform.platform(terse=True),
    }
    key = {"network": case.network, "dtype": case.dtype, "threads": threads}
    rows = whole["rows"]
    held = limit is not None
    alike = (row for row in rows if row.items() >= key.items() and ("limit" in row) == held)
    row = next(alike, None)
    if row is None:
        row = {**key, "engines": {}}
        rows.append(row)
    row["flops"] = flops
    if held:
        row["limit"] = limit
    row["engines"].update(found)
    order = list(NETWORKS)
    rows.sort(key=lambda row: (row["dtype"] != "float32", order.index(row["network"])))
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            known = [flag for flag in line.split() if flag in ("avx2", "avx512f", "avx512_bf16")]
            return ", ".join(known)
    return ""


def best(found: Any, figure: str) -> float | None:
    """A figure of the quietest round: other work on a machine only ever adds.

    Rounds in which CPUs had no last cache in common count where no others are: memory is faster
    then, and what threads have of each other slower, for some engines' rounds and not for others'.
    """
    if not isinstance(found, list) or not found:
        return None
    near = [sample for sample in found if (sample.get("handover") or 0) < _FAR]
    return min(sample[figure] for sample in near or found)


def milliseconds(value: float | None) -> str:
    """Three digits at least: 7.31, 73.1, 731."""
    if value is None:
        return "–"
    return f"{1e3 * value:.{max(0, 2 - len(str(int(1e3 * value))) + 1)}f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value / 1e6:.0f}"


def _ratio(ours: float | None, other: float | None) -> str:
    return "–" if ours is None or other is None else f"{ours / other:.2f}"


def _title(row: Mapping[str, Any]) -> str:
    title = NETWORKS[row["network"]].title
    return title if row["dtype"] == "float32" else f"{title}, {row['dtype']}"


def line_of(case: Case, threads: int, engine: str, samples: Sequence[Mapping[str, float]]) -> str:
    """One line while it is measured."""
    told = (
        f"{case.network:15} {case.dtype:8} {threads} {engine:16} median "
        f"{milliseconds(best(samples, 'median')):>6} minimum "
        f"{milliseconds(best(samples, 'minimum')):>6} ms, "
        f"open {milliseconds(best(samples, 'open'))}, "
        f"first call {milliseconds(best(samples, 'first_call'))}, start to first result "
        f"{_seconds(best(samples, 'first_result'))} s, private "
        f"{_megabytes(best(samples, 'private_after_ten'))} MB, difference"
    )
    between = ", ".join(f"{one['handover']:.0f}" for one in samples if one.get("handover"))
    return f"{told} {best(samples, 'difference') or 0:.0e}, from CPU to CPU {between or '–'} ns"


def tables(whole: Mapping[str, Any], installed: Mapping[str, int]) -> str:
    """All of it in Markdown."""
    rows = [row for row in whole["rows"] if "limit" not in row]
    held = [row for row in whole["rows"] if "limit" in row]
    two = [row for row in rows if row["threads"] == max(row["threads"] for row in rows)]
    parts = [
        *("### A warm call", "", *_warm(rows), ""),
        *("### From opening to the first result", "", *_opening(two), ""),
        *("### Private memory", "", *_memory(two), ""),
    ]
    if held:
        parts += ["### Held to AVX2", "", *_held(held), ""]
    if installed:
        parts += ["### Installed", "", *_installed(installed)]
    return "\n".join(parts)


def engines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The engines that any of the rows has figures of."""
    return [name for name in ENGINES if any(name in row["engines"] for row in rows)]


def _warm(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = engines_of(rows)
    yield "Milliseconds: the median of a process's calls, in brackets the quickest call. What is"
    yield "compared, and the rate, are by the quickest."
    yield ""
    yield (
        "| network | threads | "
        + " | ".join(ENGINES[name].title for name in names)
        + (" | aotwin / ONNX Runtime | aotwin / OpenVINO | GFLOPS of aotwin |")
    )
    yield "|---|--:|" + "--:|" * (len(names) + 3)
    for row in sorted(rows, key=lambda row: -row["threads"]):
        engines = row["engines"]
        times = {name: best(engines.get(name), "minimum") for name in ENGINES}
        openvino = times["openvino_float32" if row["dtype"] == "float32" else "openvino"]
        ours = times["own"]
        rate = "–" if ours is None else f"{row['flops'] / ours * 1e-9:.0f}"
        yield (
            f"| {_title(row)} | {row['threads']} | "
            + " | ".join(_times(engines.get(name)) for name in names)
            + f" | {_ratio(ours, times['onnxruntime'])} | {_ratio(ours, openvino)} | {rate} |"
        )


def _held(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [name for name in engines_of(rows) if ENGINES[name].avx2 is not None]
    yield "A warm call in milliseconds, as above, and the rate of ours as a share of what the cores"
    yield "multiply and add with AVX2 where nothing but registers is used, measured beside."
    yield ""
    titles = " | ".join(ENGINES[name].title for name in names)
    yield f"| network | threads | {titles} | aotwin / OpenVINO | GFLOPS of aotwin | of the limit |"
    yield "|---|--:|" + "--:|" * (len(names) + 3)
    for row in sorted(rows, key=lambda row: -row["threads"]):
        engines = row["engines"]
        ours = best(engines.get("own"), "minimum")
        rate = None if ours is None else row["flops"] / ours * 1e-9
        cells = [_times(engines.get(name)) for name in names]
        told = "–" if rate is None else f"{rate:.0f}"
        openvino = best(engines.get("openvino_float32"), "minimum")
        shares = (_ratio(ours, openvino), told, _ratio(rate, row["limit"]))
        yield f"| {' | '.join((_title(row), str(row['threads']), *cells, *shares))} |"


def _times(found: Any) -> str:
    quickest = best(found, "minimum")
    if quickest is None:
        return "–"
    return f"{milliseconds(best(found, 'median'))} ({milliseconds(quickest)})"


def _by_engine(
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    figure: Callable[[Any], str],
) -> Iterator[str]:
    yield "| network | " + " | ".join(ENGINES[name].title for name in names) + " |"
    yield "|---|" + "--:|" * len(names)
    for row in rows:
        cells = [figure(row["engines"].get(name)) for name in names]
        yield f"| {_title(row)} | " + " | ".join(cells) + " |"


def _opening(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "Opening + first call in ms; in brackets seconds from the start of the process."
    yield ""
    names = [name for name in engines_of(rows) if name != "eager"]

    def cell(found: Any) -> str:
        if best(found, "open") is None:
            return "–"
        first = best(found, "first_result")
        return (
            f"{milliseconds(best(found, 'open'))} + {milliseconds(best(found, 'first_call'))} "
            f"({_seconds(first)})"
        )

    yield from _by_engine(rows, names, cell)


def _memory(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "MB after the first call, and after ten."
    yield ""

    def cell(found: Any) -> str:
        first, ten = best(found, "private_after_first"), best(found, "private_after_ten")
        return "–" if first is None else f"{_megabytes(first)}, {_megabytes(ten)}"

    yield from _by_engine(rows, [name for name in engines_of(rows) if name != "eager"], cell)


def _installed(installed: Mapping[str, int]) -> Iterator[str]:
    yield "| | MB on disk, besides Python, numpy and the weights |"
    yield "|---|--:|"
    for name, size in installed.items():
        yield f"| {ENGINES[name].title} | {size / 1e6:.1f} |"


def write_page(page: Path, text: str) -> None:
    """Put the tables into the page, between its marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")

"""The warm calls as bars, each network's beside ONNX Runtime's, in an SVG file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from charts import GREEN, GREY, svg

from against_peers.cases import NETWORKS
from against_peers.engines import ENGINES
from against_peers.figures import best, engines_of

#: engine -> colour
_BARS = {
    "own": GREEN,
    "torch": "#b9a44c",
    "onnxruntime": GREY,
    "openvino_float32": "#4a7fb5",
}
_REFERENCE = "onnxruntime"
_HEIGHT = 0.8


def draw(whole: Mapping[str, Any], path: Path) -> None:
    """Draw the float32 networks at the most threads; the same figures give the same bytes."""
    threads = max(row["threads"] for row in whole["rows"])
    rows = [
        row
        for row in whole["rows"]
        if row["threads"] == threads
        and row["dtype"] == "float32"
        and best(row["engines"].get(_REFERENCE), "minimum")
    ]
    with svg(path, (8, 0.75 * len(rows) + 1)) as figure:
        axes = figure.subplots()
        _draw_bars(axes, rows)
        axes.set_yticks(range(len(rows)), [NETWORKS[row["network"]].title for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.axvline(1, color=GREY, linewidth=0.8)
        axes.set_xlabel(f"quickest call, {threads} threads; ONNX Runtime = 1, less is better")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=len(_BARS), frameon=False)


def _draw_bars(axes: Any, rows: list[Any]) -> None:
    measured = engines_of(rows)
    bars = [(name, colour) for name, colour in _BARS.items() if name in measured]
    height = _HEIGHT / len(bars)
    for place, (name, colour) in enumerate(bars):
        for index, row in enumerate(rows):
            time = best(row["engines"].get(name), "minimum")
            if time is None:
                continue
            ratio = time / (best(row["engines"][_REFERENCE], "minimum") or time)
            y = index - _HEIGHT / 2 + (place + 0.5) * height
            label = ENGINES[name].title if index == 0 else None
            axes.barh(y, ratio, height, color=colour, label=label)
            axes.text(ratio + 0.02, y, f"{1e3 * time:.3g} ms", va="center", fontsize=7)

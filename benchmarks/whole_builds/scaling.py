"""Networks of 10, 20 and 40 layers with 1, 2 and 4 GB of weights: time, and memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from results import Row

from whole_builds.cost import Cost, median
from whole_builds.place import BUILD, EXPORT_ALONE, WIDE, Place, in_turns

LAYERS = (10, 20, 40)
_GB = 1e9
Costs = Mapping[str, list[Cost]]


def name_of(layers: int) -> str:
    """The name of a case."""
    return f"layers-{layers}"


def _build(layers: int, place: Place, repeats: int) -> dict[str, list[Cost]]:
    place.warm_up(["x86-64-v3"])
    place.one_model((layers, *WIDE))
    return in_turns(
        {
            "export": lambda: place.run(EXPORT_ALONE),
            "build": lambda: place.run(BUILD, AOTWIN_NO_CACHE="1"),
        },
        repeats,
    )


CASES = {name_of(layers): partial(_build, layers) for layers in LAYERS}


def points(whole: Mapping[str, Costs]) -> list[tuple[int, float, float, float]]:
    """Of each size that was measured: layers, seconds of the build and the export, peak bytes."""
    return [
        (
            layers,
            median(whole[name_of(layers)]["build"]),
            median(whole[name_of(layers)]["export"]),
            median(whole[name_of(layers)]["build"], "memory"),
        )
        for layers in LAYERS
        if name_of(layers) in whole
    ]


def rows(whole: Mapping[str, Costs]) -> list[Row]:
    """From each size to the next, beside twice the step before it; nothing before all are there."""
    found = points(whole)
    if len(found) < len(LAYERS):
        return []
    lines = []
    for what, at, unit, scale in (("wall", 1, "s", 1.0), ("memory", 3, "MB", 1e-6)):
        few, more, most = (point[at] * scale for point in found)
        line = few + (more - few) * (LAYERS[2] - LAYERS[0]) / (LAYERS[1] - LAYERS[0])
        case = f"{LAYERS[2]} layers, {LAYERS[2] / 10:.0f} GB, {what}"
        name = f"on the line through {LAYERS[0]} and {LAYERS[1]} layers"
        lines.append(
            Row("many layers", case, most, line, unit, name, "1.1 of it", most <= 1.1 * line)
        )
    return lines


def draw(whole: Mapping[str, Costs], path: Path) -> None:
    """Time and memory over the layers; the same figures give the same bytes."""
    from charts import GREEN, GREY, svg

    found = points(whole)
    layers = [point[0] for point in found]
    with svg(path, (7, 2.8)) as figure:
        seconds, memory = figure.subplots(1, 2)
        seconds.plot(layers, [point[1] for point in found], "o-", color=GREEN, label="build")
        seconds.plot(layers, [point[2] for point in found], "o-", color=GREY, label="export in it")
        seconds.set_ylabel("seconds")
        memory.plot(layers, [point[3] / _GB for point in found], "o-", color=GREEN, label="build")
        weights = [each / LAYERS[0] for each in layers]
        memory.plot(layers, weights, "o-", color=GREY, label="weights")
        memory.set_ylabel("GB resident at most")
        for axes in (seconds, memory):
            _finish(axes)


def _finish(axes: Any) -> None:
    axes.set_xlabel("layers of 100 MB")
    axes.set_xticks(LAYERS)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)

"""Builds on a warm machine that remember nothing, and one that has nothing to do."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping

from results import Row

from whole_builds.cost import Cost, median
from whole_builds.place import BERT_BASE, BUILD, EXPORT_ALONE, MINILM, Place, in_turns

_NATIVE = """
import export_model, torch._inductor, warnings
warnings.simplefilter("ignore")
torch._inductor.aoti_compile_and_package(export_model.program(), package_path="native.pt2")
"""
_MB = 1_000_000
Costs = Mapping[str, list[Cost]]


def native(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """BERT-base from program to checked wheel, beside torch's own compile with g++."""
    place.warm_up(["x86-64-v3"])
    place.one_model(BERT_BASE)
    return in_turns(
        {
            "export": lambda: place.run(EXPORT_ALONE),
            "aotwin": lambda: place.run(BUILD, AOTWIN_NO_CACHE="1"),
            "native": lambda: place.run(
                _NATIVE, TORCHINDUCTOR_CACHE_DIR=tempfile.mkdtemp(dir=place.folder)
            ),
        },
        repeats,
    )


def native_rows(costs: Costs) -> list[Row]:
    rows = []
    for field, name in (("wall", "wall"), ("cpu", "CPU")):
        export = median(costs["export"], field)
        ours, theirs = (median(costs[way], field) - export for way in ("aotwin", "native"))
        what = ("program to checked wheel", f"BERT-base beyond the export, {name}")
        rows.append(Row(*what, ours, theirs, "s", "g++", "0.6 of it", ours <= 0.6 * theirs))
    return rows


def many(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """Three models of about MiniLM's size, six layers, for two CPU levels."""
    return _many({"one": 5, "two": 6, "three": 7}, place, repeats)


def many_small(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """Three small ones: what happens once for all of them has more weight."""
    return _many({"one": 2, "two": 3, "three": 4}, place, repeats)


def _many(models: Mapping[str, int], place: Place, repeats: int) -> dict[str, list[Cost]]:
    # The way is named for the number of cores.
    levels = ["x86-64-v3", "x86-64-v4"]
    place.warm_up(levels)
    for seed, (name, layers) in enumerate(models.items()):
        place.module((layers, *MINILM[1:]), seed, name=f"export_{name}")
    place.write(*((name, f'program = "export_{name}:program"', levels) for name in models))
    cores = str(len(os.sched_getaffinity(0)))
    return in_turns({cores: lambda: place.run(BUILD, AOTWIN_NO_CACHE="1")}, repeats)


def many_rows(costs: Costs) -> list[Row]:
    return _many_rows("5 to 7 layers", costs)


def many_small_rows(costs: Costs) -> list[Row]:
    return _many_rows("2 to 4 layers", costs)


def _many_rows(size: str, costs: Costs) -> list[Row]:
    ((way, found),) = costs.items()
    cores = int(way)
    what, case = "three models x two CPU levels", f"{size}, {cores} cores and jobs"
    wall, ideal = median(found), median(found, "cpu") / cores
    peak, first, other = (median(found, field) / _MB for field in ("memory", "first", "other"))
    # The readers of DLLs, two small processes, count as one more.
    bound = first + (cores + 1) * other
    return [
        Row(what, f"{case}, wall", wall, ideal, "s", "CPU / cores", "1.2", wall <= 1.2 * ideal),
        Row(
            *(what, f"{case}, memory", peak, bound, "MB"),
            *("the first process, one each job, readers", "no more", peak <= bound),
        ),
    ]


def nothing(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """`python -m build` without target, beside the same project with setuptools' own backend."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]

    def build(backend: str) -> Cost:
        place.module(MINILM)
        place.write(("model", 'program = "export_model:program"', ["x86-64-v3"]), backend=backend)
        return place.command([*command, str(place.dist())])

    for backend in ("aotwin", "setuptools"):
        build(backend)
    return in_turns(
        {"aotwin": lambda: build("aotwin"), "setuptools": lambda: build("setuptools")}, repeats * 4
    )


def nothing_rows(costs: Costs) -> list[Row]:
    ours, theirs = median(costs["aotwin"]), median(costs["setuptools"])
    what = ("no target", "python -m build: sdist and wheel")
    return [Row(*what, ours, theirs, "s", "setuptools", "0.05 s more", ours - theirs <= 0.05)]

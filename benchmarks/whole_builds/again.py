"""Second builds: of what is unchanged, and of what has other weights."""

from __future__ import annotations

import time
from collections.abc import Mapping

from results import Row

from whole_builds.cost import Cost, median
from whole_builds.place import BERT_BASE, BUILD, EXPORT_ALONE, MINILM, Place, in_turns

_SAVE = 'import export_model, torch; torch.export.save(export_model.program(), "model.pt2")'
_WRAP = """
import export_model, torch, warnings
warnings.simplefilter("ignore")
torch._inductor.aoti_compile_and_package(
    export_model.program(),
    package_path="model_cpp.pt2",
    inductor_configs={
        "aot_inductor.package_cpp_only": True,
        "aot_inductor.package_constants_in_so": False,
        "aot_inductor.package_constants_on_disk_format": "binary_blob",
        "aot_inductor.model_name_for_generated_files": "model",
        "cpp.simdlen": 256,
    },
)
"""
#: Only a file that has lain still for a while is known by its times.
_LIES_STILL = 3
Costs = Mapping[str, list[Cost]]


def in_code(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """A program that a module of the project exports."""
    place.one_model(MINILM)
    place.run(BUILD)
    return in_turns(
        {
            "export": lambda: place.run(EXPORT_ALONE),
            "second": lambda: place.run(BUILD),
            "without": lambda: place.run(BUILD, AOTWIN_NO_CACHE="1"),
        },
        repeats,
    )


def in_code_rows(costs: Costs) -> list[Row]:
    beyond = median(costs["second"]) - median(costs["export"])
    reference = median(costs["without"]) - median(costs["export"])
    what = ("unchanged, program in code", "MiniLM's size, beyond the export")
    return [Row(*what, beyond, reference, "s", "no cache", "1.5 s", beyond <= 1.5)]


def other_weights(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """The same graph with other values."""
    place.one_model(MINILM)
    place.run(BUILD)
    seeds = iter(range(1, 100))

    def other(**environ: str) -> Cost:
        place.module(MINILM, next(seeds))
        return place.run(BUILD, **environ)

    return in_turns({"other": other, "without": lambda: other(AOTWIN_NO_CACHE="1")}, repeats)


def other_weights_rows(costs: Costs) -> list[Row]:
    measured, reference = median(costs["other"]), median(costs["without"])
    what = ("other weights, same graph", "MiniLM's size, with the export")
    return [Row(*what, measured, reference, "s", "no cache", "half", measured <= 0.5 * reference)]


def _of_a_file(place: Place, repeats: int) -> dict[str, list[Cost]]:
    time.sleep(_LIES_STILL)
    place.run(BUILD)
    return in_turns(
        {
            "second": lambda: place.run(BUILD),
            "standing": lambda: place.run(BUILD, clean=False),
            "without": lambda: place.run(BUILD, AOTWIN_NO_CACHE="1"),
        },
        repeats,
    )


def _saved(size: tuple[int, int, int], place: Place, repeats: int) -> dict[str, list[Cost]]:
    place.module(size)
    place.run(_SAVE)
    place.write(("model", 'program = "model.pt2"', ["x86-64-v3"]))
    return _of_a_file(place, repeats)


def saved(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """A program in a file, of MiniLM's size."""
    return _saved(MINILM, place, repeats)


def saved_base(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """A program in a file, of BERT-base's size."""
    return _saved(BERT_BASE, place, repeats)


def wrapper(place: Place, repeats: int) -> dict[str, list[Cost]]:
    """A ready wrapper, of BERT-base's size."""
    place.module(BERT_BASE)
    place.run(_WRAP)
    place.write(("model", 'wrapper = "model_cpp.pt2"', ["x86-64-v3"]))
    return _of_a_file(place, repeats)


def _file_rows(what: str, case: str, costs: Costs) -> list[Row]:
    reference = median(costs["without"])
    rows = []
    for way, wheel in (("standing", "its wheel still there"), ("second", "its wheel gone")):
        if way in costs:
            seconds = median(costs[way])
            whole = f"{case}, {wheel}"
            rows.append(Row(what, whole, seconds, reference, "s", "no cache", "2 s", seconds <= 2))
    return rows


def saved_rows(costs: Costs) -> list[Row]:
    return _file_rows("unchanged .pt2", "MiniLM's size", costs)


def saved_base_rows(costs: Costs) -> list[Row]:
    return _file_rows("unchanged .pt2", "BERT-base's size", costs)


def wrapper_rows(costs: Costs) -> list[Row]:
    return _file_rows("unchanged wrapper", "BERT-base's size", costs)

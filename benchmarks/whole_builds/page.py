"""What was measured, as a file that grows case by case, and as a table of the docs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from results import Row, machine, table

from whole_builds import again, cold, first, scaling
from whole_builds.cost import Cost

VERSION = 1
#: case -> way -> what each process took
Whole = Mapping[str, Mapping[str, list[Cost]]]
BEGIN = "<!-- from here on: benchmarks/builds.py -->"
END = "<!-- up to here: benchmarks/builds.py -->"

#: case -> its lines, where it has them alone
_ROWS: Mapping[str, Callable[[Mapping[str, list[Cost]]], list[Row]]] = {
    "in-code": again.in_code_rows,
    "other-weights": again.other_weights_rows,
    "saved": again.saved_rows,
    "saved-base": again.saved_base_rows,
    "wrapper": again.wrapper_rows,
    "native": first.native_rows,
    "many": first.many_rows,
    "many-small": first.many_small_rows,
    "nothing": first.nothing_rows,
}


def read(path: Path) -> dict[str, Any]:
    """The results so far, empty ones where there is no file."""
    if not path.exists():
        return {"version": VERSION, "cases": {}}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found["version"] != VERSION:
        raise SystemExit(f"{path} has version {found['version']}: name another file with --json")
    return found


def merge(path: Path, case: str, costs: Mapping[str, list[Cost]]) -> None:
    """Put a case's costs into the file; other cases stay as they are."""
    found = read(path)
    samples = {
        way: [{key: round(value, 4) for key, value in asdict(cost).items()} for cost in listed]
        for way, listed in costs.items()
    }
    found["cases"][case] = {"machine": machine(), "samples": samples}
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def costs_in(found: Mapping[str, Any]) -> Whole:
    """The costs of a file's cases."""
    return {
        case: {way: [Cost(**cost) for cost in listed] for way, listed in entry["samples"].items()}
        for case, entry in found["cases"].items()
    }


def rows(whole: Whole) -> list[Row]:
    """All lines that can be had of what was measured."""
    alone = [row for name, lines in _ROWS.items() if name in whole for row in lines(whole[name])]
    return [*alone, *cold.rows(whole), *scaling.rows(whole)]


def write_page(page: Path, whole: Whole) -> None:
    """Put the table into the page, between its marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{table(rows(whole))}\n\n{END}{after}", encoding="utf-8")

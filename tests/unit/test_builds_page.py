"""Figures of benchmarks/builds.py: the page has what the committed results say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from whole_builds import page, scaling
from whole_builds.cost import Cost

REPO = Path(__file__).parents[2]


def layers(seconds: tuple[float, float, float], memory: tuple[int, int, int]) -> page.Whole:
    return {
        scaling.name_of(count): {
            "build": [Cost(wall, wall, resident)],
            "export": [Cost(1.0, 1.0)],
        }
        for count, wall, resident in zip(scaling.LAYERS, seconds, memory, strict=True)
    }


def test_the_page_has_the_table_of_the_committed_results(tmp_path: Path) -> None:
    reference = REPO / "docs/reference"
    copy = tmp_path / "builds.md"
    copy.write_bytes((reference / "builds.md").read_bytes())
    page.write_page(copy, page.costs_in(page.read(reference / "builds.json")))
    assert copy.read_text("utf-8") == (reference / "builds.md").read_text("utf-8"), (
        "run: python benchmarks/builds.py --cases --json docs/reference/builds.json "
        "--page docs/reference"
    )


def test_a_case_that_is_measured_again_replaces_itself_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "builds.json"
    page.merge(path, "saved", {"second": [Cost(1.0, 1.0)], "without": [Cost(20.0, 30.0)]})
    page.merge(path, "wrapper", {"second": [Cost(1.5, 1.0)], "without": [Cost(20.0, 30.0)]})
    page.merge(path, "saved", {"second": [Cost(3.0, 1.0)], "without": [Cost(20.0, 30.0)]})
    rows = page.rows(page.costs_in(page.read(path)))
    assert [(row.what, row.measured, row.reached) for row in rows] == [
        ("unchanged .pt2", 3.0, False),
        ("unchanged wrapper", 1.5, True),
    ]


@pytest.mark.parametrize(
    ("seconds", "reached"), [((10, 20, 40), True), ((15, 20, 30), True), ((10, 20, 60), False)]
)
def test_time_is_linear_where_the_largest_lies_on_the_line_of_the_others(
    seconds: tuple[float, float, float], reached: bool
) -> None:
    time, memory = scaling.rows(layers(seconds, (1, 2, 4)))
    assert time.reached is reached
    assert memory.reached


def test_nothing_is_said_of_growth_before_all_sizes_are_measured() -> None:
    found = dict(layers((10, 20, 40), (1, 2, 4)))
    del found[scaling.name_of(40)]
    assert scaling.rows(found) == []


def test_results_of_another_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "builds.json"
    path.write_text(json.dumps({"version": 0, "cases": {}}), encoding="utf-8")
    with pytest.raises(SystemExit, match="--json"):
        page.read(path)

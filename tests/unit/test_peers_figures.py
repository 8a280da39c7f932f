"""Figures of benchmarks/peers.py: parts of runs come together, and tables say what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from against_peers import figures
from against_peers.cases import Case

SAMPLE = {
    "first_result": 1.5,
    "open": 0.01,
    "first_call": 0.2,
    "private_after_first": 7e6,
    "private_after_ten": 8e6,
    "median": 0.0125,
    "minimum": 0.012,
    "difference": 4e-7,
}
RESNET, BERT = Case("resnet50", "float32"), Case("bert_base", "float32")


def sample(**changed: float | None) -> dict[str, float | None]:
    return {**SAMPLE, **changed}


def table_rows(text: str, title: str) -> list[list[str]]:
    """The cells of a network's lines."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith(f"| {title} |")
    ]


def merged(path: Path, *parts: tuple[Case, int, dict[str, Any]]) -> dict[str, Any]:
    for case, threads, found in parts:
        figures.merge(path, case, threads, 8_000_000_000, found)
    return figures.read(path)


def test_a_part_of_a_run_replaces_what_it_has_measured_and_nothing_else(tmp_path: Path) -> None:
    whole = merged(
        tmp_path / "peers.json",
        (RESNET, 2, {"own": [sample()], "onnxruntime": [sample(median=0.02)]}),
        (BERT, 2, {"own": [sample()]}),
        (RESNET, 2, {"own": [sample(median=0.01)]}),
        (RESNET, 1, {"own": [sample(median=0.03)]}),
    )
    assert [(row["network"], row["threads"]) for row in whole["rows"]] == [
        ("bert_base", 2),
        ("resnet50", 2),
        ("resnet50", 1),
    ]
    engines = whole["rows"][1]["engines"]
    assert engines["own"][0]["median"] == 0.01
    assert engines["onnxruntime"][0]["median"] == 0.02


def test_a_table_has_the_quietest_round_and_how_it_compares(tmp_path: Path) -> None:
    whole = merged(
        tmp_path / "peers.json",
        (
            RESNET,
            2,
            {
                "own": [sample(), sample(median=0.011, minimum=0.01)],
                "onnxruntime": [sample(minimum=0.02)],
            },
        ),
    )
    warm, opening, memory = table_rows(figures.tables(whole, {}), "ResNet-50, 224")
    assert warm[1:3] == ["2", "11.0 (10.0)"]
    assert warm[-3:] == ["0.50", "–", "800"]
    assert opening[1] == "10.0 + 200 (1.50)"
    assert memory[1] == "7, 8"


def test_engines_that_were_held_to_a_level_have_rows_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    held = {"own": [sample(minimum=0.1)], "openvino_float32": [sample(minimum=0.2)]}
    for _ in range(2):
        figures.merge(path, RESNET, 2, 8_000_000_000, held, limit=160.0)
        figures.merge(path, RESNET, 2, 8_000_000_000, {"own": [sample()]})
    whole = figures.read(path)
    assert len(whole["rows"]) == 2
    warm, *_, slower = table_rows(figures.tables(whole, {}), "ResNet-50, 224")
    assert warm[2] == "12.5 (12.0)"
    assert slower[-3:] == ["0.50", "80", "0.50"]


def test_an_engine_that_failed_has_no_figure(tmp_path: Path) -> None:
    whole = merged(
        tmp_path / "peers.json", (RESNET, 2, {"own": [sample()], "torch": {"error": "no"}})
    )
    assert table_rows(figures.tables(whole, {}), "ResNet-50, 224")[0][2:4] == ["12.5 (12.0)", "–"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00731, "7.31"), (0.0731, "73.1"), (0.731, "731"), (7.31, "7310")]
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    assert figures.milliseconds(seconds) == text


def test_the_page_keeps_its_words(tmp_path: Path) -> None:
    page = tmp_path / "peers.md"
    page.write_text(f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n", encoding="utf-8")
    figures.write_page(page, "new")
    figures.write_page(page, "new")
    text = page.read_text(encoding="utf-8")
    assert text == f"before\n{figures.BEGIN}\n\nnew\n\n{figures.END}\nafter\n"


def test_results_of_another_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    path.write_text(json.dumps({"version": 0, "rows": []}), encoding="utf-8")
    with pytest.raises(SystemExit, match="--json"):
        figures.read(path)


def test_rounds_without_a_common_last_cache_count_only_alone() -> None:
    near, far = sample(minimum=0.012, handover=40), sample(minimum=0.009, handover=170)
    assert figures.best([near, far, sample(minimum=0.013)], "minimum") == 0.012
    assert figures.best([far, sample(minimum=0.01, handover=180)], "minimum") == 0.009
    assert figures.best([sample(handover=None)], "minimum") == 0.012
    assert "from CPU to CPU 40, 170 ns" in figures.line_of(RESNET, 2, "own", [near, far])

"""The parts of a report: areas, layers, example calls, histograms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aotwin.formats.proof import parse_proof
from aotwin.stages.report.bill import parse_bill
from aotwin.stages.report.calls import call_of
from aotwin.stages.report.details import Weight, parse_details
from aotwin.stages.report.layers import layers_of
from aotwin.stages.report.proofs import view_of
from aotwin.stages.report.subject import Subject
from aotwin.stages.report.treemap import HEIGHT, WIDTH, treemap_of
from report_sample import PROOF, spec, tensor


def subject(**sizes: int) -> Subject:
    return Subject(Path("m"), "folder", sizes)


@pytest.mark.parametrize(
    "sizes",
    [{"a": 1}, {"a": 1, "b": 1 << 62}, {"a": 0, "b": 5}, {f"f{n}": n for n in range(5000)}],
    ids=["one", "a byte beside exabytes", "an empty file", "thousands"],
)
def test_areas_fill_the_drawing_and_do_not_leave_it(sizes: dict[str, int]) -> None:
    areas = treemap_of(subject(**sizes))
    assert sum(area.nbytes for area in areas) == sum(sizes.values())
    covered = sum(area.width * area.height for area in areas)
    assert covered == pytest.approx(WIDTH * HEIGHT)
    for area in areas:
        assert area.x >= -1e-6
        assert area.y >= -1e-6
        assert area.x + area.width <= WIDTH + 1e-6
        assert area.y + area.height <= HEIGHT + 1e-6


def test_nothing_gives_no_areas() -> None:
    assert treemap_of(subject()) == []


def weights(*names: str) -> list[Weight]:
    return [Weight(name, "parameter", "float32", 10, 40) for name in names]


def test_weights_are_summed_by_module() -> None:
    rows = layers_of(weights("head.weight", "head.bias", "embed.weight", "scale"))
    assert [(row.name, row.elements) for row in rows] == [
        ("head", 20),
        ("embed", 10),
        ("scale", 10),
    ]
    assert [row.share for row in rows] == [1.0, 0.5, 0.5]


def test_many_modules_are_told_by_the_beginning_of_their_paths() -> None:
    rows = layers_of(weights(*(f"encoder.{n % 12}.part{n}.weight" for n in range(600))))
    assert [row.name for row in rows] == [f"encoder.{n}" for n in range(12)]


def test_modules_without_end_are_summed_up() -> None:
    rows = layers_of(weights(*(f"layer{n}.weight" for n in range(1000))))
    assert len(rows) == 24
    assert rows[-1].name == "977 more"
    assert sum(row.elements for row in rows) == 10_000


CALLS: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "positional": ([tensor("x", "float32", 2)], "", "x"),
    "a keyword": (
        [tensor("x", "float32", 2), tensor("m", "bool", 2)],
        spec(1, "mask"),
        "x, mask=m",
    ),
    "a constant": ([{"kind": "constant", "value": 2.5}], spec(0, "scale"), "scale=2.5"),
    "a name of the language": ([tensor("lambda", "float32", 2)], "", "input_0"),
    "one name twice": ([tensor("x", "int8", 1), tensor("x", "int8", 1)], "", "x, input_1"),
    "no name": ([tensor("", "int8", 1)], "", "input_0"),
    "nothing": ([], "", ""),
}


@pytest.mark.parametrize(("inputs", "in_spec", "said"), CALLS.values(), ids=CALLS)
def test_a_call_is_spelled_as_the_module_was_called(
    inputs: list[dict[str, Any]], in_spec: str, said: str
) -> None:
    call = call_of("demo.net", parse_details({"inputs": inputs, "call": {"in_spec": in_spec}}))
    assert call is not None
    assert call.python == said


NO_CALLS = {
    "no shape": {"inputs": [{"kind": "tensor", "name": "x", "dtype": "float32"}]},
    "no dtype": {"inputs": [tensor("x", "", 2)]},
    "a tensor of all memory": {"inputs": [tensor("x", "int8", 1 << 40, 1 << 40)]},
    "other arguments than inputs": {"inputs": [], "call": {"in_spec": spec(3)}},
    "a spec that is none": {"inputs": [], "call": {"in_spec": "[" * 10_000}},
    "a keyword that is none": {
        "inputs": [tensor("x", "int8", 1)], "call": {"in_spec": spec(0, "a b")},
    },
}  # fmt: skip


@pytest.mark.parametrize("tree", NO_CALLS.values(), ids=NO_CALLS)
def test_without_knowledge_of_the_inputs_there_is_no_example(tree: dict[str, Any]) -> None:
    assert call_of("demo.net", parse_details(tree)) is None


def test_a_histogram_has_a_column_for_each_decade_between() -> None:
    proof = parse_proof(PROOF)
    (row,) = view_of(proof).rows
    assert [(bar.label, bar.count) for bar in row.bars] == [("equal", 9), ("-8", 1), ("-7", 2)]
    (found,) = proof.dlls["x86-64-v3"].outputs
    wide = replace(found, histogram={"-300": 1, "300": 1_000_000})
    dll = replace(proof.dlls["x86-64-v3"], outputs=(wide,))
    (row,) = view_of(replace(proof, dlls={"x86-64-v3": dll})).rows
    assert [bar.label for bar in row.bars] == ["equal", "-300", "300"]
    assert all(bar.height > 0.02 for bar in row.bars if bar.count)


@pytest.mark.parametrize("data", [b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_a_bill_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_bill(data)


def test_of_a_bill_what_is_not_of_its_form_is_left_out() -> None:
    parts = parse_bill(
        b'{"metadata": 1, "components": [1, {"name": 2, "licenses": [{"license": {"id": "MIT"}}]},'
        b' {"type": "file", "name": "m.dll"}]}'
    )
    assert [(part.name, part.license) for part in parts] == [("", "MIT")]

"""`parse_source` reads what AOTInductor writes: a file of each kind, made by generated/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aotwin.errors import WrapperError
from aotwin.stages.wrapper.llp64 import to_llp64
from aotwin.stages.wrapper.source import SourceFacts, parse_source
from aotwin.values import Constant, TensorSpec

GENERATED = Path(__file__).parent / "generated"
SQUARE = (1, 2) * 12
KINDS = {path.stem: path for path in sorted(GENERATED.glob("*.cpp"))}
READABLE = sorted(KINDS.keys() - {"sliced_input"})


def source(kind: str) -> str:
    return KINDS[kind].read_text("utf-8")


def facts(kind: str) -> SourceFacts:
    return parse_source(source(kind))


def layouts(constants: tuple[Constant, ...]) -> dict[str, tuple[Any, ...]]:
    """dtype, shape and kind by name in the module."""
    return {each.fqn: (each.dtype, each.shape, each.kind) for each in constants}


def contexts(spec: str) -> list[Any]:
    """The keys of all dicts in a tree spec, from the outside to the inside."""
    found: list[Any] = []
    nodes = [json.loads(spec)[1]]
    while nodes:
        node = nodes.pop(0)
        if node["type"] == "builtins.dict":
            found.append(json.loads(node["context"]))
        nodes += node["children_spec"]
    return found


@pytest.mark.parametrize("kind", READABLE)
def test_the_rewritten_source_tells_the_same(kind: str) -> None:
    assert parse_source(to_llp64(source(kind))) == facts(kind)


@pytest.mark.parametrize("kind", READABLE)
def test_constants_lie_one_behind_the_other(kind: str) -> None:
    constants = facts(kind).constants
    ends = [0, *(each.offset + each.nbytes for each in constants)]
    assert [each.offset for each in constants] == ends[:-1]
    assert all(each.nbytes % 64 == 0 for each in constants)


@pytest.mark.parametrize("kind", READABLE)
def test_specs_are_json_and_the_weights_are_outside(kind: str) -> None:
    found = facts(kind)
    assert [json.loads(spec)[0] for spec in (found.in_spec, found.out_spec)] == [1, 1]
    assert not found.include_weights


def test_constants_and_inputs_of_each_dtype() -> None:
    found = facts("dtypes")
    assert layouts(found.constants) == {
        "weight_f32": ("float32", (3, 5), "parameter"),
        "weight_f64": ("float64", (15,), "parameter"),
        "weight_f16": ("float16", (15,), "parameter"),
        "weight_bf16": ("bfloat16", (15,), "parameter"),
        "weight_c64": ("complex64", (15,), "parameter"),
        "index_i64": ("int64", (15,), "buffer"),
        "index_i32": ("int32", (15,), "buffer"),
        "bytes_u8": ("uint8", (15,), "buffer"),
        "mask_bool": ("bool", (15,), "buffer"),
    }
    assert [(each.dtype, each.shape) for each in found.inputs] == [
        ("float32", (4, 3)),
        ("bool", (15,)),
        ("bfloat16", (15,)),
    ]


def test_free_sizes_are_symbols_or_unknown_and_fixed_ones_are_numbers() -> None:
    shapes = [each.shape for each in facts("dynamic_shapes").inputs]
    # no kernel reads the last one, so that only the check of its sizes tells of it
    assert shapes == [("s33", 4), (None, 3), (None, 2)]


def test_results_and_arguments_in_dicts_and_tuples() -> None:
    found = facts("several_outputs")
    assert [each.name for each in found.outputs] == ["output0", "output1", "output2", "output3"]
    assert [each.shape for each in found.inputs] == [(16,), (), (3,)]
    assert contexts(found.in_spec) == [["scale", "unused"]]
    assert contexts(found.out_spec) == [["sum (all)", 'quoted "key"', "x"]]


def test_constants_folded_at_run_time_are_left_out() -> None:
    assert "_FOLDED_CONST_" in source("folded_constants")
    assert [each.fqn for each in facts("folded_constants").constants] == ["scale", "weight"]


def test_a_model_without_constants() -> None:
    found = facts("no_constants")
    assert found.constants == ()
    assert found.inputs == (TensorSpec("arg0_1", "float32", (2, 4)),)


def test_shapes_longer_than_a_line() -> None:
    found = facts("many_dimensions")
    (constant,) = found.constants
    assert found.inputs[0].shape == constant.shape == SQUARE
    assert constant.stride[:3] == (4096, 2048, 2048)


def test_names_that_are_no_identifiers() -> None:
    assert [(each.name, each.fqn) for each in facts("unusual_names").constants] == [
        ("gr__e", "größe"),
        ("a_b", "a b"),
        ("a_b_0", "a-b"),
        ("semi_colon", "semi;colon"),
        ("brace_", "brace}"),
        ("__", "名前"),
    ]


def test_tensor_constants_and_buffers() -> None:
    assert layouts(facts("tensor_constants").constants) == {
        "calls": ("float32", (16,), "buffer"),
        "cache": ("float32", (16,), "buffer"),
        "_tensor_constant0": ("float32", (16,), "tensor_constant"),
    }


def test_constants_that_are_views() -> None:
    constants = facts("views").constants
    assert {each.fqn: (each.stride, each.storage_offset, each.nbytes) for each in constants} == {
        "transposed": ((1, 4), 0, 128),
        "tail": ((8, 1), 300, 1600),
        "channels_last": ((60, 1, 15, 3), 0, 512),
        "expanded": ((0, 1), 0, 64),
    }


def test_specs_in_pieces_are_joined() -> None:
    assert source("long_specs").count('\n    R"(') > 2
    found = facts("long_specs")
    arguments = [each for each in contexts(found.in_spec) if each]
    assert arguments == [["argument " + letter * 6000 for letter in ("(", '"')]]
    assert contexts(found.out_spec) == [["result " + "(r) " * 2100, "result " + "[s] " * 2100]]


def test_the_order_of_an_inputs_dimensions_in_memory() -> None:
    found = [(each.shape, each.dim_order) for each in facts("strided_inputs").inputs]
    assert found == [
        ((3, 4), (1, 0)),
        ((2, 3, 4, 5), (0, 2, 3, 1)),
        (("s21", 2, "s40"), (2, 0, 1)),
    ]


def test_an_input_with_gaps_is_an_error() -> None:
    with pytest.raises(WrapperError, match=r"arg0_1 .* not dense .*\n.*\[6, 2\]"):
        facts("sliced_input")

"""How arguments and results are nested is read without torch, and means what torch means."""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils import _pytree

from aotwin.payload.call_tree import Record, describe, read_tree

Point = namedtuple("Point", "x y")
_pytree._register_namedtuple(Point, serialized_type_name=f"{__name__}.Point")


@dataclasses.dataclass
class Output:
    """What torch.export takes once it is registered."""

    logits: Any
    hidden: Any = None


torch.export.register_dataclass(Output, serialized_type_name=f"{__name__}.Output")


class Color(enum.Enum):
    RED = 1


KEYS = st.one_of(st.text(max_size=3), st.integers(-3, 3), st.just(Color.RED), st.none())
LEAVES = st.one_of(st.none(), st.integers(), st.just("text"))


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Any:
    """Whatever a call can be made of."""
    kind = draw(st.integers(0, 9)) if depth else 0
    if kind == 0:
        return draw(LEAVES)
    parts = [draw(trees(depth - 1)) for _ in range(draw(st.integers(0, 3)))]
    keys = draw(st.lists(KEYS, min_size=len(parts), max_size=len(parts), unique=True))
    pairs = dict(zip(keys, parts, strict=True))
    both = [*parts, None, 5][:2]
    makers: list[Callable[[], Any]] = [
        lambda: parts,
        lambda: tuple(parts),
        lambda: deque(parts),
        lambda: deque(parts, 5),
        lambda: pairs,
        lambda: OrderedDict(pairs),
        lambda: defaultdict(list, pairs),
        lambda: Point(*both),
        lambda: Output(1 if both[0] is None else both[0], both[1]),
        lambda: torch.Size(range(len(parts))),
    ]
    return makers[kind]()


TREES = trees()


def written(value: Any) -> str:
    return _pytree.treespec_dumps(_pytree.tree_structure(value))


@given(TREES)
@settings(max_examples=300, deadline=None)
def test_a_value_has_torchs_leaves_and_is_built_again_from_them(value: Any) -> None:
    leaves, spec = _pytree.tree_flatten(value)
    tree = read_tree(_pytree.treespec_dumps(spec), "")
    assert tree.leaves_of(value) == leaves
    assert tree.count() == len(leaves)
    built = tree.build(leaves)
    assert built == value
    assert _pytree.tree_structure(built) == spec
    if "Output" not in repr(value):
        assert str(tree) == describe(value)


@given(TREES, TREES)
@settings(max_examples=300, deadline=None)
def test_a_value_of_another_nesting_is_not_taken(one: Any, other: Any) -> None:
    tree = read_tree(written(one), "")
    if _pytree.tree_structure(one) == _pytree.tree_structure(other):
        assert tree.leaves_of(other) is not None
    elif tree.leaves_of(other) is not None:
        # What is taken beyond that differs in the order of keys or the class of a container only.
        assert tree.leaves_of(other) == leaves_in_order(one, other)


def leaves_in_order(one: Any, other: Any) -> list[Any]:
    """The leaves of `other`, the keys of its dicts in the order of `one`."""
    if isinstance(one, Output):
        fields = other if isinstance(other, dict) else vars(other)
        pairs = [(part, fields[key]) for key, part in vars(one).items() if part is not None]
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        pairs = [(part, other[key]) for key, part in one.items()]
    elif isinstance(one, (list, tuple, deque)):
        pairs = list(zip(one, other, strict=True))
    else:
        assert describe(other) == "*"
        return [other]
    return [leaf for pair in pairs for leaf in leaves_in_order(*pair)]


def test_keys_may_stand_in_any_order() -> None:
    tree = read_tree(written({"a": 1, "b": (2, 3)}), "")
    assert tree.leaves_of({"b": (2, 3), "a": 1}) == [1, 2, 3]
    assert tree.leaves_of(OrderedDict(b=(2, 3), a=1)) == [1, 2, 3]
    assert tree.leaves_of({"b": (2, 3)}) is None


def test_keys_that_are_tuples_come_back() -> None:
    assert read_tree(written({(1, "a"): 5}), "").build([5]) == {(1, "a"): 5}


def test_the_fields_of_an_object_may_come_as_a_dict() -> None:
    tree = read_tree(written(Output(1, None)), "")
    assert tree.leaves_of({"logits": 1}) == [1]
    assert tree.leaves_of({"logits": 1, "hidden": None}) == [1]
    assert tree.leaves_of({"logits": 1, "hidden": 2}) is None
    assert tree.leaves_of(Output(1, 2)) is None
    assert tree.leaves_of(Output(None, None)) is None


#: of a ModelOutput of transformers
MODEL_OUTPUT = (
    '[1, {"type": "demo_outputs.BaseModelOutput", "context": "[\\"last\\", \\"pooled\\"]", '
    '"children_spec": [{"type": null, "context": null, "children_spec": []}, '
    '{"type": null, "context": null, "children_spec": []}]}]'
)


def test_an_object_whose_class_is_not_there_is_a_record() -> None:
    record = read_tree(MODEL_OUTPUT, "").build([1, 2])
    assert type(record) is Record
    assert (record.last, record["pooled"], record[1], record[:]) == (1, 2, 2, [1, 2])
    assert list(record) == ["last", "pooled"]
    with pytest.raises(AttributeError, match=r"no field 'logits': it has \['last', 'pooled'\]"):
        _ = record.logits
    assert read_tree(MODEL_OUTPUT, "").leaves_of(record) == [1, 2]


def test_a_class_that_is_imported_after_the_model_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = read_tree(MODEL_OUTPUT, "")
    module = ModuleType("demo_outputs")
    monkeypatch.setitem(sys.modules, "demo_outputs", module)
    module.BaseModelOutput = dataclasses.make_dataclass(  # type: ignore[attr-defined]
        "BaseModelOutput", ["last", "pooled"]
    )
    assert tree.build([1, 2]) == module.BaseModelOutput(1, 2)
    module.BaseModelOutput = dataclasses.make_dataclass(  # type: ignore[attr-defined]
        "BaseModelOutput", ["other"]
    )
    assert tree.build([1, 2]) == {"last": 1, "pooled": 2}


def test_only_classes_of_the_models_project_are_imported(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo_outputs.py").write_text(
        "import dataclasses\n"
        "BaseModelOutput = dataclasses.make_dataclass('BaseModelOutput', ['last', 'pooled'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert type(read_tree(MODEL_OUTPUT, "demo").build([1, 2])) is Record
    assert "demo_outputs" not in sys.modules
    built = read_tree(MODEL_OUTPUT, "demo_outputs").build([1, 2])
    monkeypatch.delitem(sys.modules, "demo_outputs")
    assert (type(built).__name__, built.pooled) == ("BaseModelOutput", 2)


def test_a_namedtuple_whose_class_is_not_there_is_a_tuple() -> None:
    text = written(Point(1, 2)).replace(__name__, "elsewhere")
    assert read_tree(text, "").build([1, 2]) == (1, 2)
    assert read_tree(text, "").leaves_of(Point(1, 2)) == [1, 2]


@pytest.mark.parametrize(
    "text",
    ["", "[1", "[2, null]", "{}", "[1, {}]", '[1, {"type": "builtins.dict", "context": "null"}]',
     '[1, {"type": "x.Y", "context": "{}", "children_spec": []}]', "[1, " + "[" * 9999],
)  # fmt: skip
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_tree(text, "")

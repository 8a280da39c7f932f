"""How arguments and results are nested is read without torch, and means what torch means by it."""

from __future__ import annotations

import dataclasses
import enum
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils import _pytree

from aotwin.payload.call_tree import describe, read_tree

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


def test_a_namedtuple_whose_class_is_not_there_is_a_tuple() -> None:
    text = written(Point(1, 2)).replace(__name__, "elsewhere")
    assert read_tree(text, "").build([1, 2]) == (1, 2)
    assert read_tree(text, "").leaves_of(Point(1, 2)) == [1, 2]

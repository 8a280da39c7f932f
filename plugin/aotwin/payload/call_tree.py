"""How arguments and results are nested, as torch's pytree writes it down, read without torch.

Part of a model's package. The format is that of torch.utils._pytree.treespec_dumps: JSON of
`[1, node]`, where a node has the `type` (null for a leaf), its `context` (the keys of a dict, say)
and its `children_spec`.

Arguments fit as they do in torch, with two differences: the keys of a dict may stand in any order,
and where the exported module took an object of a class (a dataclass, a ModelOutput of
transformers) a dict of its fields will do. A result of such a class is one where the program has
imported that class, or can without other packages; else it is a `Record`.
"""

from __future__ import annotations

import json
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any


class Record(dict[str, Any]):
    """The fields of a result whose class is not there: `r.logits`, `r["logits"]` or `r[0]`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the result has no field {name!r}: it has {[*self]}") from None

    def __getitem__(self, key: Any) -> Any:
        return [*self.values()][key] if isinstance(key, (int, slice)) else super().__getitem__(key)


_MAPPINGS = frozenset({dict, OrderedDict, defaultdict, Record})
_CONTAINERS = _MAPPINGS | {tuple, list, deque}

_SEQUENCES: dict[str, Any] = {"builtins.tuple": tuple, "builtins.list": list}
_DICTS: dict[str, Any] = {"builtins.dict": dict, "collections.OrderedDict": OrderedDict}

#: gives the parts of an argument in the order of a node's children, or None where it does not fit
_Take = Callable[[Any], "Sequence[Any] | None"]
#: puts the parts of a result together
_Make = Callable[[list[Any]], Any]


def _take_tuple(value: Any) -> Sequence[Any] | None:
    return value if isinstance(value, tuple) else None


class Node:
    """A container, or a leaf: one without `children`."""

    __slots__ = ("children", "keys", "make", "take")

    def __init__(
        self,
        children: Sequence[Node] | None,
        take: _Take = _take_tuple,
        make: _Make = tuple,
        keys: Sequence[Any] | None = None,
    ) -> None:
        self.children = children
        self.take = take
        self.make = make
        #: of a dict, or the fields of an object
        self.keys = keys

    def leaves_of(self, value: Any) -> list[Any] | None:
        """The leaves of a value, in order; None where it is nested in another way."""
        leaves: list[Any] = []
        return leaves if self._collect(value, leaves) else None

    def _collect(self, value: Any, leaves: list[Any]) -> bool:
        if self.children is None:
            leaves.append(value)
            return not _is_container(value)
        parts = self.take(value)
        if parts is None or len(parts) != len(self.children):
            return False
        for child, part in zip(self.children, parts, strict=True):
            if not child._collect(part, leaves):
                return False
        return True

    def build(self, leaves: Iterable[Any]) -> Any:
        """The value whose leaves are these; there must be `count` of them."""
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.children is None:
            return next(leaves)
        return self.make([child._build(leaves) for child in self.children])

    def count(self) -> int:
        """Number of leaves."""
        return 1 if self.children is None else sum(child.count() for child in self.children)

    def __str__(self) -> str:
        """In one line: "(*, {mask: *})"."""
        if self.children is None:
            return "*"
        return _spell([str(child) for child in self.children], self.keys)


LEAF = Node(None)


def describe(value: Any) -> str:
    """How a value is nested, spelled as a `Node` is."""
    if not _is_container(value):
        return "*"
    if isinstance(value, dict):
        return _spell([describe(part) for part in value.values()], [*value])
    return _spell([describe(part) for part in value], None)


def flat(count: int) -> Node:
    """A tuple of so many leaves."""
    return Node([LEAF] * count)


def flat_call(count: int) -> Node:
    """Arguments that are so many leaves, without keywords."""
    return Node([flat(count), _mapping([], [], "", dict)])


def read_tree(text: str, project: str) -> Node:
    """Read what treespec_dumps wrote.

    Args:
        text: JSON.
        project: the first part of the model's dotted name. Classes of this project are imported
            for results; those of other packages are taken where they are imported already, since
            importing transformers, say, would bring torch in.

    Raises:
        ValueError: it is not of the format, or has a container that cannot be had without torch.
    """
    try:
        protocol, root = json.loads(text)
        if protocol != 1:
            raise ValueError(f"it has the protocol {protocol}, this code reads 1")
        return _read(root, project)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _read(row: dict[str, Any], project: str) -> Node:
    if row["type"] is None:
        return LEAF
    children = [_read(child, project) for child in row["children_spec"]]
    return _node(row["type"], row["context"], children, project)


def _node(kind: str, context: Any, children: list[Node], project: str) -> Node:
    if kind == "torch.Size":
        kind, context = "collections.namedtuple", kind
    if kind in _SEQUENCES:
        return Node(children, _take_exactly(_SEQUENCES[kind]), _SEQUENCES[kind])
    if kind == "collections.deque":
        length = json.loads(context)
        return Node(
            children,
            _take_exactly(deque),
            lambda parts: deque(parts, length),
        )
    if kind == "collections.namedtuple":
        return Node(children, _take_tuple, _Named(context, project))
    if kind == "collections.defaultdict":
        home = _Home(context["default_factory_module"], context["default_factory_name"], project)
        return _mapping(
            children,
            context["dict_context"],
            project,
            lambda pairs: defaultdict(home.find(), pairs),
        )
    keys = json.loads(context)
    if kind in _DICTS:
        return _mapping(children, keys, project, _DICTS[kind])
    return _fields(kind, keys, children, project)


def _take_exactly(kind: type[Any]) -> _Take:
    def take(value: Any) -> Any:
        return value if type(value) is kind else None

    return take


def _mapping(
    children: list[Node], keys: list[Any], project: str, make: Callable[[Any], Any]
) -> Node:
    names = [_key(key, project) for key in keys]
    wanted = dict.fromkeys(names).keys()

    def take(value: Any) -> list[Any] | None:
        fits = type(value) in _MAPPINGS and value.keys() == wanted
        return [value[name] for name in names] if fits else None

    return Node(children, take, lambda parts: make(zip(names, parts, strict=True)), names)


def _key(key: Any, project: str) -> Any:
    """A key of a dict as it was before it became JSON."""
    if isinstance(key, list):
        return tuple(_key(each, project) for each in key)
    if isinstance(key, dict):
        module, _, name = key["fqn"].partition(":")
        members = _Home(module, name, project).find()
        return key["name"] if members is None else members[key["name"]]
    return key


def _fields(kind: str, context: Any, children: list[Node], project: str) -> Node:
    """An object of a class: transformers writes its fields, torch those that are None, too."""
    names, missing = context, []
    if isinstance(context, list) and [type(each) for each in context] == [list, list]:
        names, missing = context
    if (
        not isinstance(names, list)
        or len(names) != len(children)
        or not all(isinstance(name, str) for name in [*names, *missing])
    ):
        raise ValueError(f"objects of the class {kind} cannot be taken or given without torch")

    wanted = dict.fromkeys(names).keys()

    def take(value: Any) -> list[Any] | None:
        if isinstance(value, dict):
            found = {name: part for name, part in value.items() if name not in missing}
            fits = found.keys() == wanted and all(value.get(name) is None for name in missing)
        elif hasattr(type(value), "__dataclass_fields__"):
            found = {name: getattr(value, name, None) for name in [*names, *missing]}
            fits = all((part is None) == (name in missing) for name, part in found.items())
        else:
            return None
        return [found[name] for name in names] if fits else None

    return Node(children, take, _Object(kind, names, missing, project), names)


class _Named:
    """Makes namedtuples and torch's sizes; plain tuples where the class is not there."""

    def __init__(self, name: str, project: str) -> None:
        self._class = _Home(*name.rpartition(".")[::2], project)

    def __call__(self, parts: list[Any]) -> Any:
        found = self._class.find() or tuple
        fits = len(getattr(found, "_fields", parts)) == len(parts)
        return getattr(found, "_make", found)(parts) if fits else tuple(parts)


class _Object:
    """Makes objects of a dataclass, or records."""

    def __init__(self, name: str, names: list[str], missing: list[str], project: str) -> None:
        self._class = _Home(*name.rpartition(".")[::2], project)
        self._names = names
        self._missing = dict.fromkeys(missing)

    def __call__(self, parts: list[Any]) -> Any:
        fields = {**dict(zip(self._names, parts, strict=True)), **self._missing}
        found = self._class.find()
        known = getattr(found, "__dataclass_fields__", {}).keys() >= fields.keys()
        return found(**fields) if known else Record(fields)


class _Home:
    """Where something is defined: a module, which is imported here if it is the project's own."""

    def __init__(self, module: str, name: str, project: str) -> None:
        self._module = module
        self._name = name
        if project and module.partition(".")[0] == project:
            from importlib import import_module

            with suppress(ImportError):
                import_module(module)

    def find(self) -> Any:
        """What is defined there, or None: the program may import the module at any time."""
        found: Any = sys.modules.get(self._module)
        for part in self._name.split("."):
            found = getattr(found, part, None)
        return found


def _is_container(value: Any) -> bool:
    return type(value) in _CONTAINERS or isinstance(value, tuple)


def _spell(parts: list[str], keys: Sequence[Any] | None) -> str:
    if keys is None:
        return "(" + ", ".join(parts) + ")"
    return "{" + ", ".join(f"{key}: {part}" for key, part in zip(keys, parts, strict=True)) + "}"

"""Example calls of a model, to be copied: in Python, C and C#.

The texts come from templates; what is filled in are numbers, and names that were made identifiers.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from aotwin.payload.call_tree import LEAF, Node, flat_call, read_tree
from aotwin.stages.report.details import Details, Value

#: what a size is in the example where it is free
_FREE_SIZE = 2
#: elements that an example may allocate
_MOST = 1 << 40
#: torch's dtype -> numpy's, C's element and aotwin.h's number, C#'s element
_DTYPES = {
    "float32": ("np.float32", "float", "AOTWIN_FLOAT32", "float", 4),
    "float64": ("np.float64", "double", "AOTWIN_FLOAT64", "double", 8),
    "float16": ("np.float16", "uint16_t", "AOTWIN_FLOAT16", "ushort", 2),
    "bfloat16": ("ml_dtypes.bfloat16", "uint16_t", "AOTWIN_BFLOAT16", "ushort", 2),
    "int64": ("np.int64", "int64_t", "AOTWIN_INT64", "long", 8),
    "int32": ("np.int32", "int32_t", "AOTWIN_INT32", "int", 4),
    "int16": ("np.int16", "int16_t", "AOTWIN_INT16", "short", 2),
    "int8": ("np.int8", "int8_t", "AOTWIN_INT8", "sbyte", 1),
    "uint8": ("np.uint8", "uint8_t", "AOTWIN_UINT8", "byte", 1),
    "bool": ("np.bool_", "uint8_t", "AOTWIN_BOOL", "byte", 1),
}
#: the value of enum aotwin_dtype
_NUMBERS = {
    "float32": 1, "float64": 2, "float16": 3, "bfloat16": 4, "int8": 5, "int16": 6, "int32": 7,
    "int64": 8, "uint8": 9, "bool": 13,
}  # fmt: skip
#: that the example in Python uses itself; in C and C# a prefix keeps names apart from all others
_TAKEN = frozenset({"aotwin", "ml_dtypes", "model", "np", "print", "result"})


@dataclass(frozen=True)
class Argument:
    """A tensor that the example makes."""

    name: str
    sizes: tuple[int, ...]
    #: dimensions that are free, spelled for a comment; "" where none is
    free: str
    numpy: str
    c: str
    c_dtype: str
    csharp: str
    number: int
    elements: int
    nbytes: int


@dataclass(frozen=True)
class Call:
    """What the templates of the examples are filled with."""

    #: dotted name of the package, or "" where that is no name
    package: str
    #: of the model, where it was built alone
    folder: str
    arguments: Sequence[Argument]
    #: what stands between the parentheses in Python
    python: str
    needs_ml_dtypes: bool


def call_of(package: str, details: Details) -> Call | None:
    """The example for a model; None where its manifest does not tell what it takes."""
    names: dict[int, str] = {}
    arguments: list[Argument] = []
    for position, value in enumerate(details.inputs):
        if value.kind != "tensor":
            continue
        argument = _argument(value, position, names)
        if argument is None:
            return None
        names[position] = argument.name
        arguments.append(argument)
    leaves = [names.get(at, repr(each.value)) for at, each in enumerate(details.inputs)]
    spelled = _spelled(details.in_spec, leaves)
    if spelled is None:
        return None
    parts = package.split(".")
    is_package = all(re.fullmatch(r"[A-Za-z_]\w*", part, re.ASCII) for part in parts)
    return Call(
        package if is_package else "",
        parts[-1] if is_package else "model",
        arguments,
        spelled,
        any(each.numpy.startswith("ml_dtypes") for each in arguments),
    )


def _argument(value: Value, position: int, names: dict[int, str]) -> Argument | None:
    if value.shape is None or value.dtype not in _DTYPES:
        return None
    sizes = tuple(size if isinstance(size, int) else _FREE_SIZE for size in value.shape)
    free = [str(at) for at, size in enumerate(value.shape) if not isinstance(size, int)]
    elements = prod(sizes)
    if elements > _MOST:
        return None
    numpy, c, c_dtype, csharp, nbytes = _DTYPES[value.dtype]
    return Argument(
        _identifier(value.name, position, names.values()),
        sizes,
        f"dimension {', '.join(free)} is free" if free else "",
        numpy, c, c_dtype, csharp,
        _NUMBERS[value.dtype],
        elements,
        elements * nbytes,
    )  # fmt: skip


def _identifier(name: str, position: int, taken: Any) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:40]
    fits = re.fullmatch(r"[A-Za-z_]\w*", plain) and not keyword.iskeyword(plain)
    if not fits or plain in _TAKEN or plain.startswith("__") or plain in taken:
        return f"input_{position}"
    return plain


def _spelled(in_spec: str, leaves: Sequence[str]) -> str | None:
    """The arguments of a call in Python: "ids, scale=2.0"."""
    try:
        tree = read_tree(in_spec, "") if in_spec else flat_call(len(leaves))
        positional, keywords = tree.children or (LEAF, LEAF)
        if tree.count() != len(leaves):
            return None
        rest = iter(leaves)
        parts = [_value(node, rest) for node in positional.children or ()]
        named = list(zip(keywords.keys or (), keywords.children or (), strict=True))
        parts += [f"{_keyword(name)}={_value(node, rest)}" for name, node in named]
    except (ValueError, RecursionError):
        return None
    return ", ".join(parts)


def _keyword(name: object) -> str:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError("no keyword")
    return name


def _value(node: Node, leaves: Iterator[str]) -> str:
    if node.children is None:
        return next(leaves)
    if node.keys is not None:
        pairs = zip(node.keys, node.children, strict=True)
        return "{" + ", ".join(f"{key!r}: {_value(each, leaves)}" for key, each in pairs) + "}"
    parts = [_value(each, leaves) for each in node.children]
    if node.make is list:
        return f"[{', '.join(parts)}]"
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"

"""Nested arguments and results in one file, for a Python without torch. Needs numpy alone.

bfloat16, which numpy lacks, goes as its bits in uint16.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: key of the nesting among the arrays of a file
_TREE = "tree"


def save(path: Path, value: Any) -> None:
    """Write nested tuples, lists, dicts, arrays, `Bits` and plain values."""
    arrays: dict[str, Any] = {}
    tree = _described(value, arrays)
    np.savez(path, **{_TREE: np.array(json.dumps(tree))}, **arrays)


def load(path: Path, bits: Callable[[Any], Any]) -> Any:
    """Read what `save` wrote.

    Args:
        bits: what becomes of an array with the bits of bfloat16.
    """
    with np.load(path) as file:
        return _rebuilt(json.loads(str(file[_TREE])), file, bits)


class Bits:
    """A bfloat16 array: its bits in uint16."""

    def __init__(self, array: Any) -> None:
        self.array = array


def widened(bits: Any) -> Any:
    """bfloat16 as float32: the same numbers."""
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(bits.shape)


def _described(value: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {"dict": [[key, _described(each, arrays)] for key, each in value.items()]}
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [_described(each, arrays) for each in value]}
    if isinstance(value, (Bits, np.ndarray)):
        name = f"array{len(arrays)}"
        arrays[name] = value.array if isinstance(value, Bits) else value
        return {"bits" if isinstance(value, Bits) else "array": name}
    return {"value": value}


def _rebuilt(tree: dict[str, Any], file: Any, bits: Callable[[Any], Any]) -> Any:
    ((kind, content),) = tree.items()
    if kind == "dict":
        return {key: _rebuilt(each, file, bits) for key, each in content}
    if kind in ("tuple", "list"):
        parts = [_rebuilt(each, file, bits) for each in content]
        return tuple(parts) if kind == "tuple" else parts
    if kind == "array":
        return file[content]
    return bits(file[content]) if kind == "bits" else content

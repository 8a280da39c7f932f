"""What a manifest tells that no check compares: how to call the model, its layers, its making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LONGEST = 200
_MAX_FLAGS = 200
_MAX_RANK = 64
_MAX_NBYTES = 1 << 62


@dataclass(frozen=True)
class Value:
    """One of the flat arguments or results."""

    #: "tensor", "constant" or "number"
    kind: str
    name: str
    dtype: str
    #: a number where the size is fixed; a symbol or None where it is free; None: not known
    shape: tuple[int | str | None, ...] | None
    #: of a constant
    value: bool | int | float | str | None


@dataclass(frozen=True)
class Weight:
    """One constant."""

    fqn: str
    kind: str
    dtype: str
    elements: int
    nbytes: int


@dataclass(frozen=True)
class Details:
    """Of one model; what its manifest does not tell is empty."""

    generator: str
    generated_by: str
    zig: str
    #: cpu -> flags of the compile
    flags: Mapping[str, Sequence[str]]
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    weights: Sequence[Weight]
    in_spec: str


def parse_details(tree: Mapping[str, object]) -> Details:
    """Read them from a manifest that was parsed; what is not of its form is left out."""
    call = _table(tree, "call")
    spec = call.get("in_spec")
    return Details(
        generator=_text(tree, "generator"),
        generated_by=_text(_table(tree, "torch"), "generated_by"),
        zig=_text(_table(tree, "zig"), "version"),
        flags={
            _text(row, "cpu"): [str(flag)[:_LONGEST] for flag in _list(row, "flags")[:_MAX_FLAGS]]
            for row in _rows(tree, "dlls")
        },
        inputs=[_value(row) for row in _rows(tree, "inputs")],
        outputs=[_value(row) for row in _rows(tree, "outputs")],
        weights=[_weight(row) for row in _rows(tree, "constants")],
        in_spec=spec if isinstance(spec, str) else "",
    )


def _table(row: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = row.get(key)
    return value if isinstance(value, dict) else {}


def _list(row: Mapping[str, object], key: str) -> list[object]:
    value = row.get(key)
    return value if isinstance(value, list) else []


def _rows(row: Mapping[str, object], key: str) -> list[dict[str, object]]:
    return [each for each in _list(row, key) if isinstance(each, dict)]


def _text(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    return value[:_LONGEST] if isinstance(value, str) else ""


def _value(row: Mapping[str, object]) -> Value:
    value, shape = row.get("value"), row.get("shape")
    return Value(
        kind=_text(row, "kind"),
        name=_text(row, "name"),
        dtype=_text(row, "dtype"),
        shape=_shape(shape),
        value=value[:_LONGEST] if isinstance(value, str) else _plain(value),
    )


def _plain(value: object) -> bool | int | float | None:
    return value if isinstance(value, (bool, int, float)) else None


def _shape(shape: object) -> tuple[int | str | None, ...] | None:
    if not isinstance(shape, list) or len(shape) > _MAX_RANK:
        return None
    return tuple(_size(size) for size in shape)


def _size(size: object) -> int | str | None:
    if isinstance(size, str):
        return size[:_LONGEST]
    return size if isinstance(size, int) and 0 <= size <= _MAX_NBYTES else None


def _weight(row: Mapping[str, object]) -> Weight:
    shape, nbytes = row.get("shape"), row.get("nbytes")
    elements = 1
    for size in shape[:_MAX_RANK] if isinstance(shape, list) else []:
        elements *= size if isinstance(size, int) and 0 <= size <= _MAX_NBYTES else 0
    return Weight(
        fqn=_text(row, "fqn") or _text(row, "name"),
        kind=_text(row, "kind"),
        dtype=_text(row, "dtype"),
        elements=min(elements, _MAX_NBYTES),
        nbytes=nbytes if isinstance(nbytes, int) and 0 <= nbytes <= _MAX_NBYTES else 0,
    )

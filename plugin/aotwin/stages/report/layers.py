"""Weights by layer: as fine as fits a table that is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aotwin.stages.report.details import Weight

#: rows of the table
_MOST = 24


@dataclass(frozen=True)
class Layer:
    """The weights of one module of the network."""

    name: str
    elements: int
    nbytes: int
    dtypes: str
    #: of the largest layer, 0 to 1
    share: float = 0.0


def layers_of(weights: Sequence[Weight], most: int = _MOST) -> list[Layer]:
    """Layers in the order of the weights; named by as much of their path as `most` rows allow."""
    deepest = max((weight.fqn.count(".") for weight in weights), default=0)
    for depth in range(max(1, deepest), 0, -1):
        rows = _grouped(weights, depth)
        if len(rows) <= most:
            return _with_shares(rows)
    rows = _grouped(weights, 1)
    largest = sorted(rows, key=lambda layer: -layer.nbytes)[: most - 1]
    rest = [layer for layer in rows if layer not in largest]
    return _with_shares([*largest, _sum(f"{len(rest)} more", rest)])


def _grouped(weights: Iterable[Weight], depth: int) -> list[Layer]:
    groups: dict[str, list[Layer]] = {}
    for weight in weights:
        module = weight.fqn.split(".")[:-1] or [weight.fqn]
        row = Layer("", weight.elements, weight.nbytes, weight.dtype)
        groups.setdefault(".".join(module[:depth]), []).append(row)
    return [_sum(name, rows) for name, rows in groups.items()]


def _sum(name: str, rows: Sequence[Layer]) -> Layer:
    dtypes = dict.fromkeys(dtype for row in rows for dtype in row.dtypes.split(", ") if dtype)
    return Layer(
        name,
        sum(row.elements for row in rows),
        sum(row.nbytes for row in rows),
        ", ".join(dtypes),
    )


def _with_shares(rows: Sequence[Layer]) -> list[Layer]:
    largest = max((row.nbytes for row in rows), default=0) or 1
    return [
        Layer(row.name, row.elements, row.nbytes, row.dtypes, row.nbytes / largest) for row in rows
    ]

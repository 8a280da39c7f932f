"""How near a model's results are to those of eager torch. Needs numpy alone.

Single elements may differ by more than a test of one operator allows, because rounding adds up
from layer to layer. What must hold is that results are as near to the exact ones (the same network
in float64) as eager's are, or so near to eager's that it makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: dtype of the network -> largest difference to eager's results, as a part of the largest of them
LARGEST: Mapping[str, float] = {"float32": 2e-5, "bfloat16": 6e-2}
#: largest error against float64 as a multiple of eager's
RATIO = 1.5


@dataclass(frozen=True)
class Comparison:
    """One result beside eager's."""

    #: where it is in the results: "[0]['logits']"
    place: str
    #: what differs other than numbers: kinds, shapes, dtypes; "" if nothing does
    mismatch: str
    #: largest difference to eager, over the largest element of eager's
    difference: float = 0.0
    #: error against float64 over eager's error (root of the mean square), where it is known
    ratio: float | None = None

    def passes(self, dtype: str) -> bool:
        """Whether the result is right for a network of this dtype."""
        if self.mismatch or not self.difference < float("inf"):
            return False
        near = self.difference <= LARGEST[dtype]
        return near or (self.ratio is not None and self.ratio <= RATIO)

    def __str__(self) -> str:
        if self.mismatch:
            return f"result{self.place}: {self.mismatch}"
        ratio = "" if self.ratio is None else f", error {self.ratio:.2f} times eager's"
        return f"result{self.place}: differs by {self.difference:.1e} of the largest{ratio}"


def compared(got: Any, eager: Any, exact: Any = None) -> list[Comparison]:
    """Compare results of one call.

    Args:
        got: arrays and plain values in nested tuples, lists and dicts; bfloat16 as float32.
        eager: the same of eager torch.
        exact: the same of the network in float64, where it is at hand.

    Returns:
        One comparison per result, those that differ in kind among them.
    """
    return list(_compared(got, eager, exact, ""))


def _compared(got: Any, eager: Any, exact: Any, place: str) -> Iterator[Comparison]:
    if isinstance(eager, Mapping):
        if not isinstance(got, Mapping) or got.keys() != eager.keys():
            yield Comparison(place, f"is {_kind(got)}, expected {_kind(eager)}")
            return
        for key, value in eager.items():
            part = None if exact is None else exact[key]
            yield from _compared(got[key], value, part, f"{place}[{key!r}]")
    elif isinstance(eager, (tuple, list)):
        if not isinstance(got, Sequence) or len(got) != len(eager):
            yield Comparison(place, f"is {_kind(got)}, expected {_kind(eager)}")
            return
        for number, value in enumerate(eager):
            part = None if exact is None else exact[number]
            yield from _compared(got[number], value, part, f"{place}[{number}]")
    elif isinstance(eager, np.ndarray):
        yield _arrays(got, eager, exact, place)
    else:
        yield Comparison(place, "" if got == eager else f"is {got!r}, expected {eager!r}")


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dict with {', '.join(map(repr, value))}"
    name = type(value).__name__
    return f"a {name} of {len(value)}" if isinstance(value, (tuple, list)) else f"a {name}"


def _arrays(got: Any, eager: np.ndarray, exact: Any, place: str) -> Comparison:
    if not isinstance(got, np.ndarray):
        return Comparison(place, f"is {_kind(got)}, expected an array")
    if got.shape != eager.shape or got.dtype != eager.dtype:
        return Comparison(place, f"is {got.dtype}{got.shape}, expected {eager.dtype}{eager.shape}")
    if eager.dtype.kind not in "fc":
        wrong = int((got != eager).sum())
        return Comparison(place, f"{wrong} of {eager.size} differ" if wrong else "")
    wide = np.complex128 if eager.dtype.kind == "c" else np.float64
    ours, theirs = got.astype(wide), eager.astype(wide)
    finite = np.isfinite(theirs)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    if not same[~finite].all() or not np.isfinite(ours[finite]).all():
        return Comparison(place, "infinite or undefined elements differ")
    if not finite.any():
        return Comparison(place, "")
    scale = float(np.abs(theirs[finite]).max()) or 1.0
    difference = float(np.abs(ours - theirs)[finite].max()) / scale
    return Comparison(place, "", difference, _ratio(ours, theirs, exact, finite, scale))


def _ratio(ours: Any, theirs: Any, exact: Any, finite: Any, scale: float) -> float | None:
    if not isinstance(exact, np.ndarray) or exact.shape != theirs.shape:
        return None
    true = exact.astype(ours.dtype)

    def error(values: Any) -> float:
        return float(np.sqrt(np.mean(np.abs(values - true)[finite] ** 2)))

    # below this, errors are chance
    floor = scale * 2.0**-26
    return max(error(ours), floor) / max(error(theirs), floor)

"""Compare a model's results with those that were expected of it, element by element.

Part of a model's package where it was proven: the build, `aotwin verify` and `--verify` judge by
this code. Needs numpy alone. Elements of types that numpy lacks (bfloat16, float8, complex32) come
raw.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

#: dtype -> (rtol, atol) of torch.testing.assert_close; others must be equal
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
    # One step of their few bits; torch gives none for them.
    "float8_e4m3fn": (0.125, 1e-5),
    "float8_e4m3fnuz": (0.125, 1e-5),
    "float8_e5m2": (0.25, 1e-5),
    "float8_e5m2fnuz": (0.25, 1e-5),
}
#: a largest difference that rounding makes in eager -> atol: both sides round, each in its way
NOISE_FACTOR = 4
#: bits of exponent and of mantissa, bias, whether it is one of those with one NaN and no infinity
_FLOAT8 = {
    "float8_e4m3fn": (4, 3, 7, "fn"),
    "float8_e4m3fnuz": (4, 3, 8, "fnuz"),
    "float8_e5m2": (5, 2, 15, "ieee"),
    "float8_e5m2fnuz": (5, 2, 16, "fnuz"),
}
#: dtype -> how its elements lie in files, where numpy lacks it
_RAW = {"bfloat16": "V2", "complex32": "V4", **dict.fromkeys(_FLOAT8, "V1")}
#: elements at a time
_CHUNK = 1 << 20


def stored_type(dtype: str) -> Any:
    """numpy's type of a dtype's elements in files and arrays."""
    return np.dtype(_RAW.get(dtype, dtype))


def dtype_of(array: Any, known: str = "") -> str:
    """The dtype of an array's elements.

    Args:
        known: what is expected, which tells raw elements apart; "" where nothing is.
    """
    name: str = array.dtype.name
    if array.dtype.kind != "V":
        return name
    if known in _RAW and array.dtype == stored_type(known):
        return known
    return {2: "bfloat16", 4: "complex32"}.get(array.dtype.itemsize, name)


def numbers(array: Any, dtype: str) -> Any:
    """Elements as numbers that numpy computes with: the same values, in a wider type if need be."""
    with np.errstate(invalid="ignore"):  # of a signalling NaN, which stays one
        return _widened(array, dtype)


def _widened(array: Any, dtype: str) -> Any:
    if dtype == "bfloat16":
        bits = array.view(np.uint16).astype(np.uint32)
        return (bits << 16).view(np.float32).astype(np.float64)
    if dtype == "complex32":
        return array.view(np.float16).astype(np.float32).view(np.complex64).astype(np.complex128)
    if dtype in _FLOAT8:
        return _float8_values(*_FLOAT8[dtype])[array.view(np.uint8)]
    if dtype == "bool":
        return array.view(np.uint8)
    return array.astype({"c": np.complex128, "f": np.float64}.get(array.dtype.kind, array.dtype))


def _float8_values(exponent_bits: int, mantissa_bits: int, bias: int, kind: str) -> Any:
    """The value of each of the 256 bit patterns."""
    values = np.empty(256)
    top = (1 << exponent_bits) - 1
    for bits in range(256):
        sign = -1.0 if bits & 0x80 else 1.0
        exponent, mantissa = (bits >> mantissa_bits) & top, bits & ((1 << mantissa_bits) - 1)
        part = mantissa / (1 << mantissa_bits)
        value = math.ldexp(1 + part, exponent - bias) if exponent else math.ldexp(part, 1 - bias)
        if kind == "ieee" and exponent == top:
            value = math.nan if mantissa else math.inf
        elif (kind == "fn" and bits & 0x7F == 0x7F) or (kind == "fnuz" and bits == 0x80):
            value = math.nan
        values[bits] = sign * value
    return values


def inputs_digest(samples: Iterable[Sequence[tuple[str, Any]]]) -> str:
    """sha256 of samples' inputs, hex.

    Args:
        samples: dtype and elements of each tensor among the arguments, for each sample.
    """
    digest = hashlib.sha256()
    for inputs in samples:
        for dtype, array in inputs:
            digest.update(f"{dtype}[{','.join(map(str, array.shape))}]\0".encode())
            # Raw elements have no buffer of their own kind.
            digest.update(
                np.ascontiguousarray(array).view(np.uint8).tobytes()
                if array.ndim
                else array.tobytes()
            )
    return digest.hexdigest()


class Mismatch:
    """A result that is not what was expected."""

    def __init__(self, sample: int, output: Mapping[str, Any], why: str) -> None:
        self.sample = sample
        self.output = output
        self.why = why

    def __str__(self) -> str:
        """In a line or two, with figures, index and both values where values differ."""
        return f"{self.output['name']} of sample {self.sample}: {self.why}"


class Tally:
    """What is found of one output, sample after sample.

    Args:
        output: a row of the proof's `outputs`.
    """

    def __init__(self, output: Mapping[str, Any]) -> None:
        self.output = output
        self.mismatch: Mismatch | None = None
        self.max_abs = self.max_rel = 0.0
        self._histogram: dict[str, int] = {}

    def add(self, sample: int, found: Any, expected: Any) -> None:
        """Compare one sample's result; the first mismatch stays.

        Args:
            found: an array as the model gave it, or None.
            expected: an array, its elements stored as in `proof.npz`.
        """
        problem = self._form(found, expected)
        if not problem and self.output["compared"] == "values":
            problem = self._values(found, expected)
        if problem and self.mismatch is None:
            self.mismatch = Mismatch(sample, self.output, problem)

    def row(self) -> dict[str, Any]:
        """A row of a DLL's `outputs` in the manifest."""
        if self.output["compared"] != "values":
            return {"max_abs": None, "max_rel": None, "histogram": {}}
        order = sorted(self._histogram, key=lambda name: (name != "equal", name[0] != "-", name))
        return {
            "max_abs": self.max_abs,
            "max_rel": self.max_rel,
            "histogram": {name: self._histogram[name] for name in order},
        }

    def _form(self, found: Any, expected: Any) -> str:
        if found is None:
            return "the model gives nothing"
        wanted = self.output["dtype"]
        dtype = dtype_of(found, wanted)
        if dtype != wanted:
            return f"its dtype is {dtype}, expected {wanted}"
        if found.shape != expected.shape:
            return f"its shape is {list(found.shape)}, expected {list(expected.shape)}"
        return ""

    def _values(self, found: Any, expected: Any) -> str:
        dtype, rtol, atol = self.output["dtype"], self.output["rtol"], self.output["atol"]
        wrong, worst = 0, _Worst()
        for start, one, other in _chunks(found, expected, dtype):
            difference = _differences(one, other)
            size = np.abs(other.astype(np.float64 if other.dtype.kind in "iub" else other.dtype))
            with np.errstate(all="ignore"):
                near = (difference <= atol + rtol * size) & np.isfinite(difference)
                bad = ~near & (difference != 0)
                part = np.where(size > 0, difference / size, 0.0)
            # Where infinity was expected and found, the part is none.
            part[difference == 0] = 0.0
            part[np.isnan(part)] = np.inf
            self._count(difference, part)
            if bad.any():
                wrong += int(bad.sum())
                worst.see(start, np.where(bad, difference, -1.0), one, other)
                worst.relative = max(worst.relative, float(part[bad].max()))
        return self._describe(wrong, worst, expected) if wrong else ""

    def _count(self, difference: Any, part: Any) -> None:
        self.max_abs = max(self.max_abs, float(difference.max(initial=0.0)))
        self.max_rel = max(self.max_rel, float(part.max(initial=0.0)))
        some = difference[(difference > 0) & np.isfinite(difference)]
        names, counts = np.unique(np.floor(np.log10(some)).astype(int), return_counts=True)
        found = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
        if equal := int((difference == 0).sum()):
            found["equal"] = equal
        for name, count in found.items():
            self._histogram[name] = self._histogram.get(name, 0) + count

    def _describe(self, wrong: int, worst: _Worst, expected: Any) -> str:
        index = [int(each) for each in np.unravel_index(worst.place, expected.shape)]
        rtol, atol = self.output["rtol"], self.output["atol"]
        allowed = f"{atol:.2g} + {rtol:.2g} * |expected|" if rtol or atol else "none"
        return (
            f"{wrong:,} of {expected.size:,} elements differ by more than is allowed. Largest "
            f"absolute difference {worst.absolute:.6g} at index {index}: found {worst.found}, "
            f"expected {worst.expected}; largest relative difference {worst.relative:.6g}; "
            f"allowed: {allowed}"
        )


def judge(
    rows: Sequence[Mapping[str, Any]],
    found: Iterable[Sequence[Any]],
    expected: Iterable[Sequence[Any]],
) -> tuple[list[dict[str, Any]], Mismatch | None]:
    """Compare what a DLL gave with what is expected.

    Args:
        rows: the proof's `outputs`.
        found: for each sample, the flat results, None where there is no tensor.
        expected: for each sample, an array for each of `rows`.

    Returns:
        The DLL's `outputs`, and the first that is not as it should be.
    """
    tallies = [Tally(row) for row in rows]
    for index, (ours, wanted) in enumerate(zip(found, expected, strict=True)):
        for tally, array in zip(tallies, wanted, strict=True):
            tally.add(index, ours[tally.output["position"]], array)
    mismatch = next((each.mismatch for each in tallies if each.mismatch is not None), None)
    return [each.row() for each in tallies], mismatch


class _Worst:
    """The element that is furthest off."""

    def __init__(self) -> None:
        self.place = 0
        self.absolute = -1.0
        self.relative = 0.0
        self.found = self.expected = ""

    def see(self, start: int, differences: Any, found: Any, expected: Any) -> None:
        """Look at a chunk; elements that are right have a negative difference."""
        here = int(differences.argmax())
        if differences[here] > self.absolute:
            self.place, self.absolute = start + here, float(differences[here])
            self.found, self.expected = str(found[here]), str(expected[here])


def _chunks(found: Any, expected: Any, dtype: str) -> Iterator[tuple[int, Any, Any]]:
    """Flat pieces of two arrays as numbers, and where they start."""
    one, other = found.reshape(-1), expected.reshape(-1)
    for start in range(0, expected.size, _CHUNK):
        piece = slice(start, start + _CHUNK)
        yield start, _numbers_of(one[piece], dtype), _numbers_of(other[piece], dtype)


def _numbers_of(piece: Any, dtype: str) -> Any:
    return numbers(np.ascontiguousarray(piece), dtype)


def _differences(found: Any, expected: Any) -> Any:
    """Absolute differences, 0 for what is the same, infinite where a NaN or infinity is alone."""
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    if found.dtype.kind in "iub":
        # Two integers that are not the same are 1 apart at least, whatever a float makes of them.
        apart = np.abs(found.astype(np.float64) - expected.astype(np.float64))
        return np.where(same, 0.0, np.maximum(apart, 1.0))
    with np.errstate(all="ignore"):
        difference = np.abs(found - expected)
    difference[same] = 0.0
    difference[np.isnan(difference)] = np.inf
    return difference


def table(rows: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> Iterator[str]:
    """Lines of text: what each output of each DLL differs by.

    Args:
        rows: a DLL's name, a row of `outputs` of the proof, the DLL's row.
    """
    yield f"{'DLL':<28} {'output':<20} {'dtype':<10} {'elements':>12} {'difference':>11} allowed"
    for dll, output, found in rows:
        if found["max_abs"] is None:
            difference, allowed = "-", "random: dtype and shape only"
        else:
            difference = f"{found['max_abs']:.2e}"
            rtol, atol = output["rtol"], output["atol"]
            allowed = f"{atol:.1e} + {rtol:.1e} * |expected|" if rtol or atol else "none"
        yield (
            f"{dll:<28} {output['name']:<20} {output['dtype']:<10} {output['elements']:>12,} "
            f"{difference:>11} {allowed}"
        )

"""One case: inputs are made, the C function is called, what it did is compared."""

from __future__ import annotations

import ctypes
from typing import Any

import case_file
import numpy as np
from library import I64, Handle, Library, MismatchError, Value


class Memory:
    """The storage of an input, at an address that is aligned to its elements and no more."""

    def __init__(self, content: bytes, number: int, width: int) -> None:
        self.buffer = np.zeros(len(content) + 128, np.uint8)
        address = self.buffer.ctypes.data
        misaligned = (number % 4) * max(width, 1)
        self.start = -address % 64 + misaligned
        self.address = address + self.start
        self.size = len(content)
        self.buffer[self.start : self.start + self.size] = np.frombuffer(content, np.uint8)

    def content(self) -> bytes:
        return self.buffer[self.start : self.start + self.size].tobytes()


class Run:
    """One case on its way."""

    def __init__(self, library: Library, case: dict[str, Any], data: bytes, number: int) -> None:
        self.library, self.case, self.data = library, case, data
        self.memories: list[Memory] = []
        self.inputs: list[int] = []
        for place, descriptor in enumerate(case["tensors"]):
            width = case_file.DTYPES[descriptor[0]][1]
            memory = Memory(self._bytes(descriptor), number + place, width)
            self.memories.append(memory)
            self.inputs.append(library.from_blob(memory.address, descriptor))

    def _bytes(self, descriptor: list[Any]) -> bytes:
        return self.data[descriptor[4] : descriptor[4] + descriptor[5]]

    def expected(self, descriptor: list[Any]) -> Any:
        dtype, sizes, strides, offset = descriptor[:4]
        raw = np.frombuffer(self._bytes(descriptor), np.uint8)
        return case_file.values(raw, dtype, sizes, strides, offset)

    def run(self, kinds: list[str]) -> str:
        """Call and compare; what is to be remarked, "" where all is well.

        Raises:
            MismatchError: it is not what was expected.
        """
        check = self.case.get("check", "close")
        code, boxes = self.called(kinds)
        if check == "error":
            return self._error(code, boxes)
        if code != 0:
            if self.case.get("optional"):
                return "refused"
            raise MismatchError(f"returns {code}: {self.library.message()[:300]}")
        results = {place: box.value for place, box in boxes.items()}
        returned = [kind for kind in kinds if kind in ("R", "Ri")]
        return self._results(check, results, returned)

    def called(self, kinds: list[str]) -> tuple[int, dict[int, Any]]:
        """Call the function: its code, and the places of its results."""
        boxes: dict[int, Any] = {}
        values = []
        for kind, value in zip(kinds, self.case["args"], strict=True):
            if kind in ("R", "Ri"):
                box = boxes[value] = Handle() if kind == "R" else I64()
                values.append(ctypes.addressof(box))
            else:
                values.append(self._with_handles(kind, value))
        return self.library.call(self.case["shim"], kinds, values), boxes

    def _with_handles(self, kind: str, value: Any) -> Any:
        if not kind.startswith("T") or value is None:
            return value
        if isinstance(value, list):
            return [None if one is None else self.inputs[one] for one in value]
        return self.inputs[value]

    def _error(self, code: int, boxes: dict[int, Any]) -> str:
        if code == 0:
            for box in boxes.values():
                if isinstance(box, Handle) and box.value:
                    self.library.delete(box.value)
            raise MismatchError("accepts what torch refuses")
        if not self.library.message():
            raise MismatchError("an error without a message")
        return ""

    def _results(self, check: Any, results: dict[int, int], kinds_of: list[str]) -> str:
        remarks = []
        found: list[Value | None] = []
        handles = []
        for place, expected in enumerate(self.case.get("returns", [])):
            got = results[place]
            if expected is None or isinstance(expected, int):
                if expected is not None and got != expected:
                    raise MismatchError(f"result {place} is {got}, expected {expected}")
                found.append(None)
                if expected is None and got and kinds_of[place] == "R":
                    handles.append(got)
                continue
            if not got:
                raise MismatchError(f"result {place} is no tensor")
            handles.append(got)
            found.append(self.library.value(got))
        try:
            for place, expected in enumerate(self.case.get("returns", [])):
                value = found[place]
                if value is not None:
                    remarks.append(self._compared(f"result {place}", value, expected, check, place))
            if isinstance(check, list) and check[0] in ("points", "permutation"):
                self._ties(check, found)
            if isinstance(check, list) and check[0] == "dropout":
                self._dropout(check[1], found)
            self._aliases(found)
            written = self.case.get("writes", [])
            for order, (number, expected) in enumerate(written):
                value = self.library.value(self.inputs[number])
                remarks.append(self._compared(f"argument {number}", value, expected, check, order))
            self._untouched({number for number, _ in written})
        finally:
            for handle in handles:
                self.library.delete(handle)
        return "; ".join(remark for remark in remarks if remark)

    def _aliases(self, found: list[Value | None]) -> None:
        expected = dict(self.case.get("aliases", []))
        for place, value in enumerate(found):
            if value is None or value.elements.size == 0:
                continue
            owner = next(
                (
                    number
                    for number, memory in enumerate(self.memories)
                    if memory.address <= value.address < memory.address + memory.size
                ),
                None,
            )
            if owner != expected.get(place):
                raise MismatchError(
                    f"result {place} shows memory of argument {owner},"
                    f" expected {expected.get(place)}"
                )

    def _untouched(self, written: set[int]) -> None:
        for number, memory in enumerate(self.memories):
            descriptor = self.case["tensors"][number]
            if number not in written and memory.content() != self._bytes(descriptor):
                raise MismatchError(f"argument {number} was written")

    def _compared(
        self, what: str, got: Value, descriptor: list[Any], check: Any, place: int
    ) -> str:
        dtype, sizes, strides = descriptor[:3]
        if got.dtype != dtype:
            names = [case_file.DTYPES[one][0] for one in (got.dtype, dtype)]
            raise MismatchError(f"{what} is {names[0]}, expected {names[1]}")
        if got.sizes != sizes:
            raise MismatchError(f"{what} has sizes {got.sizes}, expected {sizes}")
        if _layout(got.sizes, got.strides) != _layout(sizes, strides):
            raise MismatchError(
                f"{what} has strides {got.strides}, expected {strides}, sizes {sizes}"
            )
        if check == "unfilled":
            return ""
        if check == "shuffled":
            if np.array_equal(np.sort(got.elements), np.arange(sizes[0])):
                return ""
            raise MismatchError(f"{what} is no permutation")
        if isinstance(check, list) and check[0] == "random":
            return _in_range(what, got.elements, check[1], check[2])
        if isinstance(check, list) and check[0] == "dropout":
            return ""
        if isinstance(check, list) and check[0] in ("points", "permutation") and place == 1:
            return ""
        return self._close(what, got.elements, self.expected(descriptor), dtype, place)

    def _close(self, what: str, got: Any, expected: Any, dtype: int, place: int) -> str:
        name = case_file.DTYPES[dtype][0]
        if name not in case_file.TOLERANCES:
            if np.array_equal(got, expected):
                return ""
            raise MismatchError(f"{what}: {_difference(got, expected, got != expected)}")
        relative, absolute = case_file.TOLERANCES[name]
        wider = self.case.get("tolerance")
        if wider:
            relative, absolute = max(relative, wider[0]), max(absolute, wider[1])
        wide = np.complex128 if got.dtype.kind == "c" else np.float64
        with np.errstate(all="ignore"):
            ours, theirs = got.astype(wide), expected.astype(wide)
            near = np.abs(ours - theirs) <= absolute + relative * np.abs(theirs)
            wrong = ~(near | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
            remark = self._ratio(ours, place)
            if not wrong.any():
                return remark
            errors = self.case.get("eager_error") or []
            allowed = 2.0 * (errors[place] or 0.0) if place < len(errors) else 0.0
            if allowed and np.nanmax(np.abs(ours - theirs)[wrong]) <= allowed:
                return remark or f"{what} as near to float64 as torch's"
            if remark and float(remark.split()[0].removeprefix("ratio=")) <= 1.5:
                return remark
        raise MismatchError(f"{what}: {_difference(got, expected, wrong)} {remark}".strip())

    def _ratio(self, ours: Any, place: int) -> str:
        """The error of a product against float64, as a multiple of that of torch's."""
        exact = self.case.get("exact") or []
        if place >= len(exact) or exact[place] is None:
            return ""
        true = self.expected(exact[place])
        theirs = (
            self.expected((self.case.get("returns") or [])[place])
            if self.case.get("returns")
            else self.expected(self.case["writes"][place][1])
        )
        finite = np.isfinite(true) & np.isfinite(ours) & np.isfinite(theirs.astype(np.float64))
        if not finite.any():
            return ""
        # what one rounding of the largest element costs anyway
        scale = float(np.abs(true[finite]).max()) * 2.0**-24 + 1e-30
        error_ours = float(np.sqrt(np.mean((ours - true)[finite] ** 2)))
        error_theirs = float(np.sqrt(np.mean((theirs.astype(np.float64) - true)[finite] ** 2)))
        ratio = max(error_ours, scale / 4) / max(error_theirs, scale / 4)
        return f"ratio={ratio:.3f} of {int(finite.sum())}"

    def _ties(self, check: list[Any], found: list[Value | None]) -> None:
        """Indices name elements that are equal to the values beside them."""
        values, indices = found[0], found[1]
        assert values is not None and indices is not None
        source = self.expected(self.case["tensors"][0])
        dim = check[1]
        if source.ndim == 0 or dim is None:
            source, dim = source.reshape(-1), 0
        shape_values, shape_indices = values.elements, indices.elements
        if shape_values.ndim < source.ndim:
            shape_values = np.expand_dims(shape_values, dim)
            shape_indices = np.expand_dims(shape_indices, dim)
        if shape_indices.size == 0:
            return
        if shape_indices.min() < 0 or shape_indices.max() >= source.shape[dim]:
            raise MismatchError("result 1: an index is out of range")
        pointed = np.take_along_axis(source, shape_indices, dim)
        if not np.array_equal(pointed, shape_values, equal_nan=pointed.dtype.kind == "f"):
            raise MismatchError("result 1: an index points at another value")
        if check[0] == "permutation":
            counted = np.sort(shape_indices, dim)
            straight = np.arange(source.shape[dim])
            shape = [1] * source.ndim
            shape[dim] = -1
            if not (counted == straight.reshape(shape)).all():
                raise MismatchError("result 1: the indices are no permutation")

    def _dropout(self, probability: float, found: list[Value | None]) -> None:
        out, mask = found[0], found[1]
        assert out is not None and mask is not None
        source = self.expected(self.case["tensors"][0]).astype(np.float64)
        scale = 0.0 if probability == 1 else 1.0 / (1.0 - probability)
        wanted = source * mask.elements * scale
        if not np.allclose(out.elements.astype(np.float64), wanted, rtol=1.6e-2, equal_nan=True):
            raise MismatchError("result 0 is not the kept elements, scaled")

    def close(self) -> None:
        for handle in self.inputs:
            self.library.delete(handle)


def _layout(sizes: list[int], strides: list[int]) -> list[int]:
    """The strides that matter: none of a dimension of one element, or of an empty tensor."""
    if 0 in sizes:
        return []
    return [stride for size, stride in zip(sizes, strides) if size > 1]  # noqa: B905


def _difference(got: Any, expected: Any, wrong: Any) -> str:
    where = tuple(int(one[0]) for one in np.nonzero(wrong)) if wrong.ndim else ()
    return (
        f"{int(wrong.sum())} of {wrong.size} differ, first at {list(where)}:"
        f" got {got[where]!s}, expected {expected[where]!s}"
    )


def _in_range(what: str, got: Any, low: float, high: float) -> str:
    wide = got.astype(np.float64)
    # rounding to a narrow dtype may reach the upper end
    if wide.size and not ((wide >= low) & (wide <= high)).all():
        raise MismatchError(f"{what} has {wide.min()} to {wide.max()}, expected {low} to {high}")
    if wide.size >= 16 and high - low > 2 and np.ptp(wide) == 0:
        raise MismatchError(f"{what} is {wide.flat[0]} everywhere")
    return ""

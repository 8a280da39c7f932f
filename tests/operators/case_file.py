"""The file in which calls of torch's C interface and what torch answers are kept.

An .npz with two members: `cases`, a JSON document in UTF-8, and `data`, the bytes that its tensors
refer to. Written on Linux with torch, read anywhere with numpy alone.

The JSON document holds `shims` (name -> kinds of its C arguments, see KINDS) and `cases`. A case:

    shim, dtype, source   what is called, for which dtype, and where the inputs come from
    tensors               descriptors of the inputs
    args                  one value per kind; tensors by their number
    returns               what is expected: a descriptor, or an int
    writes                [number of an input, its descriptor after the call]
    aliases               [number of a result, number of the input whose memory it shows]
    check                 how results are compared: "close" unless said otherwise
    tolerance             [relative, absolute] of the case's dtype, where larger than the default
    eager_error           per result: largest error of torch's own against float64, or null
    exact                 per result: descriptor of the float64 result, or null
    optional              may be refused: torch's own C function does, or we need not take it

A descriptor is [dtype, sizes, strides, storage offset, place in data, bytes]: dtype is torch's
number, the bytes are those of the storage up to the last element.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

#: kind of an argument -> the C types that it is passed as
KINDS = {
    "T": ("AtenTensorHandle",),
    "T?": ("AtenTensorHandle*",),
    "T[]": ("const AtenTensorHandle*", "int64_t"),
    "T?[]": ("const AtenTensorHandle**", "int64_t"),
    "i": ("int64_t",),
    "i?": ("int64_t*",),
    "i[]": ("const int64_t*", "int64_t"),
    "i[]?": ("const int64_t**", "int64_t"),
    "d": ("double",),
    "d?": ("double*",),
    "d[]": ("const double*", "int64_t"),
    "d[]?": ("const double**", "int64_t"),
    "d?[]": ("const double**", "int64_t"),
    "f": ("float",),
    "b": ("int32_t",),
    "b?": ("int32_t*",),
    "b[]": ("const int32_t*", "int64_t"),
    "e": ("int32_t",),
    "e?": ("int32_t*",),
    "s": ("const char*",),
    "s?": ("const char**",),
    "D": ("int32_t", "int32_t"),
    "D?": ("int32_t*", "int32_t"),
    "G?": ("AtenGeneratorHandle*",),
    "R": ("AtenTensorHandle*",),
    "Ri": ("int64_t*",),
    # of functions written by hand
    "bool": ("bool",),
    "T[u32]": ("const AtenTensorHandle*", "const uint32_t"),
    "i*": ("const int64_t*",),
}

#: torch's number -> (name, bytes, numpy's dtype or None)
DTYPES: dict[int, tuple[str, int, Any]] = {
    0: ("uint8", 1, np.uint8),
    1: ("int8", 1, np.int8),
    2: ("int16", 2, np.int16),
    3: ("int32", 4, np.int32),
    4: ("int64", 8, np.int64),
    5: ("float16", 2, np.float16),
    6: ("float32", 4, np.float32),
    7: ("float64", 8, np.float64),
    9: ("complex64", 8, np.complex64),
    10: ("complex128", 16, np.complex128),
    11: ("bool", 1, np.bool_),
    15: ("bfloat16", 2, None),
    27: ("uint16", 2, np.uint16),
    28: ("uint32", 4, np.uint32),
    29: ("uint64", 8, np.uint64),
}

#: torch.testing.assert_close's defaults: relative, absolute
TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def write(path: Path, document: dict[str, Any], data: bytes) -> None:
    """Write a file of cases; it is complete or not there."""
    text = json.dumps(document, separators=(",", ":")).encode()
    stream = io.BytesIO()
    np.savez_compressed(
        stream, cases=np.frombuffer(text, np.uint8), data=np.frombuffer(data, np.uint8)
    )
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(stream.getvalue())
    unfinished.replace(path)


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the JSON document and the data."""
    with np.load(path) as members:
        return json.loads(members["cases"].tobytes()), members["data"].tobytes()


def values(raw: np.ndarray, dtype: int, sizes: list[int], strides: list[int], offset: int) -> Any:
    """Read a tensor's elements, contiguous, in a dtype of numpy; bfloat16 as float32.

    Args:
        raw: the bytes of the storage.
        dtype: torch's number.
        sizes: of the tensor.
        strides: in elements.
        offset: of the first element, in elements.
    """
    _, width, kind = DTYPES[dtype]
    base = np.frombuffer(raw, np.uint16 if kind is None else kind, raw.size // width)
    if 0 in sizes:
        view = np.empty(sizes, base.dtype)
    else:
        view = np.lib.stride_tricks.as_strided(
            base[offset:], sizes, [stride * width for stride in strides]
        ).copy()
    if kind is None:
        wide = np.left_shift(view.reshape(-1).astype(np.uint32), 16)
        view = wide.view(np.float32).reshape(sizes)
    return view

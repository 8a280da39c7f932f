"""Samples of a ready wrapper: an `.npz` with inputs and expected results. Part of `generate`.

    call0_argument0, call0_argument1, ..., call0_result0, ..., call1_argument0, ...

Arguments are the tensors among the flat arguments, results the flat results by their position.
bfloat16, complex32 and float8, which numpy lacks, are raw elements of 2, 4 and 1 bytes, as numpy
writes arrays of ml_dtypes. The file may be anybody's: no pickles are read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from aotwin.errors import ConfigurationError
from aotwin.payload.comparing import dtype_of
from aotwin.proof_samples import ExpectedResult, Samples, StoredTensor, TensorFile
from aotwin.values import TensorSpec, Wrapper

_NAME = re.compile(r"call(0|[1-9][0-9]{0,5})_(argument|result)(0|[1-9][0-9]{0,5})")
_FORM = "See docs/how-to/prove-a-model.md for how such a file is written."
#: torch's generated code draws random numbers through these
_RANDOM = re.compile(
    r"\b(normalized_rand_cpu|randn_cpu|randint64_cpu|rand_cpu|aoti_torch_cpu_rand)"
)


def archive_samples(path: Path, wrapper: Wrapper, folder: Path) -> Samples:
    """Read the samples of a ready wrapper.

    Args:
        path: the `.npz`.
        folder: where inputs and results go.

    Raises:
        ConfigurationError: it cannot be read, or does not fit the wrapper.
    """
    import numpy as np

    try:
        # numpy leaves a file open that it opened and could not read.
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise ValueError("it is no .npz archive")
            with arrays:
                return _read(path, arrays, wrapper, folder)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"the samples in {path} cannot be read",
            cause=str(error) or type(error).__name__,
            next_step=_FORM,
        ) from error


def _read(path: Path, arrays: Any, wrapper: Wrapper, folder: Path) -> Samples:
    calls = _calls(arrays.files)
    positions = [
        position
        for position in range(len(wrapper.outputs))
        if position not in wrapper.fixed_outputs
    ]
    inputs, results = [], []
    with (
        closing(TensorFile(folder / "inputs")) as inputs_file,
        closing(TensorFile(folder / "results")) as results_file,
    ):
        for index, names in enumerate(calls):
            _require_positions(index, names, "argument", range(len(wrapper.inputs)))
            _require_positions(index, names, "result", positions)
            inputs.append(
                tuple(
                    _stored(inputs_file, arrays[names["argument", place]], spec, index)
                    for place, spec in enumerate(wrapper.inputs)
                )
            )
            results.append(
                tuple(
                    _stored(
                        results_file, arrays[names["result", place]], wrapper.outputs[place], index
                    )
                    for place in positions
                )
            )
    is_random = _RANDOM.search(wrapper.source) is not None
    return Samples(
        source=path.name,
        inputs_file=inputs_file.path,
        results_file=results_file.path,
        inputs=tuple(inputs),
        results=tuple(results),
        outputs=tuple(
            ExpectedResult(place, wrapper.outputs[place].name, stored.dtype, is_random=is_random)
            for place, stored in zip(positions, results[0], strict=True)
        ),
    )


def _calls(names: list[str]) -> list[dict[tuple[str, int], str]]:
    """For each call: ("argument", 0) -> name in the archive."""
    calls: dict[int, dict[tuple[str, int], str]] = {}
    for name in names:
        found = _NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"it has an array {name[:80]!r}; names are like call0_argument0")
        calls.setdefault(int(found[1]), {})[found[2], int(found[3])] = name
    if not calls or sorted(calls) != list(range(len(calls))):
        raise ValueError("its calls are not numbered 0, 1, 2, ...")
    return [calls[index] for index in range(len(calls))]


def _require_positions(
    index: int, names: Mapping[tuple[str, int], str], kind: str, wanted: Any
) -> None:
    found = sorted(place for each, place in names if each == kind)
    if found != list(wanted):
        raise ValueError(f"call {index} has the {kind}s {found}, the model's are {list(wanted)}")


def _stored(file: TensorFile, array: Any, spec: TensorSpec, index: int) -> StoredTensor:
    import numpy as np

    dtype = dtype_of(array, spec.dtype)
    sizes = [size if isinstance(size, int) else None for size in spec.shape or ()]
    fits = spec.shape is None or (
        len(sizes) == array.ndim
        and all(size in (None, found) for size, found in zip(sizes, array.shape, strict=True))
    )
    if (spec.dtype and dtype != spec.dtype) or not fits or array.dtype.kind in "OUSMm":
        raise ValueError(
            f"call {index}: {spec.name} is {dtype} {list(array.shape)}, the model's is "
            f"{spec.dtype or 'of any dtype'} {list(spec.shape) if spec.shape is not None else ''}"
        )
    plain = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return file.append(dtype, array.shape, plain.reshape(-1).view(np.uint8) if plain.size else b"")

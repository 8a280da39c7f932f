"""Prove a model once more: run its DLLs with the samples of the build, and compare.

    python -m demo.classifier --verify

Part of a model's package where it was proven and holds what that was done with. Needs Windows and
numpy; torch only for a model over torch. Each DLL that this CPU can run is opened and run.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import Input, ModelError
from .comparing import Mismatch, dtype_of, judge, stored_type, table

_CHUNK = 1 << 20


class Kept:
    """What a package holds of its proof.

    Args:
        folder: where `aotwin.json` lies.

    Raises:
        ModelError: it holds none, or other than the build wrote.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.manifest: dict[str, Any] = json.loads(
                (folder / "aotwin.json").read_text(encoding="utf-8")
            )
        except (OSError, ValueError) as error:
            raise ModelError(f"{folder / 'aotwin.json'} cannot be read: {error}") from error
        self.folder = folder
        self.name = str(self.manifest.get("name", folder.name))
        self.proof: dict[str, Any] = self.manifest.get("proof") or {}
        if not self.proof.get("data"):
            what = "were not kept" if self.proof else "there are none"
            raise ModelError(
                f"{self.name} cannot be proven again: of samples to run it with, {what}. "
                'Build it with check = "run" and proof-data = true.'
            )
        self.rows: list[dict[str, Any]] = self.proof["outputs"]
        # A plain name, whatever the manifest says.
        name = Path(str(self.proof["data"])).name
        self.path = folder / name
        self._require_same(name)

    def _require_same(self, name: str) -> None:
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise ModelError(f"{self.path} cannot be read: {error.strerror}") from error
        if digest.hexdigest() != self.manifest["files"].get(name):
            raise ModelError(f"{self.path} is not the one that was built. Reinstall the package.")

    def samples(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """For each call, the tensors among its flat arguments and what is expected of `rows`."""
        takes = sum(1 for row in self.manifest["inputs"] if row["kind"] == "tensor")
        with np.load(self.path, allow_pickle=False) as arrays:
            for call in range(self.proof["samples"]):
                yield (
                    [arrays[f"call{call}_argument{place}"] for place in range(takes)],
                    [arrays[f"call{call}_result{row['position']}"] for row in self.rows],
                )


class Outcome:
    """What came of one DLL.

    Args:
        dll: its file name.
        rows: of the manifest's form, one for each output.
        problem: why it is not proven, "" where it is.
        unproven: why it was not run, "" where it was.
    """

    def __init__(
        self,
        dll: str,
        rows: Sequence[dict[str, Any]] = (),
        problem: Mismatch | str | None = None,
        unproven: str = "",
    ) -> None:
        self.dll = dll
        self.rows = rows
        self.problem = str(problem or "")
        self.unproven = unproven


def main(folder: Path) -> int:
    """Prove the model of a folder here; prints a table, and returns an exit code."""
    try:
        kept = Kept(folder)
        outcomes = verify(kept)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return told(kept, outcomes)


def told(kept: Kept, outcomes: Sequence[Outcome]) -> int:
    """Print what came of the DLLs; returns an exit code: 0 where one was run and all held."""
    rows = [
        (each.dll, expected, found)
        for each in outcomes
        for expected, found in zip(kept.rows, each.rows, strict=False)
    ]
    for line in table(rows):
        print(line)
    for each in outcomes:
        if each.unproven:
            print(f"{each.dll}: not run: {each.unproven}")
        if each.problem:
            print(f"{each.dll}: {each.problem}")
    wrong = sum(1 for each in outcomes if each.problem)
    run = sum(1 for each in outcomes if not each.unproven)
    if wrong or not run:
        what = f"{wrong} of {run} DLLs do not hold" if wrong else "no DLL could be run here"
        print(f"{kept.name}: not proven: {what}")
        return 1
    print(f"{kept.name}: proven with {_count(kept.proof['samples'], 'sample')}")
    return 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def verify(kept: Kept) -> list[Outcome]:
    """Run each DLL of a model here and compare.

    Raises:
        ModelError: this is not Windows, or the run time does not fit.
    """
    _require_windows(kept.name, sys.platform)
    inputs = [Input(kept.name, row) for row in kept.manifest["inputs"] if row["kind"] == "tensor"]
    opener = _over_torch if kept.manifest.get("runtime", "torch") == "torch" else _over_own
    open_dll = opener(kept, inputs)
    return [_outcome(kept, str(row["file"]), row["cpu"], open_dll) for row in kept.manifest["dlls"]]


def _require_windows(name: str, platform: str) -> None:
    if platform != "win32":
        raise ModelError(
            f"{name} is for Windows and cannot be run on {platform}. Install the wheel on Windows; "
            "on Linux, aotwin verify runs it through Wine."
        )


class WrongCpuError(Exception):
    """This machine's CPU lacks what a DLL was compiled for."""


#: takes the arrays of one call, gives its flat results as arrays
_Run = Callable[[Sequence[Any]], "list[Any]"]
#: takes a DLL's path and its CPU level
_Open = Callable[[Path, str], _Run]


def _outcome(kept: Kept, dll: str, cpu: str, open_dll: _Open) -> Outcome:
    try:
        run = open_dll(kept.folder / dll, cpu)
        found = [run(inputs) for inputs, _ in kept.samples()]
    except WrongCpuError as error:
        return Outcome(dll, unproven=str(error))
    except (ModelError, RuntimeError, TypeError, ValueError, MemoryError) as error:
        return Outcome(dll, problem=str(error) or type(error).__name__)
    rows, mismatch = judge(kept.rows, found, (expected for _, expected in kept.samples()))
    return Outcome(dll, rows, mismatch)


def _over_own(kept: Kept, inputs: Sequence[Input]) -> _Open:
    """Through the run time's library, and so without torch whatever is installed."""
    from .arrays import BY_NUMBER, DIMS, DTYPES, Place
    from .c_api import CPU_LACKS, Tensor, load_library

    library = load_library(kept.folder.joinpath(*kept.manifest["libs"]["library"].split("/")))

    def array_of(tensor: Tensor) -> Any:
        dtype = BY_NUMBER.get(tensor.dtype)
        if dtype is None:
            return None
        shape = DIMS[tensor.rank].from_address(tensor.sizes)[:] if tensor.rank else ()
        if not all(shape):
            return np.empty(shape, stored_type(dtype.name))
        steps = DIMS[tensor.rank].from_address(tensor.strides)[:] if tensor.rank else ()
        span = 1 + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
        memory = ctypes.string_at(tensor.data, span * dtype.itemsize)
        plain = np.frombuffer(memory, stored_type(dtype.name))
        strides = [step * dtype.itemsize for step in steps]
        return np.lib.stride_tricks.as_strided(plain, shape, strides)

    def open_dll(dll: Path, cpu: str) -> _Run:
        try:
            opened = library.open(dll, 1, 0)
        except ModelError as error:
            if error.status == CPU_LACKS:
                raise WrongCpuError(f"this machine's CPU is not {cpu}") from error
            raise

        def run(arrays: Sequence[Any]) -> list[Any]:
            tensors = (Tensor * len(arrays))()
            kept_alive = []
            for tensor, array, expected in zip(tensors, arrays, inputs, strict=True):
                place, plain = Place(tensor), np.array(array, order="C")
                place.fill(plain.ctypes.data, DTYPES[_dtype(plain, expected)], plain.shape, None)
                kept_alive.append((place, plain))
            found = library.run(
                kept.name, opened.address, ctypes.addressof(tensors), len(arrays), ctypes.c_void_p()
            )
            results = []
            for index in range(len(kept.manifest["outputs"])):
                tensor = Tensor()
                library.get(kept.name, found, index, tensor)
                results.append(array_of(tensor))
            return results

        return run

    return open_dll


def _over_torch(kept: Kept, inputs: Sequence[Input]) -> _Open:
    """Through torch's own runner, as the package's loader does."""
    import torch

    from . import over_torch

    over_torch.require_torch(kept.manifest, torch.__version__)
    levels = over_torch.supported_levels()

    def tensor_of(array: Any, expected: Input) -> Any:
        dtype = getattr(torch, _dtype(array, expected))
        if array.dtype.kind != "V":
            return torch.from_numpy(np.array(array, order="C"))
        size = array.dtype.itemsize
        plain = np.frombuffer(array.tobytes(), f"i{size}").reshape(array.shape).copy()
        return torch.from_numpy(plain).view(dtype)

    def array_of(tensor: Any) -> Any:
        if tensor is None:
            return None
        plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
        elements = plain.reshape(-1).view(torch.uint8).numpy() if plain.numel() else b""
        dtype = stored_type(str(tensor.dtype).removeprefix("torch."))
        return np.frombuffer(bytes(elements), dtype).reshape(tuple(tensor.shape))

    def open_dll(dll: Path, cpu: str) -> _Run:
        if not levels.get(cpu, False):
            raise WrongCpuError(f"this machine's CPU is not {cpu}")
        runner = over_torch.Runner(dll, inputs, 1)
        return lambda arrays: [
            array_of(each) for each in runner.run([*map(tensor_of, arrays, inputs)])
        ]

    return open_dll


def _dtype(array: Any, expected: Input) -> str:
    return expected.dtype or dtype_of(array)

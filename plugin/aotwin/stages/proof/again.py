"""A built model proven once more, through Wine, with the samples that its package holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from aotwin.adapters.storage.files import temporary_folder
from aotwin.adapters.tools.zig import find_zig
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import (
    MAX_MANIFEST_NBYTES,
    Manifest,
    ManifestError,
    parse_manifest,
)
from aotwin.payload import ModelError
from aotwin.payload.comparing import dtype_of, judge
from aotwin.payload.verify import Kept, Outcome
from aotwin.proof_samples import ExpectedResult, Samples, TensorFile
from aotwin.stages.proof.host import DllRun, Ran, build_host, run_dlls
from aotwin.stages.proof.judging import expected_arrays, found_arrays
from aotwin.stages.run import torch_folder
from aotwin.stages.runtime import build_library
from aotwin.target.toolchain import Toolchain, load_toolchain


def verify_folder(folder: Path) -> tuple[Kept, list[Outcome]]:
    """Run each DLL of a built model under Wine and compare.

    Args:
        folder: where `aotwin.json` lies. Its DLLs are run: they must be trusted.

    Raises:
        ModelError: it is no built model, or holds nothing to prove it with.
        ToolError: Wine or zig is missing or failed.
        SysrootError: torch's DLLs cannot be had.
    """
    manifest = _manifest(folder)
    with _readable(folder), temporary_folder() as work:
        kept = Kept(folder)
        samples = _samples(kept, work)
        toolchain = load_toolchain(manifest.target)
        zig = find_zig()
        host = build_host(toolchain, zig)
        library, torch = _run_time(folder, manifest, toolchain)
        outputs = len(kept.manifest["outputs"])
        runs = [
            DllRun(folder / dll.file, library, torch, samples, outputs) for dll in manifest.dlls
        ]
        return kept, [
            _outcome(kept, dll.file, dll.cpu, ran, samples)
            for dll, ran in zip(manifest.dlls, run_dlls(runs, host, work), strict=True)
        ]


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """What a package holds may be anything, and fail anywhere."""
    try:
        yield
    except (ArithmeticError, EOFError, LookupError, TypeError, ValueError, BadZipFile) as error:
        raise ModelError(
            f"what {folder} holds of its proof cannot be used: {type(error).__name__}: {error}"
        ) from error


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            return parse_manifest(file.read(MAX_MANIFEST_NBYTES))
    except (OSError, ManifestError) as error:
        raise ModelError(f"{path} is no manifest of a built model: {error}") from error


def _run_time(folder: Path, manifest: Manifest, toolchain: Toolchain) -> tuple[Path, Path | None]:
    """The library that opens the model's DLLs, and the folder of torch's DLLs if it needs them."""
    if manifest.libs is not None:
        return folder / manifest.libs.library, None
    library = build_library(toolchain, find_zig(), jobs=len(os.sched_getaffinity(0)))
    return library, torch_folder(toolchain, manifest.torch_version)


def _samples(kept: Kept, work: Path) -> Samples:
    """The package's samples as files that the host can read."""
    rows = [row for row in kept.manifest["inputs"] if row["kind"] == "tensor"]
    inputs, results = [], []
    with (
        closing(TensorFile(work / "inputs")) as inputs_file,
        closing(TensorFile(work / "results")) as results_file,
    ):
        for arguments, expected in kept.samples():
            inputs.append(
                tuple(
                    _stored(inputs_file, array, row)
                    for array, row in zip(arguments, rows, strict=True)
                )
            )
            results.append(
                tuple(
                    _stored(results_file, array, row)
                    for array, row in zip(expected, kept.rows, strict=True)
                )
            )
    return Samples(
        source=kept.path.name,
        inputs_file=inputs_file.path,
        results_file=results_file.path,
        inputs=tuple(inputs),
        results=tuple(results),
        outputs=tuple(
            ExpectedResult(row["position"], row["name"], row["dtype"]) for row in kept.rows
        ),
    )


def _stored(file: TensorFile, array: Any, row: Mapping[str, Any]) -> Any:
    dtype = dtype_of(array, row.get("dtype") or "")
    return file.append(dtype, array.shape, array.tobytes())


def _outcome(kept: Kept, dll: str, cpu: str, ran: Ran, samples: Samples) -> Outcome:
    if ran.wrong_cpu:
        return Outcome(dll, unproven=f"this machine's CPU is not {cpu}")
    if ran.failure:
        return Outcome(dll, problem=ran.failure)
    rows, mismatch = judge(kept.rows, found_arrays(ran), expected_arrays(samples))
    return Outcome(dll, rows, mismatch)

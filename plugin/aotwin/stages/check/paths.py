"""Check what a path leads to: a DLL, a folder with built models, a wheel, a `.pt2`.

The manifest of a model says what its files must be; rules compare. A path that leads nowhere, and
a file that is not what it should be, whatever is wrong with it, is a finding and no error.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from aotwin.adapters.archives.untrusted_files import DamagedFileError, FolderFiles
from aotwin.adapters.pe.readers import Read, read_with_all
from aotwin.formats.findings import Report
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.stages.check.archives import check_archive
from aotwin.stages.check.images import judge_dll, judge_sdk_program
from aotwin.stages.check.inspection import TARGET, Inspection
from aotwin.stages.check.models import check_blob, check_models, manifest_at
from aotwin.stages.check.rules import INPUT_RULES, SDK_BIN, Input, Model
from aotwin.stages.check.rules.policy import load_policy, load_sdk_policies
from aotwin.stages.link import Sysroot

_SUFFIXES: Mapping[str, Literal["dll", "wheel", "pt2"]] = {
    ".dll": "dll",
    ".pyd": "dll",
    ".whl": "wheel",
    ".pt2": "pt2",
}


def check_path(
    path: Path,
    sysroots: Mapping[str, Sysroot] | None,
    *,
    full: bool = False,
    read: Read | None = None,
) -> Report:
    """Check whatever a path leads to.

    Args:
        path: a DLL (with its manifest and blob, where they lie beside it), a program of the SDK, a
            folder with built models at any depth, a wheel or a `.pt2`.
        sysroots: of the target, torch version -> sysroot, to compare imports with; None where
            there is none at hand.
        full: whether to hash blobs and other large files as well.
        read: `Readers.read`; by default each DLL gets processes of its own.

    Returns:
        The report. Bad input, whatever it is, is a finding.

    Raises:
        ToolError: pefile or LIEF is not installed.
    """
    inspection = Inspection(load_policy(TARGET), sysroots or {}, full, read or read_with_all)
    kind, problem = _kind(path)
    models: int | None = 0
    try:
        if kind == "dll":
            _check_dll(path, inspection)
        elif kind == "folder":
            models = check_models(FolderFiles(path), inspection)
        elif kind in ("wheel", "pt2"):
            models = check_archive(path, kind == "wheel", inspection)
    except DamagedFileError as error:
        problem = str(error)
    inspection.apply(INPUT_RULES, Input(kind, problem, models))
    return inspection.report(str(path))


def _kind(path: Path) -> tuple[Literal["dll", "folder", "wheel", "pt2", "unknown"], str]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "folder", ""
        if not stat.S_ISREG(mode):
            return "unknown", "no regular file"
        kind = _SUFFIXES.get(path.suffix.lower())
        with path.open("rb") as file:
            start = file.read(2)
    except (OSError, ValueError) as error:
        return "unknown", str(error)
    if kind is not None:
        return kind, ""
    return ("dll", "") if start == b"MZ" else ("unknown", "a file of another kind")


def _check_dll(path: Path, inspection: Inspection) -> None:
    """One DLL; what lies beside it is looked at only as far as it is about this DLL."""
    try:
        path = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise DamagedFileError(str(error)) from error
    files = FolderFiles(path.parent, recursive=False)
    manifest, _ = manifest_at(files, MANIFEST_NAME)
    if manifest is not None and path.name not in {dll.file for dll in manifest.dlls}:
        manifest = None
    if manifest is None and path.name in load_sdk_policies(TARGET):
        _check_sdk_program(path, inspection)
        return
    pairings = judge_dll(files, path.name, manifest, inspection)
    model = Model("", files, manifest, "", pairings, inspection.full)
    if not model.blob_path:
        inspection.skip("MODEL-BLOB-TRAILER", "the DLL's blob does not lie beside it")
        return
    if not inspection.full:
        inspection.skip("MODEL-BLOB-DIGEST", "the whole blob is hashed with --full")
    check_blob(model, inspection)


def _check_sdk_program(path: Path, inspection: Inspection) -> None:
    """`aotwin.dll` or `aotwin-run.exe`, in the `sdk/bin/` of a model or of no model's folder."""
    place = SDK_BIN + path.name
    manifest = None
    if path.as_posix().endswith(f"/{place}"):
        manifest, _ = manifest_at(FolderFiles(path.parents[2], recursive=False), MANIFEST_NAME)
    sealed = None if manifest is None else manifest.sdk.get(place)
    judge_sdk_program(FolderFiles(path.parent, recursive=False), path.name, sealed, inspection)

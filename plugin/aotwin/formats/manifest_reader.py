"""Read a manifest (`aotwin.json`) that may be anybody's: what a check compares files with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aotwin.formats.manifest import MANIFEST_VERSION
from aotwin.formats.proof import Proof, ProofError, parse_proof
from aotwin.portable_names import first_clash, name_problem, path_problem, reference_problem
from aotwin.values import DllSignature, RuntimeLibs, Shipped

#: bytes; a manifest with the constants of a large model has 1 MB
MAX_MANIFEST_NBYTES = 8 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_NBYTES = 1 << 62
#: one for each CPU level
_MAX_DLLS = 16
#: an SDK has 16 files
_MAX_SDK_FILES = 1000
#: a minor version has one or two
_MAX_TORCHES = 100
#: a run time has 5 files
_MAX_LIBS = 100
RUN_TIMES = ("own", "torch")
#: folder of the SDK in a model's folder
SDK_HOME = "sdk/"

_Value = TypeVar("_Value", str, int, list[Any], dict[str, Any])


class ManifestError(Exception):
    """A manifest is not one; the text says where. Internal to the check: it ends as a finding."""


@dataclass(frozen=True)
class ListedDll(Shipped):
    """A DLL as its manifest knows it."""

    file: str
    cpu: str
    nbytes: int
    #: the seal, hex
    sha256: str
    #: Authenticode's sha256, hex; "" where the manifest does not tell
    authenticode_sha256: str = ""
    #: what the build made of it by signing it, or None
    signature: DllSignature | None = None


@dataclass(frozen=True)
class ListedBlob:
    """A blob as its manifest, or the DLL that was linked with it, knows it."""

    #: from the model's folder: a name, or "../encoder/encoder_weights.blob" where two models share
    file: str
    #: without the trailer
    constants_nbytes: int
    #: of the constants, hex
    constants_sha256: str
    #: of the whole file, hex; "" where that is not known
    sha256: str


@dataclass(frozen=True)
class ListedConstant:
    """Where a constant lies."""

    name: str
    mutable: bool
    offset: int
    nbytes: int


@dataclass(frozen=True)
class Manifest:
    """What a manifest says that can be compared with files."""

    name: str
    target: str
    torch_version: str
    dlls: tuple[ListedDll, ...]
    blob: ListedBlob
    #: the other files -> sha256, hex
    files: Mapping[str, str]
    constants: tuple[ListedConstant, ...]
    #: files of the SDK, "sdk/bin/aotwin.dll" -> sha256, hex; empty where there is no SDK
    sdk: Mapping[str, str] = field(default_factory=dict)
    #: "own", or "torch"
    runtime: str = "torch"
    #: the run time's DLLs; None where that is torch
    libs: RuntimeLibs | None = None
    #: versions of torch that a model over torch runs in; empty where it does not tell
    runs_with: tuple[str, ...] = ()
    #: what was compared when the build ran it; None where it was not run
    proof: Proof | None = None

    def file_names(self) -> tuple[str, ...]:
        """Every file that it names, the SDK's and the run time's left out."""
        return (*(dll.file for dll in self.dlls), self.blob.file, *self.files)


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Args:
        data: the file's bytes, `MAX_MANIFEST_NBYTES` of them at most.

    Raises:
        ManifestError: it is not JSON, of another version, or not of the version's form.
    """
    try:
        tree = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"it is no JSON: {str(error)[:200]}") from error
    if not isinstance(tree, dict):
        raise ManifestError("it is no JSON object")
    version = tree.get("version")
    if version != MANIFEST_VERSION or isinstance(version, bool):
        raise ManifestError(f"version {str(version)[:40]}; this aotwin reads {MANIFEST_VERSION}")
    blob = _get(tree, "blob", dict)
    manifest = Manifest(
        name=_get(tree, "name", str),
        target=_get(tree, "target", str),
        torch_version=_get(_get(tree, "torch", dict), "version", str),
        dlls=tuple(_dll(row) for row in _get(tree, "dlls", list)),
        blob=ListedBlob(
            _reference(blob), _size(blob, "constants_nbytes"), _digest(blob, "constants_sha256"),
            _digest(blob, "sha256"),
        ),
        files={
            _portable(name): _digest(tree["files"], name) for name in _get(tree, "files", dict)
        },
        constants=tuple(_constant(row) for row in _get(tree, "constants", list)),
        sdk=_sdk(_get(tree, "sdk", dict)) if "sdk" in tree else {},
        runtime=_get(tree, "runtime", str) if "runtime" in tree else "torch",
        libs=_libs(_get(tree, "libs", dict)) if "libs" in tree else None,
        runs_with=_runs_with(_get(tree, "torch", dict)),
        proof=_proof(tree["proof"]) if "proof" in tree else None,
    )  # fmt: skip
    if manifest.runtime not in RUN_TIMES:
        raise ManifestError(f"it is over the run time {manifest.runtime[:40]!r}, which is unknown")
    if (manifest.libs is None) != (manifest.runtime == "torch"):
        raise ManifestError(
            "`libs` belongs to models over aotwin's own run time, and to all of them"
        )
    for key, spec in _get(tree, "call", dict).items() if "call" in tree else ():
        if not isinstance(spec, str):
            raise ManifestError(f"`call` has a {key[:80]!r} that is no text")
    names = [name.lower() for name in manifest.file_names()]
    if not 1 <= len(manifest.dlls) <= _MAX_DLLS:
        raise ManifestError(f"it names {len(manifest.dlls)} DLLs; 1 to {_MAX_DLLS} are possible")
    if len(set(names)) != len(names):
        raise ManifestError("it names a file twice")
    return manifest


def _runs_with(torch: dict[str, Any]) -> tuple[str, ...]:
    versions = _get(torch, "runs_with", list) if "runs_with" in torch else []
    if len(versions) > _MAX_TORCHES or not all(isinstance(each, str) for each in versions):
        raise ManifestError("`runs_with` is no list of versions")
    return tuple(versions)


def _proof(tree: object) -> Proof:
    try:
        return parse_proof(tree)
    except ProofError as error:
        raise ManifestError(f"its `proof` is none: {error}") from error


def _sdk(table: dict[str, Any]) -> dict[str, str]:
    if len(table) > _MAX_SDK_FILES:
        raise ManifestError(f"its SDK has {len(table)} files; {_MAX_SDK_FILES} are possible")
    for name in table:
        problem = path_problem(name)
        if not problem and not name.startswith(SDK_HOME):
            problem = f"{name!r} does not lie in {SDK_HOME}"
        if problem:
            raise ManifestError(f"its SDK names a file that cannot be: {problem[:200]}")
    if clash := first_clash(table):
        raise ManifestError(f"its SDK names files that clash: {clash[0]!r} and {clash[1]!r}")
    return {name: _digest(table, name) for name in table}


def _libs(table: dict[str, Any]) -> RuntimeLibs:
    library, files = _get(table, "library", str), _get(table, "files", dict)
    if len(files) > _MAX_LIBS:
        raise ManifestError(f"its run time has {len(files)} files; {_MAX_LIBS} are possible")
    for name in files:
        if problem := reference_problem(name):
            raise ManifestError(f"its run time has a file that cannot be: {problem[:200]}")
    if clash := first_clash(files):
        raise ManifestError(f"its run time has files that clash: {clash[0]!r} and {clash[1]!r}")
    if library not in files:
        raise ManifestError("its run time's `library` is not among the `files`")
    return RuntimeLibs(library, {name: _digest(files, name) for name in files})


def _dll(row: Any) -> ListedDll:
    authenticode = isinstance(row, dict) and "authenticode_sha256" in row
    return ListedDll(
        _file(row),
        _get(row, "cpu", str),
        _size(row, "nbytes"),
        _digest(row, "sha256"),
        _digest(row, "authenticode_sha256") if authenticode else "",
        _signature(_get(row, "signature", dict)) if "signature" in row else None,
    )


def _signature(row: Any) -> DllSignature:
    return DllSignature(_digest(row, "sha256"), _size(row, "nbytes"), _digest(row, "value_sha256"))


def _constant(row: Any) -> ListedConstant:
    mutable = row.get("mutable") if isinstance(row, dict) else None
    if not isinstance(mutable, bool):
        raise ManifestError("a constant's `mutable` is neither true nor false")
    return ListedConstant(
        _get(row, "name", str), mutable, _size(row, "offset"), _size(row, "nbytes")
    )


def _get(row: Any, key: str, kind: type[_Value]) -> _Value:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ManifestError(f"`{key[:80]}` is missing, or no {kind.__name__}")
    return value


def _size(row: Any, key: str) -> int:
    value = _get(row, key, int)
    if not 0 <= value <= _MAX_NBYTES:
        raise ManifestError(f"`{key}` is {str(value)[:40]}, which is no size")
    return value


def _digest(row: Any, key: str) -> str:
    value = _get(row, key, str)
    if not _SHA256.fullmatch(value):
        raise ManifestError(f"`{key[:80]}` is no sha256 in hex")
    return value


def _file(row: Any) -> str:
    return _portable(_get(row, "file", str))


def _reference(row: Any) -> str:
    name = _get(row, "file", str)
    if problem := reference_problem(name):
        raise ManifestError(f"it names a blob that cannot be: {problem[:200]}")
    return name


def _portable(name: str) -> str:
    # A plain name: of all that a manifest names, only the blob may be another model's.
    problem = "it is a path" if "/" in name else name_problem(name)
    if problem:
        raise ManifestError(f"it names a file that cannot be: {problem[:200]}")
    return name

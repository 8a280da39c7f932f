"""Check what a path leads to: a DLL, a folder with built models, a wheel, a `.pt2`.

The manifest of a model says what its files must be; rules compare. A path that leads nowhere, and
a file that is not what it should be, whatever is wrong with it, is a finding and no error.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from aotwin.adapters.archives.untrusted_files import DamagedFileError, Files, FolderFiles, read_file
from aotwin.adapters.archives.untrusted_zip import ZipFiles
from aotwin.adapters.pe.pairing import Pairing, find_pairings
from aotwin.adapters.pe.readers import Read, read_with_all
from aotwin.formats.findings import Finding, Report, Skipped
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import (
    MAX_MANIFEST_NBYTES,
    Manifest,
    ManifestError,
    parse_manifest,
)
from aotwin.stages.check.dll import judge
from aotwin.stages.check.rules import (
    ARCHIVE_RULES,
    BLOB_RULES,
    INPUT_RULES,
    PACKAGE_RULES,
    SDK_BIN,
    WHEEL_RULES,
    Archive,
    File,
    Input,
    Model,
    Rule,
    Wheel,
    sdk_programs,
)
from aotwin.stages.check.rules.policy import Policy, load_policy, load_sdk_policies
from aotwin.stages.check.rules.wheel_rules import SMALL_NBYTES
from aotwin.stages.link import Sysroot
from aotwin.target.toolchain import load_toolchain

_TARGET = "windows-x86_64"
_SUFFIXES: Mapping[str, Literal["dll", "wheel", "pt2"]] = {
    ".dll": "dll",
    ".pyd": "dll",
    ".whl": "wheel",
    ".pt2": "pt2",
}
#: a DLL under the name that torch's own Windows loader wants
_DLL_SUFFIXES = (".dll", ".pyd")
#: built models in one folder or archive
_MAX_MODELS = 1000


@dataclass
class _Findings:
    """What was found so far, and what the rules compare with."""

    policy: Policy
    sysroot: Sysroot | None
    full: bool
    read: Read
    found: list[Finding] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def apply(self, rules: Iterable[Rule[Any]], subject: object, place: str = "") -> None:
        """Apply rules to a subject of theirs."""
        for rule in rules:
            self.found += rule.findings(subject, place)

    def skip(self, rule: str, reason: str) -> None:
        """Say that a rule could not be applied."""
        self.skipped.setdefault(rule, reason)


def check_path(
    path: Path, sysroot: Sysroot | None, *, full: bool = False, read: Read | None = None
) -> Report:
    """Check whatever a path leads to.

    Args:
        path: a DLL (with its manifest and blob, where they lie beside it), a program of the SDK, a
            folder with built models at any depth, a wheel or a `.pt2`.
        sysroot: the target's, to compare imports with; None where there is none at hand.
        full: whether to hash blobs and other large files as well.
        read: `Readers.read`; by default each DLL gets processes of its own.

    Returns:
        The report. Bad input, whatever it is, is a finding.

    Raises:
        ToolError: pefile or LIEF is not installed.
    """
    findings = _Findings(load_policy(_TARGET), sysroot, full, read or read_with_all)
    kind, problem = _kind(path)
    models: int | None = 0
    try:
        if kind == "dll":
            _check_dll(path, findings)
        elif kind == "folder":
            models = _check_models(FolderFiles(path), findings)
        elif kind in ("wheel", "pt2"):
            models = _check_archive(path, kind == "wheel", findings)
    except DamagedFileError as error:
        problem = str(error)
    findings.apply(INPUT_RULES, Input(kind, problem, models))
    return Report(
        str(path),
        tuple(findings.found),
        tuple(Skipped(rule, reason) for rule, reason in sorted(findings.skipped.items())),
    )


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


def _check_dll(path: Path, findings: _Findings) -> None:
    """One DLL; what lies beside it is looked at only as far as it is about this DLL."""
    try:
        path = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise DamagedFileError(str(error)) from error
    files = FolderFiles(path.parent, recursive=False)
    manifest, _ = _manifest(files, MANIFEST_NAME)
    if manifest is not None and path.name not in {dll.file for dll in manifest.dlls}:
        manifest = None
    if manifest is None and path.name in load_sdk_policies(_TARGET):
        _check_sdk_program(path, findings)
        return
    pairings = _judge(files, path.name, manifest, findings)
    model = Model("", files, manifest, "", pairings, findings.full)
    if not model.blob_path:
        findings.skip("MODEL-BLOB-TRAILER", "the DLL's blob does not lie beside it")
        return
    if not findings.full:
        findings.skip("MODEL-BLOB-DIGEST", "the whole blob is hashed with --full")
    findings.apply(BLOB_RULES, model)


def _check_sdk_program(path: Path, findings: _Findings) -> None:
    """`aotwin.dll` or `aotwin-run.exe`, in the `sdk/bin/` of a model or of no model's folder."""
    place = SDK_BIN + path.name
    manifest = None
    if path.as_posix().endswith(f"/{place}"):
        manifest, _ = _manifest(FolderFiles(path.parents[2], recursive=False), MANIFEST_NAME)
    sealed = None if manifest is None else manifest.sdk.get(place)
    _judge_sdk_program(FolderFiles(path.parent, recursive=False), path.name, sealed, findings)


def _check_archive(path: Path, is_wheel: bool, findings: _Findings) -> int | None:
    """A wheel or a `.pt2`; returns the number of built models in it, None if it is no archive."""
    try:
        files = ZipFiles(path)
    except DamagedFileError as error:
        findings.apply(ARCHIVE_RULES, Archive(None, str(error)))
        return None
    findings.apply(ARCHIVE_RULES, Archive(files, ""))
    count = _check_models(files, findings)
    if not is_wheel:
        return count or _check_bare_dlls(files, findings)
    models = {home: manifest for home in _homes(files) if (manifest := _model_at(files, home)[0])}
    tag = f"py3-none-{load_toolchain(_TARGET).wheel_tag}"
    wheel = Wheel(path.name, files, tag, models, findings.full)
    findings.apply(WHEEL_RULES, wheel)
    unread = [name for name in files.names() if not wheel.is_read(name)]
    if unread:
        findings.skip(
            "WHEEL-RECORD",
            f"members over {SMALL_NBYTES >> 20} MB are hashed with --full: {len(unread)} of them",
        )
    return count


def _check_models(files: Files, findings: _Findings) -> int:
    """Every built model among some files; returns their number."""
    homes = _homes(files)
    if len(homes) > _MAX_MODELS:
        raise DamagedFileError(f"{len(homes):,} built models; {_MAX_MODELS:,} are looked at")
    for home in homes:
        manifest, problem = _model_at(files, home)
        model = Model(home, files, manifest, problem, {}, findings.full)
        pairings: dict[str, tuple[Pairing, ...]] = {}
        for name in sorted(_dlls_of(model) & model.names):
            pairings |= _judge(files, home + name, manifest, findings)
        _judge_sdk(model, findings)
        if model.blob_is_out_of_sight:
            findings.skip(
                "MODEL-BLOB-TRAILER",
                "the blob is another model's, outside of the folder: check the folder of both",
            )
        findings.apply(PACKAGE_RULES, replace(model, pairings=pairings), home.rstrip("/"))
    if homes and not findings.full:
        findings.skip("MODEL-BLOB-DIGEST", "the whole blob is hashed with --full")
    return len(homes)


def _check_bare_dlls(files: Files, findings: _Findings) -> int:
    """DLLs of an archive without a manifest, each with the blob that it was linked with."""
    dlls = [name for name in files.names() if name.lower().endswith(_DLL_SUFFIXES)]
    if len(dlls) > _MAX_MODELS:
        raise DamagedFileError(f"{len(dlls):,} DLLs; {_MAX_MODELS:,} are looked at")
    for name in dlls:
        home = name[: name.rfind("/") + 1]
        model = Model(home, files, None, "", _judge(files, name, None, findings), findings.full)
        if not model.blob_path:
            findings.skip("MODEL-BLOB-TRAILER", "a DLL's blob does not lie beside it")
        findings.apply(BLOB_RULES, model, home.rstrip("/"))
    return len(dlls)


def _judge(
    files: Files, path: str, manifest: Manifest | None, findings: _Findings
) -> dict[str, tuple[Pairing, ...]]:
    """Apply every rule to a DLL; returns the pairings in it under its file name."""
    name = path[path.rfind("/") + 1 :]
    listed = next((dll for dll in manifest.dlls if dll.file == name), None) if manifest else None
    sealed = listed.sha256 if listed else None
    # First: they come from the disk while the readers are still starting.
    exports = _exports(manifest, findings)
    file = _read(files, path, sealed, findings.policy, findings)
    if listed is not None:
        file = replace(
            file, sealed_authenticode=listed.authenticode_sha256, signature=listed.signature
        )
    found, facts = judge(file, findings.policy, exports, place=path)
    findings.found += found
    if file.data is None or facts is None:
        return {}
    return {name: find_pairings(file.data, facts)}


def _judge_sdk(model: Model, findings: _Findings) -> None:
    """Apply every rule on DLLs and programs to those of the SDK, which import nothing of torch."""
    for name, sealed in sdk_programs(model).items():
        _judge_sdk_program(model.files, model.home + name, sealed, findings)


def _judge_sdk_program(files: Files, path: str, sealed: str | None, findings: _Findings) -> None:
    policy = load_sdk_policies(_TARGET)[path[path.rfind("/") + 1 :]]
    file = _read(files, path, sealed, policy, findings)
    findings.found += judge(file, policy, None, place=path)[0]


def _read(files: Files, path: str, sealed: str | None, policy: Policy, findings: _Findings) -> File:
    if sealed is None:
        findings.skip("PE-SEAL", "the digest taken after the link is not at hand")
    try:
        data = read_file(files, path, policy.max_size)
    except DamagedFileError as error:
        return File(None, str(error), {}, sealed)
    return File(data, "", findings.read(data), sealed)


def _exports(manifest: Manifest | None, findings: _Findings) -> Mapping[str, frozenset[str]] | None:
    """What torch's DLLs export, where the sysroot at hand is the one that the model needs."""
    sysroot = findings.sysroot
    if sysroot is None:
        findings.skip("PE-IMPORT-SYSROOT", "torch's own DLLs are not at hand")
        return None
    if manifest is not None and manifest.torch_version != sysroot.torch_version:
        wanted = manifest.torch_version[:40]
        findings.skip("PE-IMPORT-SYSROOT", f"the DLLs of torch {wanted} are not at hand")
        return None
    return sysroot.exports


def _homes(files: Files) -> list[str]:
    """Folders with a manifest in them."""
    suffix = f"/{MANIFEST_NAME}"
    return [
        name[: -len(MANIFEST_NAME)]
        for name in files.names()
        if name == MANIFEST_NAME or name.endswith(suffix)
    ]


def _model_at(files: Files, home: str) -> tuple[Manifest | None, str]:
    """The manifest in a folder; or None, and what is wrong with it."""
    manifest, problem = _manifest(files, home + MANIFEST_NAME)
    if manifest is not None and manifest.target != _TARGET:
        return None, f"target {manifest.target[:80]!r}; this aotwin checks {_TARGET}"
    return manifest, problem


def _manifest(files: Files, path: str) -> tuple[Manifest | None, str]:
    try:
        if path not in files.names():
            return None, "no such file"
        return parse_manifest(read_file(files, path, MAX_MANIFEST_NBYTES)), ""
    except (DamagedFileError, ManifestError) as error:
        return None, str(error)


def _dlls_of(model: Model) -> frozenset[str]:
    """The model's DLLs: those of its manifest, or else all that lie in its folder."""
    if model.manifest is not None:
        return frozenset(dll.file for dll in model.manifest.dlls)
    return frozenset(name for name in model.names if name.lower().endswith(_DLL_SUFFIXES))

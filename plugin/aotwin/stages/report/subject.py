"""What lies at a path, as far as a report tells of it: files, models, the bill of materials.

Nothing of it is believed: what cannot be read, or is not of its form, is left out here and is a
finding of the check, whose report stands on the same page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aotwin.adapters.archives.untrusted_files import (
    DamagedFileError,
    Files,
    FolderFiles,
    read_file,
)
from aotwin.adapters.archives.untrusted_zip import ZipFiles
from aotwin.adapters.pe.image import PeFacts
from aotwin.adapters.pe.readers import Read
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import (
    MAX_MANIFEST_NBYTES,
    Manifest,
    ManifestError,
    parse_manifest,
)
from aotwin.stages.report.bill import Part, parse_bill
from aotwin.stages.report.details import Details, parse_details

#: models that one page tells of
_MAX_MODELS = 50
#: of a DLL
_MAX_DLL_NBYTES = 256 << 20
_MAX_BILL_NBYTES = 16 << 20
_BILL = ".dist-info/sboms/aotwin.cdx.json"


@dataclass(frozen=True)
class ReadModel:
    """One model and what its DLLs say."""

    #: "demo/classifier/", or ""
    home: str
    manifest: Manifest
    details: Details
    #: file name -> what the readers agree on
    facts: Mapping[str, PeFacts] = field(default_factory=dict)
    #: names in the DLL's data that its run time's library exports: what it calls of it
    bound: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """What a report is about."""

    path: Path
    #: "DLL", "folder", "wheel" or ".pt2"
    kind: str
    #: path -> bytes, unpacked
    sizes: Mapping[str, int]
    models: Sequence[ReadModel] = ()
    #: that one page has no room for
    further_models: int = 0
    #: DLLs without a manifest: path -> facts
    bare: Mapping[str, PeFacts] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    #: of the archive; 0 for a folder
    packed_nbytes: int = 0


def read_subject(path: Path, read: Read) -> Subject:
    """Read what a path leads to.

    Args:
        read: `Readers.read`.

    Returns:
        The subject; an empty one where the path leads to nothing that can be read.
    """
    kind, files, packed = _opened(path)
    if files is None:
        return Subject(path, kind, {})
    names = [name for name in files.names() if kind != "DLL" or name == path.name]
    sizes = {name: files.nbytes(name) for name in names}
    homes = [
        name.removesuffix(MANIFEST_NAME)
        for name in files.names()
        if name == MANIFEST_NAME or name.endswith(f"/{MANIFEST_NAME}")
    ]
    models = [
        model for home in homes[:_MAX_MODELS] if (model := _model(files, home, read)) is not None
    ]
    if kind == "DLL":
        models = [each for each in models if path.name in {dll.file for dll in each.manifest.dlls}]
    bare = {}
    if not models:
        dlls = [name for name in sizes if name.lower().endswith((".dll", ".pyd", ".exe"))]
        found = ((name, _facts(files, name, read)[0]) for name in dlls[:_MAX_MODELS])
        bare = {name: facts for name, facts in found if facts is not None}
    return Subject(
        path, kind, sizes, models, max(0, len(homes) - _MAX_MODELS), bare, _parts(files), packed
    )


def _opened(path: Path) -> tuple[str, Files | None, int]:
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            return "folder", FolderFiles(path), 0
        if suffix in (".whl", ".pt2"):
            kind = "wheel" if suffix == ".whl" else ".pt2"
            return kind, ZipFiles(path), path.stat().st_size
        return "DLL", FolderFiles(path.parent, recursive=False), 0
    except (DamagedFileError, OSError, ValueError):
        return "file", None, 0


def _model(files: Files, home: str, read: Read) -> ReadModel | None:
    try:
        data = read_file(files, home + MANIFEST_NAME, MAX_MANIFEST_NBYTES)
        manifest = parse_manifest(data)
        details = parse_details(json.loads(data))
    except (DamagedFileError, ManifestError):
        return None
    exported = _exports(files, home, manifest, read)
    facts, bound = {}, {}
    for dll in manifest.dlls:
        found, content = _facts(files, home + dll.file, read)
        if found is not None:
            facts[dll.file] = found
            bound[dll.file] = tuple(sorted(n for n in exported if _has_name(content, n)))
    return ReadModel(home, manifest, details, facts, bound)


def _exports(files: Files, home: str, manifest: Manifest, read: Read) -> frozenset[str]:
    """Names that the library of a model over our own run time exports, where it is at hand."""
    if manifest.libs is None:
        return frozenset()
    parts: list[str] = []
    for part in f"{home}{manifest.libs.library}".split("/"):
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    facts, _ = _facts(files, "/".join(parts), read)
    return frozenset() if facts is None else frozenset(e.name for e in facts.exports if e.name)


def _has_name(content: bytes, name: str) -> bool:
    return b"\0" + name.encode() + b"\0" in content


def _facts(files: Files, name: str, read: Read) -> tuple[PeFacts | None, bytes]:
    try:
        if name not in files.names():
            return None, b""
        data = read_file(files, name, _MAX_DLL_NBYTES)
    except DamagedFileError:
        return None, b""
    facts = [each for each in read(data).values() if isinstance(each, PeFacts)]
    return (facts[0] if facts else None), data


def _parts(files: Files) -> Sequence[Part]:
    for name in files.names():
        if name.endswith(_BILL):
            try:
                return parse_bill(read_file(files, name, _MAX_BILL_NBYTES))
            except (DamagedFileError, ValueError):
                return ()
    return ()

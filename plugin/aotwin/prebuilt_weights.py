"""Models that were built elsewhere, with the same weights as another of the wheel: one file.

Part of the pipeline, below `prebuilt`. Where its blob lies stands in a DLL, in room that every link
leaves for it: the model gets copies of its DLLs that name the other model's blob, sealed anew.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from aotwin.adapters.pe.checksum import with_checksum
from aotwin.adapters.pe.image import PeFacts
from aotwin.adapters.pe.pairing import with_blob_name
from aotwin.adapters.pe.readers import Read
from aotwin.adapters.storage.files import storage_errors
from aotwin.assembly import Job
from aotwin.formats.manifest_reader import Manifest
from aotwin.stages.link import seal
from aotwin.values import SealedDll


@dataclass
class SharedWeights:
    """Which model's file serves, for all models of a wheel.

    Args:
        jobs: the models that were compiled here, which have shared among each other already.
    """

    jobs: Sequence[Job] = ()
    #: sha256 of constants -> the model whose file it is, and the file's path in the wheel
    _owners: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for job in self.jobs:
            if next(iter(job.wrappers.values())).constants and not job.blob.shared_from:
                place = f"{_home(job.spec.name)}/{job.blob.path.name}"
                self._owners[job.blob.digest.hex()] = (job.spec.name, place)

    def owner(self, manifest: Manifest) -> tuple[str, str] | None:
        """The model whose file a further one uses, and how that refers to it; None: its own."""
        home = _home(manifest.name)
        own = (manifest.name, f"{home}/{manifest.blob.file}")
        if not manifest.constants:
            return None
        name, place = self._owners.setdefault(manifest.blob.constants_sha256, own)
        if name == manifest.name:
            return None
        return name, PurePath(os.path.relpath(place, home)).as_posix()


def _home(name: str) -> str:
    return name.replace(".", "/")


def with_shared_blob(
    dlls: Sequence[SealedDll], reference: str, folder: Path, read: Read
) -> list[SealedDll] | None:
    """Copies of a model's DLLs that use another model's blob.

    Args:
        reference: that blob, from the folder of the model.
        folder: for the copies.
        read: `Readers.read`.

    Returns:
        The copies, sealed; None where one of them is signed, or has no room for the name.
    """
    contents: dict[SealedDll, bytes] = {}
    for dll in dlls:
        with storage_errors(dll.path):
            data = dll.path.read_bytes()
        facts = read(data)["lief"]
        renamed = None
        if dll.signature is None and isinstance(facts, PeFacts):
            renamed = with_blob_name(data, facts, reference)
        if renamed is None:
            return None
        contents[dll] = with_checksum(renamed)
    copies = []
    for dll, content in contents.items():
        path = folder / dll.path.name
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        copies.append(seal(path, dll.cpu))
    return copies

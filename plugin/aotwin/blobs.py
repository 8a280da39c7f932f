"""The weights of a build's models: each written once, whoever has them.

Part of the pipeline, below `assembly`. They go straight into the wheel where nothing asks for them
before it is there; a model that is opened or run at the build has them in its folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.storage.results import REMEMBERED
from aotwin.model_spec import ModelSpec
from aotwin.progress import Progress, Step, note
from aotwin.stages.weights import (
    blob_nbytes,
    changed_meanwhile,
    padded,
    remember_blob,
    remembered_blob,
    write_blob,
    write_blob_into,
)
from aotwin.values import BlobInfo
from aotwin.weights_source import WeightSource


@dataclass
class Blobs:
    """Where the weights of a build's models go."""

    progress: Progress
    #: the wheel that they are written into; None: each into its model's folder
    draft: Draft | None = None
    #: models whose weights were written, with their names
    _written: list[tuple[str, BlobInfo]] = field(default_factory=list)

    def take(self, spec: ModelSpec, directory: Path, source: WeightSource) -> BlobInfo:
        """Write a model's weights, unless a model before it has the same.

        Args:
            directory: of the model, in folders that lie to each other as in the wheel.

        Raises:
            StorageError: the disk is full or cannot be written.
            WrapperError: the source gave another number of bytes than it announced.
        """
        path = directory / f"{spec.stem}_weights.blob"
        with self.progress.stage(f"weights {spec.name}") as step:
            known = remembered_blob(source, path)
            owner = self._owner(source, known)
            if owner is None:
                blob = self._wrote(spec, path, source, known, step)
                self._written.append((spec.name, blob))
                return blob
        name, blob = owner
        self.progress.remark(
            f"{spec.name} has the same weights as {name}: "
            f"{blob.constants_nbytes:,} bytes are stored once"
        )
        relative = PurePath(os.path.relpath(blob.path, directory)).as_posix()
        return replace(blob, shared_from=relative)

    def _wrote(
        self,
        spec: ModelSpec,
        path: Path,
        source: WeightSource,
        known: BlobInfo | None,
        step: Step,
    ) -> BlobInfo:
        """Write a blob, or leave it for later where the wheel before may serve."""
        draft = self.draft
        if draft is None:
            return _remembered(source, lambda: write_blob(source, path, step=step))
        name = f"{spec.name.replace('.', '/')}/{path.name}"

        def write() -> BlobInfo:
            blob = write_blob_into(source, draft, name, path, step=step)
            if known is not None and blob != known:
                # The next build knows better.
                remember_blob(source.identity, blob)
                raise changed_meanwhile(f"sha256 is {blob.file_sha256}, was {known.file_sha256}")
            return blob

        if known is not None and draft.owe(name, known.file_sha256, blob_nbytes(known), write):
            note(REMEMBERED)
            return known
        return _remembered(source, write)

    def _owner(self, source: WeightSource, known: BlobInfo | None) -> tuple[str, BlobInfo] | None:
        """The model that has the same weights; models without constants share nothing."""
        like = [each for each in self._written if each[1].constants_nbytes == source.nbytes]
        if not source.nbytes or not like:
            return None
        digest = _digest(padded(source)) if known is None else known.digest
        return next((each for each in like if each[1].digest == digest), None)


def _remembered(source: WeightSource, write: Callable[[], BlobInfo]) -> BlobInfo:
    identity = source.identity
    blob = write()
    remember_blob(identity if source.identity == identity else "", blob)
    return blob


def _digest(chunks: Iterator[memoryview]) -> bytes:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()

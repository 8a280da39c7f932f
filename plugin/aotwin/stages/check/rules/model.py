"""What the rules on a built model are applied to."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from aotwin.adapters.archives.untrusted_files import (
    DamagedFileError,
    Files,
    file_digest,
    read_range,
)
from aotwin.adapters.pe.pairing import Pairing
from aotwin.formats.manifest_reader import SDK_HOME, ListedBlob, Manifest


@dataclass(frozen=True)
class Model:
    """The files of one built model, wherever they lie."""

    #: path of its folder within `files`, "" or with a slash at its end
    home: str
    files: Files
    #: None where there is none, or none that can be read
    manifest: Manifest | None
    #: why the manifest cannot be read, else ""
    problem: str
    #: DLL -> the pairings in it; DLLs that cannot be read are not among them
    pairings: Mapping[str, tuple[Pairing, ...]]
    #: whether to hash the blob, which may have gigabytes
    full: bool

    @cached_property
    def names(self) -> frozenset[str]:
        """Regular files that lie directly in its folder, without the folder."""
        inside = (
            name[len(self.home) :] for name in self.files.names() if name.startswith(self.home)
        )
        return frozenset(name for name in inside if "/" not in name)

    @cached_property
    def odd(self) -> Mapping[str, str]:
        """What lies directly in its folder and is no regular file -> what it is."""
        return {
            name[len(self.home) :]: kind
            for name, kind in self.files.odd().items()
            if name.startswith(self.home) and "/" not in name[len(self.home) :]
        }

    @cached_property
    def sdk(self) -> Mapping[str, str]:
        """All that lies in its folder's `sdk/` -> "", or what it is instead of a regular file."""
        start, cut = self.home + SDK_HOME, len(self.home)
        regular = {name[cut:]: "" for name in self.files.names() if name.startswith(start)}
        odd = {
            name[cut:]: kind
            for name, kind in self.files.odd().items()
            if f"{name}/".startswith(start)
        }
        return regular | odd

    @property
    def blob(self) -> ListedBlob | None:
        """What its blob must be: as the manifest says, or else as its only DLL says."""
        if self.manifest is not None:
            return self.manifest.blob
        if len(self.pairings) != 1:
            return None
        pairings = next(iter(self.pairings.values()))
        if len(pairings) != 1:
            return None
        (pairing,) = pairings
        return ListedBlob(pairing.blob_name, pairing.constants_nbytes, pairing.constants_sha256, "")

    @cached_property
    def blob_path(self) -> str:
        """Where its blob lies within `files`, "" where it does not.

        Looked for as the DLL does: beside it, then where another model has it.
        """
        if self.blob is None:
            return ""
        beside = self.home + posixpath.basename(self.blob.file)
        named = posixpath.normpath(self.home + self.blob.file)
        present = self.files.names()
        return next((path for path in (beside, named) if path in present), "")

    @property
    def blob_is_out_of_sight(self) -> bool:
        """Its blob is another model's, in a folder above those that are checked."""
        return (
            self.blob is not None
            and not self.blob_path
            and posixpath.normpath(self.home + self.blob.file).startswith("../")
        )

    @cached_property
    def blob_nbytes(self) -> int:
        """Size of its blob, in bytes."""
        return self.files.nbytes(self.blob_path)

    def nbytes(self, name: str) -> int:
        """Size of a file in its folder, in bytes."""
        return self.files.nbytes(self.home + name)

    def digest(self, name: str) -> str:
        """sha256 of a file in its folder in hex, or why it cannot be taken."""
        try:
            return file_digest(self.files, self.home + name).hex()
        except DamagedFileError as error:
            return f"a file that cannot be read: {error}"

    def piece(self, name: str, start: int, nbytes: int) -> bytes:
        """Bytes of one of `names`; fewer where it ends before.

        Raises:
            DamagedFileError: it cannot be read.
        """
        return read_range(self.files, self.home + name, start, nbytes)

    def blob_piece(self, start: int, nbytes: int) -> bytes:
        """Bytes of its blob; fewer where it ends before.

        Raises:
            DamagedFileError: it cannot be read.
        """
        return read_range(self.files, self.blob_path, start, nbytes)

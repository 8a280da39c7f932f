"""What the rules on a built model are applied to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from aotwin.adapters.pe_pairing import Pairing
from aotwin.adapters.untrusted_files import DamagedFileError, Files, file_digest, read_range
from aotwin.manifest_reader import ListedBlob, Manifest


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

    def nbytes(self, name: str) -> int:
        """Size of one of `names`, in bytes."""
        return self.files.nbytes(self.home + name)

    def digest(self, name: str) -> str:
        """sha256 of one of `names` in hex, or why it cannot be taken."""
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

"""The members of an archive that somebody else wrote, as `untrusted_files.Files`."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from aotwin.adapters.archives.untrusted_files import DamagedFileError, file_chunks
from aotwin.adapters.archives.zip_directory import Ambiguity, Entry, read_directory

_CHUNK = 1 << 20
#: deflate's raw form
_RAW = -15
#: deflate reaches about 1030:1 on runs of one byte; text stays below 100:1
_MAX_RATIO = 400
#: members below it are no bombs, whatever they are packed to
_SMALL = 1 << 20


class ZipFiles:
    """The members of an archive.

    Args:
        path: the archive.

    Raises:
        DamagedFileError: it cannot be read, or has no directory of members.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                directory = read_directory(file)
        except (OSError, ValueError) as error:
            raise DamagedFileError(str(error)) from error
        self.entries: Sequence[Entry] = directory.entries
        self.ambiguities: Sequence[Ambiguity] = directory.ambiguities
        self._files: dict[str, Entry] = {}
        self._odd: dict[str, str] = {}
        for entry in directory.entries:
            if kind := _oddity(entry):
                self._odd[entry.name] = kind
            elif not entry.is_folder:
                self._files.setdefault(entry.name, entry)
        self._names = sorted(self._files)

    def names(self) -> Sequence[str]:
        """Every regular member, sorted."""
        return self._names

    def odd(self) -> Mapping[str, str]:
        """Members that are links, encrypted, or packed in a way that not every program reads."""
        return self._odd

    def entry(self, name: str) -> Entry:
        """The row of a regular member."""
        return self._files[name]

    def nbytes(self, name: str) -> int:
        """Size that a member declares, unpacked, in bytes."""
        return self._files[name].nbytes

    def chunks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of a member from an offset on; from 0 on they are compared with its CRC.

        Raises:
            DamagedFileError: the member is not what it declares.
        """
        entry = self._files[name]
        if is_bomb(entry):
            raise DamagedFileError(
                f"it unpacks from {entry.packed_nbytes:,} to {entry.nbytes:,} bytes"
            )
        if entry.stored and start:
            yield from self._packed(entry, min(start, entry.packed_nbytes))
            return
        position, crc = 0, 0
        unpacked = self._packed(entry) if entry.stored else self._inflated(entry)
        for chunk in unpacked:
            crc = zlib.crc32(chunk, crc)
            if position + len(chunk) > start:
                yield chunk[max(0, start - position) :]
            position += len(chunk)
        if (position, crc) != (entry.nbytes, entry.crc):
            raise DamagedFileError(
                f"it declares {entry.nbytes:,} bytes with CRC {entry.crc:#010x}, and has "
                f"{position:,} with {crc:#010x}"
            )

    def _packed(self, entry: Entry, start: int = 0) -> Iterator[bytes]:
        left = entry.packed_nbytes - start
        if left == 0:
            return
        for chunk in file_chunks(self._path, entry.data_offset + start):
            yield chunk[:left]
            left -= len(chunk[:left])
            if left == 0:
                return
        raise DamagedFileError("the archive ends inside of it")

    def _inflated(self, entry: Entry) -> Iterator[bytes]:
        """Unpack, a chunk at a time, and stop as soon as there is more than was declared."""
        inflate = zlib.decompressobj(_RAW)
        total = 0
        try:
            for packed in chain(self._packed(entry), (b"",)):
                data = packed
                while not inflate.eof:
                    chunk = inflate.decompress(data, _CHUNK)
                    data = inflate.unconsumed_tail
                    total += len(chunk)
                    if total > entry.nbytes:
                        raise DamagedFileError(f"it has more than {entry.nbytes:,} bytes")
                    if chunk:
                        yield chunk
                    if not data and len(chunk) < _CHUNK:
                        break
        except zlib.error as error:
            raise DamagedFileError(str(error)) from error
        if not inflate.eof or inflate.unused_data:
            raise DamagedFileError("its packed bytes end too early or too late")


def is_bomb(entry: Entry) -> bool:
    """It would unpack to far more than any file of a wheel does; nothing of it is read."""
    return entry.nbytes > _SMALL and entry.nbytes > _MAX_RATIO * entry.packed_nbytes


def _oddity(entry: Entry) -> str:
    kind = stat.S_IFMT(entry.mode)
    regular = stat.S_IFDIR if entry.is_folder else stat.S_IFREG
    kinds = {
        "a symbolic link": kind == stat.S_IFLNK,
        "no regular file": kind not in (0, regular),
        "encrypted": entry.encrypted,
        f"packed by method {entry.method}": not entry.known_method,
        "a folder with content": entry.is_folder and entry.nbytes > 0,
        "stored with two sizes": entry.stored and entry.nbytes != entry.packed_nbytes,
    }
    return next((kind for kind, applies in kinds.items() if applies), "")

"""Read archives that somebody else wrote: every member is judged before any is opened.

Nothing is ever extracted, so a hostile name cannot write anywhere; it is refused all the same,
because the same archive may be unpacked by a less careful tool.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from aotwin.adapters.storage.file_digest import settled_identity
from aotwin.adapters.storage.results import key_of
from aotwin.errors import StorageError, WrapperError
from aotwin.weights_source import StreamWeights, WeightSource

#: more members than any model has; an archive beyond it is not read
MAX_MEMBERS = 100_000
#: a text member (C++, JSON) is read into memory, so its size has a bound
MAX_TEXT_NBYTES = 512 * 1024 * 1024
#: deflate reaches about 1000:1 only on runs of one byte; generated C++ stays below 100:1
MAX_TEXT_RATIO = 400

_UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError)


class ZipMembers:
    """The members of one archive, all of them checked.

    Args:
        path: the archive.

    Raises:
        WrapperError: no zip, or a member that is unsafe: a name that climbs out, is absolute,
            has a drive letter, a backslash or a control character, appears twice, a symlink,
            an encrypted member.
        StorageError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as archive:
            infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise WrapperError(
                f"{path} has {len(infos)} members",
                cause=f"more than {MAX_MEMBERS} are not read",
                next_step="Give the archive that AOTInductor wrote with package_cpp_only.",
            )
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            reason = _unsafe(info) or ("its name appears twice" if self._seen(info) else "")
            if reason:
                raise WrapperError(
                    f"{path} has a member that is not safe to read: {info.orig_filename!r}",
                    cause=f"the member is refused because {reason}",
                    next_step="AOTInductor writes no such member; generate the archive again.",
                )
            if not info.is_dir():
                self._infos[info.filename] = info

    def _seen(self, info: zipfile.ZipInfo) -> bool:
        return info.filename in self._infos

    def names(self) -> list[str]:
        """Return the names of all files, with forward slashes, sorted."""
        return sorted(self._infos)

    def nbytes(self, name: str) -> int:
        """Return the declared size of a member, uncompressed, in bytes."""
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        """Read a text member whole.

        Raises:
            WrapperError: larger than `MAX_TEXT_NBYTES`, packed beyond `MAX_TEXT_RATIO`, or
                damaged.
        """
        info = self._infos[name]
        packed = max(info.compress_size, 1)
        if info.file_size > MAX_TEXT_NBYTES or (
            info.file_size > MAX_TEXT_RATIO * 1024 and info.file_size // packed > MAX_TEXT_RATIO
        ):
            raise WrapperError(
                f"the member {name} of {self.path} is too large to be generated text",
                cause=f"it unpacks from {info.compress_size} to {info.file_size} bytes",
                next_step="Give the archive that AOTInductor wrote with package_cpp_only.",
            )
        with self._stream(name) as stream:
            # a member that holds more than it declares is cut off by zipfile, and fails its CRC
            return stream.read()

    def weights(self, name: str) -> WeightSource:
        """Return a source that streams a member, stored or deflated."""
        size = self.nbytes(name)

        def wrong_size(found: int | None) -> WrapperError:
            return WrapperError(
                f"the member {name} of {self.path} does not have the size it declares",
                cause=f"declared {size} bytes, found {'more' if found is None else found}",
                next_step="The archive is damaged; generate it again.",
            )

        def identity() -> str:
            file = settled_identity(self.path)
            return key_of("member", file, name) if file else ""

        return StreamWeights(size, lambda: self._stream(name), wrong_size, identity)

    @contextmanager
    def _stream(self, name: str) -> Iterator[BinaryIO]:
        with _opened(self.path) as archive:
            try:
                with archive.open(self._infos[name]) as stream:
                    yield cast(BinaryIO, stream)
            except _UNREADABLE as error:
                raise WrapperError(
                    f"the member {name} of {self.path} is damaged",
                    cause=str(error),
                    next_step="Copy or generate the archive again.",
                ) from error


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read",
            cause=str(error),
            next_step="Check the path, and that you may read the file.",
        ) from error
    except (*_UNREADABLE, ValueError) as error:
        raise WrapperError(
            f"{path} is no zip archive",
            cause=str(error),
            next_step="Give the .pt2 that AOTInductor wrote with package_cpp_only, or a folder.",
        ) from error
    with archive:
        yield archive


def _unsafe(info: zipfile.ZipInfo) -> str:
    """Say why a member must not be read, or return ""."""
    # zipfile cuts names at NUL and turns the host's separator; the original tells the truth
    name = info.orig_filename
    reasons = {
        "its name is empty or holds control characters": not name or min(map(ord, name)) < 32,
        "its name holds a backslash, which is a separator on Windows": "\\" in name,
        "its name is absolute": name.startswith("/"),
        "its name holds a drive letter or a stream's name": ":" in name,
        "its name climbs out of the archive": ".." in PurePosixPath(name).parts,
        "it is a symbolic link": stat.S_ISLNK(info.external_attr >> 16),
        "it is encrypted": bool(info.flag_bits & 0x1),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")

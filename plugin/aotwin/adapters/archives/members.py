"""Files on their way into a wheel, and how the archive and its RECORD list them."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aotwin.adapters.archives.hashed_stream import write_hashed
from aotwin.errors import CheckError, StorageError
from aotwin.progress import Step
from aotwin.reproducible import zip_date_time

#: a row of RECORD: path, digest, bytes
Row = tuple[str, str, str]

#: bytes read at a time: larger pieces cost a mapping of memory each
CHUNK_NBYTES = 1 << 20

#: ZipInfo.create_system of Unix: the high half of external_attr is a st_mode
_UNIX = 3
_REGULAR_FILE = 0o100000


@dataclass(frozen=True)
class Member:
    """One file to be written into a wheel."""

    #: path in the wheel, with forward slashes
    name: str
    #: opens the content at its beginning
    open: Callable[[], IO[bytes]]
    #: bytes that the content has
    nbytes: int
    #: False: deflated
    stored: bool = False
    executable: bool = False
    #: hex digest that the bytes must have on their way into the archive, or None
    sha256: str | None = None
    #: whether the digest is compared a second time, with the bytes of the finished archive
    reread: bool = True

    @classmethod
    def from_bytes(
        cls, name: str, content: bytes, *, stored: bool = False, sha256: str | None = None
    ) -> Member:
        """A member whose content is at hand."""
        return cls(name, lambda: io.BytesIO(content), len(content), stored, sha256=sha256)

    @classmethod
    def from_file(
        cls,
        name: str,
        path: Path,
        *,
        stored: bool = False,
        sha256: str | None = None,
        reread: bool = True,
    ) -> Member:
        """A member that is a file on disk.

        Raises:
            StorageError: there is no such file.
        """
        try:
            nbytes = path.stat().st_size
        except OSError as error:
            raise StorageError(
                f"{path} cannot be read",
                cause=error.strerror or str(error),
                next_step="Build again, and leave the build's folders alone meanwhile.",
            ) from error
        return cls(name, lambda: path.open("rb"), nbytes, stored, sha256=sha256, reread=reread)


def stream(
    member: Member, write: Callable[[bytes | memoryview], object], step: Step | None = None
) -> Row:
    """Read a member once, front to back, and hash it on the way.

    Args:
        write: takes its bytes.
        step: gets to know how many.

    Returns:
        Its row in RECORD.

    Raises:
        CheckError: it does not hash to the digest that it must have.
        StorageError: it has another number of bytes than it said.
    """
    digest = hashlib.sha256()
    with member.open() as source:
        nbytes = write_hashed(chunks(source, member.nbytes, step), write, digest)
    if nbytes != member.nbytes:
        raise StorageError(
            f"{member.name} changed while it was packed",
            cause=f"it had {member.nbytes:,} bytes at first, and then another number",
            next_step="Build again, and leave the project's files alone meanwhile.",
        )
    compare(member, digest.hexdigest())
    return record_row(member.name, digest.digest(), nbytes)


def chunks(source: IO[bytes], nbytes: int, step: Step | None = None) -> Iterator[bytes]:
    """What is in a file, but never more than one byte past what it should have."""
    left = nbytes + 1
    while left and (chunk := source.read(min(CHUNK_NBYTES, left))):
        left -= len(chunk)
        yield chunk
        if step is not None:
            step.advance(len(chunk))


def compare(member: Member, found: str) -> None:
    """Refuse a digest, hex, that is not the one that a member must have.

    Raises:
        CheckError: naming the member.
    """
    if member.sha256 is not None and found != member.sha256.lower():
        raise CheckError(
            f"{member.name} in the wheel is not the file that was checked",
            cause=f"sha256 is {found}, sealed was {member.sha256}",
            next_step="Build again; if it happens again, something else writes to the build's "
            "files.",
        )


def record_row(name: str, digest: bytes, nbytes: int) -> Row:
    """A row of RECORD."""
    encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return name, f"sha256={encoded}", str(nbytes)


def zip_info(member: Member, epoch: int) -> zipfile.ZipInfo:
    """How an archive lists a member; `epoch` is its time, in seconds since 1970."""
    info = zipfile.ZipInfo(member.name, zip_date_time(epoch))
    info.create_system = _UNIX
    info.external_attr = (_REGULAR_FILE | (0o755 if member.executable else 0o644)) << 16
    # The compression level is left at zlib's own default, which is fixed (6).
    info.compress_type = zipfile.ZIP_STORED if member.stored else zipfile.ZIP_DEFLATED
    # Known before the first byte, so that the header has room for Zip64 past 4 GiB.
    info.file_size = member.nbytes
    return info

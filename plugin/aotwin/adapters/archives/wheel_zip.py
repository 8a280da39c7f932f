"""Write wheels as streams, the same bytes every time.

The format is the PyPA specification "Binary distribution format": a zip archive whose last member
is `<name>-<version>.dist-info/RECORD`, a csv of every member's path, sha256 and size.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from aotwin.adapters.archives.hashed_stream import write_hashed
from aotwin.adapters.storage.files import replacing, storage_errors
from aotwin.errors import CheckError, StorageError
from aotwin.portable_names import first_clash, path_problem
from aotwin.progress import Step
from aotwin.reproducible import zip_date_time

#: bytes read at a time: larger pieces cost a mapping of memory each
_CHUNK = 1 << 20
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


def check_names(names: Sequence[str]) -> None:
    """Refuse a set of member names that cannot be installed on Windows.

    Raises:
        CheckError: naming the first one.
    """
    for name in names:
        if problem := path_problem(name):
            raise CheckError(
                f"the wheel would hold {name!r}, which cannot be installed on Windows",
                cause=problem,
                next_step="Rename the file, or leave it out of the package.",
            )
    if clash := first_clash(names):
        first, second = clash
        raise CheckError(
            f"the wheel would hold {first!r} and {second!r}, of which Windows can have only one",
            cause="both have one path"
            if first == second
            else "their paths clash or differ by case",
            next_step="Rename one of them; a model's package and the project's must not overlap.",
        )


class Draft:
    """A wheel that is begun before all of its members are known, in a file of its own.

    What is large goes in as soon as it is there, and is written once; `write_wheel` adds the rest.
    Beside what the build does next, what was written is hashed and goes to the disk.

    Args:
        file: an empty one, open for reading and writing.
        path: its name, on the disk of the finished wheel.
        epoch: the time of all members, in seconds since 1970.
        wheel: what it becomes, for messages; by default its name is that of its file.
    """

    def __init__(
        self, file: BinaryIO, path: Path, epoch: int, *, wheel: Path | None = None
    ) -> None:
        self.file, self.path, self.epoch, self.wheel = file, path, epoch, wheel or path
        self.archive = zipfile.ZipFile(file, "w")
        #: members so far, as RECORD lists them
        self.record: list[tuple[str, str, str]] = []
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="aotwin-wheel")
        self._hashed, self._digest, self._lock = 0, hashlib.sha256(), threading.Lock()

    @contextmanager
    def member(self, name: str, nbytes: int) -> Iterator[Callable[[bytes | memoryview], object]]:
        """Write a stored member.

        Yields:
            What takes its bytes, `nbytes` in all. `list` it then.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        info = _zip_info(Member(name, io.BytesIO, nbytes, stored=True), self.epoch)
        with storage_errors(self.wheel), self.archive.open(info, "w") as sink:
            yield sink.write

    def list(self, name: str, sha256: str, nbytes: int) -> None:
        """Tell RECORD of a member that was written: its digest, hex, and bytes."""
        self.record.append(_row(name, bytes.fromhex(sha256), nbytes))
        with storage_errors(self.wheel):
            self.file.flush()
        self._beside.submit(self._hash, self.file.tell())
        self._beside.submit(os.fsync, self.file.fileno())

    def sha256(self) -> str:
        """The digest of the finished file, hex.

        Raises:
            StorageError: it cannot be read.
        """
        with storage_errors(self.wheel):
            self._hash(self.file.seek(0, os.SEEK_END))
        return self._digest.hexdigest()

    def _hash(self, end: int) -> None:
        """Go on with the digest up to an offset: what lies before it does not change any more."""
        with self._lock:
            while self._hashed < end and (
                chunk := os.pread(self.file.fileno(), min(_CHUNK, end - self._hashed), self._hashed)
            ):
                self._digest.update(chunk)
                self._hashed += len(chunk)

    def close(self) -> None:
        """Let go of the file, finished or not."""
        self._beside.shutdown(cancel_futures=True)
        # What was never finished is nobody's wheel, and what was is on the disk already.
        with suppress(OSError, ValueError):
            self.archive.close()
        with suppress(OSError):
            self.file.close()


def write_wheel(
    path: Path,
    members: Sequence[Member],
    *,
    dist_info: str,
    epoch: int,
    step: Step | None = None,
    draft: Draft | None = None,
) -> None:
    """Write a wheel under a temporary name, check it, and only then give it its name.

    Args:
        path: the wheel.
        members: everything but RECORD, in any order.
        dist_info: name of the `.dist-info` folder that RECORD goes to.
        epoch: time of all members, in seconds since 1970 (see `aotwin.reproducible`).
        step: gets to know how many bytes are written, and read again.
        draft: a wheel that some members are in already, of the same time; it becomes the wheel.

    Raises:
        CheckError: a name that Windows cannot have, or bytes in the wheel that do not hash to the
            digest that their member expects.
        StorageError: the disk is full, or a source cannot be read or changed meanwhile.
    """
    step = step or Step("pack")
    again = sum(member.nbytes for member in members if _is_reread(member))
    step.expect(sum(member.nbytes for member in members) + again, "bytes")
    before = [] if draft is None else [row[0] for row in draft.record]
    check_names([*before, *(member.name for member in members), _record_name(dist_info)])
    ordered = sorted(members, key=lambda member: _place(member.name, dist_info))
    if draft is None:
        with replacing(path, durable=True) as file:
            _finish(Draft(file, path, epoch), ordered, dist_info, step)
        return
    with storage_errors(path):
        _finish(draft, ordered, dist_info, step)
        draft.file.flush()
        os.fsync(draft.file.fileno())
        draft.path.replace(path)


def _finish(draft: Draft, ordered: Sequence[Member], dist_info: str, step: Step) -> None:
    """Add all other members to a draft, RECORD at the end, and check what is sealed."""
    with draft.archive as archive:
        rows = [_write(archive, member, draft.epoch, step) for member in ordered]
        rows = sorted([*draft.record, *rows], key=lambda row: _place(row[0], dist_info))
        name = _record_name(dist_info)
        content = _render_record([*rows, (name, "", "")])
        _write(archive, Member.from_bytes(name, content), draft.epoch)
    _check_digests(draft.file, draft.wheel, ordered, step)


def _record_name(dist_info: str) -> str:
    return f"{dist_info}/RECORD"


def _place(name: str, dist_info: str) -> tuple[bool, str]:
    # dist-info comes last, as the specification recommends: it can be replaced without a rewrite.
    return name.startswith(f"{dist_info}/"), name


def write_archive(path: Path, members: Sequence[Member], *, epoch: int) -> None:
    """Write a plain zip archive as `write_wheel` writes wheels: streamed, sorted, checked, whole.

    Raises:
        CheckError: bytes in the archive that do not hash to the digest that their member expects.
        StorageError: the disk is full, or a source cannot be read or changed meanwhile.
    """
    ordered = sorted(members, key=lambda member: member.name)
    with replacing(path, durable=True) as file:
        with zipfile.ZipFile(file, "w") as archive:
            for member in ordered:
                _write(archive, member, epoch)
        _check_digests(file, path, ordered)


def _is_reread(member: Member) -> bool:
    return member.sha256 is not None and member.reread


def _write(
    archive: zipfile.ZipFile, member: Member, epoch: int, step: Step | None = None
) -> tuple[str, str, str]:
    """Stream one member into the archive; returns its row in RECORD."""
    digest = hashlib.sha256()
    with member.open() as source, archive.open(_zip_info(member, epoch), "w") as sink:
        nbytes = write_hashed(_chunks(source, member.nbytes, step), sink.write, digest)
    if nbytes != member.nbytes:
        raise StorageError(
            f"{member.name} changed while it was packed",
            cause=f"it had {member.nbytes:,} bytes at first, and then another number",
            next_step="Build again, and leave the project's files alone meanwhile.",
        )
    _compare(member, digest.hexdigest())
    return _row(member.name, digest.digest(), nbytes)


def _row(name: str, digest: bytes, nbytes: int) -> tuple[str, str, str]:
    """A row of RECORD."""
    encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return name, f"sha256={encoded}", str(nbytes)


def _chunks(source: IO[bytes], nbytes: int, step: Step | None = None) -> Iterator[bytes]:
    """What is in a file, but never more than one byte past what it should have."""
    left = nbytes + 1
    while left and (chunk := source.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk
        if step is not None:
            step.advance(len(chunk))


def _zip_info(member: Member, epoch: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(member.name, zip_date_time(epoch))
    info.create_system = _UNIX
    info.external_attr = (_REGULAR_FILE | (0o755 if member.executable else 0o644)) << 16
    # The compression level is left at zlib's own default, which is fixed (6).
    info.compress_type = zipfile.ZIP_STORED if member.stored else zipfile.ZIP_DEFLATED
    # Known before the first byte, so that the header has room for Zip64 past 4 GiB.
    info.file_size = member.nbytes
    return info


def _render_record(rows: Sequence[tuple[str, str, str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _check_digests(
    file: BinaryIO, path: Path, members: Sequence[Member], step: Step | None = None
) -> None:
    """Read the sealed members again, from the finished archive."""
    file.flush()
    file.seek(0)
    with storage_errors(path), zipfile.ZipFile(file) as archive:
        for member in members:
            if not _is_reread(member):
                continue
            digest = hashlib.sha256()
            with archive.open(member.name) as content:
                for chunk in _chunks(content, member.nbytes, step):
                    digest.update(chunk)
            _compare(member, digest.hexdigest())


def _compare(member: Member, found: str) -> None:
    if member.sha256 is not None and found != member.sha256.lower():
        raise CheckError(
            f"{member.name} in the wheel is not the file that was checked",
            cause=f"sha256 is {found}, sealed was {member.sha256}",
            next_step="Build again; if it happens again, something else writes to the build's "
            "files.",
        )

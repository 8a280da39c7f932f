"""A wheel that is begun before all of its members are known."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aotwin.adapters.archives.members import CHUNK_NBYTES, Member, Row, record_row, zip_info
from aotwin.adapters.archives.standing_wheel import StandingWheel, remember_wheel
from aotwin.adapters.storage.files import storage_errors
from aotwin.termination import undisturbed


class Draft:
    """A wheel that is begun before all of its members are known, in a file of its own.

    What is large goes in as soon as it is there, and is written once; `write_wheel` adds the rest.
    Beside what the build does next, what was written is hashed and goes to the disk. What the wheel
    before has, too, is only noted as long as the two may come out the same: it is written when they
    are known to differ, or never.

    Args:
        file: an empty one, open for reading and writing.
        path: its name, on the disk of the finished wheel.
        epoch: the time of all members, in seconds since 1970.
        wheel: what it becomes, for messages; by default its name is that of its file.
        standing: the wheel of an earlier build in that place.
    """

    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        epoch: int,
        *,
        wheel: Path | None = None,
        standing: StandingWheel | None = None,
    ) -> None:
        self.file, self.path, self.epoch, self.wheel = file, path, epoch, wheel or path
        self.standing = standing
        #: True: the standing wheel is what this one would have become
        self.stood = False
        #: digest over all members of the finished wheel, of `standing_wheel.made_of`
        self.made_of = ""
        self.archive = zipfile.ZipFile(file, "w")
        self._written: list[Row] = []
        self._owed: dict[Row, Callable[[], object]] = {}
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="aotwin-wheel")
        self._hashed, self._digest, self._lock = 0, hashlib.sha256(), threading.Lock()

    @property
    def rows(self) -> list[Row]:
        """Members so far, as RECORD lists them."""
        return [*self._written, *self._owed]

    @property
    def candidate(self) -> StandingWheel | None:
        """The standing wheel, where it has all members so far: none was written, only noted."""
        return self.standing if self._owed else None

    def owe(self, name: str, sha256: str, nbytes: int, write: Callable[[], object]) -> bool:
        """Note a member, in place of writing it, if the standing wheel has it.

        Args:
            sha256: its digest, hex.
            nbytes: its bytes.
            write: writes and lists it, by `member` and `list`; called where it has to be after all.

        Returns:
            False where it has to be written now.
        """
        row = record_row(name, bytes.fromhex(sha256), nbytes)
        if self._written or self.standing is None or row not in self.standing.rows:
            return False
        self._owed[row] = write
        return True

    def pay(self) -> None:
        """Write what was only noted, in its order.

        Raises:
            Whatever a `write` raises.
        """
        owed, self._owed = self._owed, {}
        for write in owed.values():
            write()

    @contextmanager
    def member(self, name: str, nbytes: int) -> Iterator[Callable[[bytes | memoryview], object]]:
        """Write a stored member.

        Yields:
            What takes its bytes, `nbytes` in all. `list` it then.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        self.pay()
        info = zip_info(Member(name, io.BytesIO, nbytes, stored=True), self.epoch)
        with storage_errors(self.wheel), self.archive.open(info, "w") as sink:
            yield sink.write

    def list(self, name: str, sha256: str, nbytes: int) -> None:
        """Tell RECORD of a member that was written: its digest, hex, and bytes."""
        self._written.append(record_row(name, bytes.fromhex(sha256), nbytes))
        with storage_errors(self.wheel):
            self.file.flush()
        # A signal's exception in between could leave a lock taken that the thread needs.
        with undisturbed():
            self._beside.submit(self._hash, self.file.tell())
            self._beside.submit(os.fsync, self.file.fileno())

    def leave(self) -> str:
        """Let go of the finished wheel, for a later build to know it by what it was made of.

        Returns:
            The digest of its file, hex.

        Raises:
            StorageError: it cannot be read.
        """
        if self.standing is not None and self.stood:
            return self.standing.sha256
        sha256 = self.sha256()
        remember_wheel(self.wheel, self.file.fileno(), self.made_of, sha256, self.rows)
        return sha256

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
                chunk := os.pread(
                    self.file.fileno(), min(CHUNK_NBYTES, end - self._hashed), self._hashed
                )
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

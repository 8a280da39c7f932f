"""Files that somebody else wrote, in a folder or an archive, read without trusting a byte of them.

Nothing is extracted, no link is followed, no device or pipe is opened, and no file is read whole
unless its reader says how much of it there may be.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_CHUNK = 1 << 20
#: entries of a folder; a Python environment has some ten thousand
_MAX_ENTRIES = 2_000_000


class DamagedFileError(Exception):
    """A file cannot be read, or its container contradicts itself; the text says how.

    Internal to the check: it always ends as a finding.
    """


class Files(Protocol):
    """A set of regular files under relative paths with forward slashes."""

    def names(self) -> Sequence[str]:
        """Every regular file, sorted."""

    def odd(self) -> Mapping[str, str]:
        """What has a name and is no regular file -> what it is instead."""

    def nbytes(self, name: str) -> int:
        """Size of a file, in bytes."""

    def chunks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of a file from an offset on.

        Raises:
            DamagedFileError: while it is read.
        """


def read_file(files: Files, name: str, limit: int) -> bytes:
    """A file whole.

    Args:
        limit: bytes that it may have at most.

    Raises:
        DamagedFileError: it is larger, or cannot be read.
    """
    if files.nbytes(name) > limit:
        raise DamagedFileError(f"{files.nbytes(name):,} bytes, more than {limit:,}")
    data = bytearray()
    for chunk in files.chunks(name):
        data += chunk
        if len(data) > limit:
            raise DamagedFileError(f"more than {limit:,} bytes")
    return bytes(data)


def read_range(files: Files, name: str, start: int, nbytes: int) -> bytes:
    """A piece of a file; shorter than `nbytes` where the file ends before.

    Raises:
        DamagedFileError: it cannot be read.
    """
    data = bytearray()
    for chunk in files.chunks(name, start):
        data += chunk[: nbytes - len(data)]
        if len(data) == nbytes:
            break
    return bytes(data)


def file_digest(files: Files, name: str) -> bytes:
    """sha256 of a file.

    Raises:
        DamagedFileError: it cannot be read.
    """
    digest = hashlib.sha256()
    for chunk in files.chunks(name):
        digest.update(chunk)
    return digest.digest()


class FolderFiles:
    """The files under a folder.

    Args:
        root: the folder; a link to one is followed, links in it are not.
        recursive: whether to look into subfolders.

    Raises:
        DamagedFileError: it cannot be listed, or holds more than anybody's environment does.
    """

    def __init__(self, root: Path, *, recursive: bool = True) -> None:
        self._root = root
        self._recursive = recursive
        self._sizes: dict[str, int] = {}
        self._odd: dict[str, str] = {}
        try:
            self._walk()
        except (OSError, ValueError) as error:
            raise DamagedFileError(str(error)) from error
        self._names = sorted(self._sizes)

    def _walk(self) -> None:
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self._root / folder) as entries:
                    rows = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
            except OSError as error:
                if not folder:
                    raise
                self._odd[folder.rstrip("/")] = f"a folder that cannot be listed: {error.strerror}"
                continue
            for name, status in rows:
                path = folder + name
                if stat.S_ISDIR(status.st_mode):
                    folders += [f"{path}/"] if self._recursive else []
                elif stat.S_ISREG(status.st_mode):
                    self._sizes[path] = status.st_size
                else:
                    self._odd[path] = _kind(status.st_mode)
            if len(self._sizes) > _MAX_ENTRIES:
                raise DamagedFileError(f"more than {_MAX_ENTRIES:,} files")

    def names(self) -> Sequence[str]:
        """Every regular file, sorted."""
        return self._names

    def odd(self) -> Mapping[str, str]:
        """Links, devices, folders that cannot be listed."""
        return self._odd

    def nbytes(self, name: str) -> int:
        """Size of a file, in bytes, as it was when the folder was listed."""
        return self._sizes[name]

    def chunks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of a file from an offset on."""
        yield from file_chunks(self._root / name, start, follow=False)


def file_chunks(path: Path, start: int = 0, *, follow: bool = True) -> Iterator[bytes]:
    """The bytes of a regular file from an offset on.

    Args:
        follow: whether the path itself may be a symbolic link.

    Raises:
        DamagedFileError: it is no regular file, or cannot be read.
    """
    # Opening a pipe without O_NONBLOCK would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    descriptor = -1
    try:
        descriptor = os.open(path, flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DamagedFileError("not a regular file")
        os.lseek(descriptor, start, os.SEEK_SET)
        while chunk := os.read(descriptor, _CHUNK):
            yield chunk
    except (OSError, ValueError) as error:
        raise DamagedFileError(str(error)) from error
    finally:
        with suppress(OSError):
            if descriptor >= 0:
                os.close(descriptor)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
        stat.S_IFBLK: "a device", stat.S_IFCHR: "a device",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "no regular file")

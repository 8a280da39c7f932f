"""The user cache: folders that are built once, whole or not at all, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aotwin.errors import StorageError


def cache_dir() -> Path:
    """`$AOTWIN_CACHE_DIR`, or `aotwin` in the user's cache folder (XDG on Linux)."""
    chosen = os.environ.get("AOTWIN_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("aotwin"))


def build_once(directory: Path, build: Callable[[Path], None]) -> Path:
    """Fill a cache folder unless it is there already.

    The folder is filled under a temporary name and renamed, so that it is never seen half full;
    a lock keeps a second process waiting instead of doing the same work.

    Args:
        directory: the folder's final name.
        build: fills the (existing, empty) folder that it is given.

    Returns:
        `directory`.

    Raises:
        StorageError: the cache cannot be written.
    """
    if directory.is_dir():
        return directory
    with _storage_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
    with _lock(directory.with_name(directory.name + ".lock")):
        if directory.is_dir():
            return directory
        prefix = f".{directory.name}-"
        with _storage_errors(directory):
            # Whoever holds the lock is alone here: these were left by a process that was killed.
            for left in directory.parent.glob(f"{prefix}*"):
                shutil.rmtree(left, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=directory.parent))
            try:
                build(temporary)
                temporary.rename(directory)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return directory


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with _storage_errors(path), path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the cache folder {path} cannot be written",
            cause=str(error),
            next_step="Make room, or point AOTWIN_CACHE_DIR at a folder that can be written.",
        ) from error


@dataclass(frozen=True)
class CacheEntry:
    """One folder of the cache and what it takes."""

    path: Path
    nbytes: int


def cached() -> list[CacheEntry]:
    """The folders two levels down (sysroots/..., zig/..., objects/...) with their sizes."""
    return [
        CacheEntry(folder, _size(folder))
        for folder in sorted(cache_dir().glob("*/*"))
        if folder.is_dir()
    ]


def clean() -> int:
    """Remove everything that aotwin keeps in its cache folder.

    Returns:
        Bytes that were removed.

    Raises:
        StorageError: something cannot be removed.
    """
    removed = 0
    for kind in ("results", "objects", "sysroots", "zig", "runtime"):
        folder = cache_dir() / kind
        if folder.is_dir():
            removed += _size(folder)
            with _storage_errors(folder):
                shutil.rmtree(folder)
    return removed


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())

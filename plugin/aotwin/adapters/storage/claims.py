"""Working folders that a later build can tell abandoned from in use, whoever was killed when.

A folder is `.aotwin-` and 16 hex digits, and holds a file `lock` that its process keeps locked
(flock). The kernel lets go of the lock when the process ends, however it ends: a folder whose lock
can be had is abandoned. Process numbers, which are given out again, play no part. Windows, where
no models are built, has no such locks: folders have none there, and none is taken for abandoned.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_NAME = re.compile(r"\.aotwin-[0-9a-f]{16}")
_LOCK = "lock"
#: for whoever looks into a folder that was left
_TEXT = b"aotwin works here, or was killed here: its next build beside this folder removes it.\n"


@dataclass(frozen=True)
class Claim:
    """A folder that is this process's own until `remove`."""

    folder: Path
    _lock: int | None

    def remove(self) -> None:
        """Remove the folder with all that is in it, and let go of its lock."""
        _remove(self.folder)
        if self._lock is not None:
            os.close(self._lock)


def claim_folder(parent: Path) -> Claim:
    """Make a folder that no other process touches.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        folder = parent / f".aotwin-{os.urandom(8).hex()}"
        folder.mkdir(mode=0o700)
        if sys.platform == "win32":
            return Claim(folder, None)
        lock = _locked_file(folder / _LOCK)
        if lock is not None:
            return Claim(folder, lock)


def _locked_file(path: Path) -> int | None:
    """Create and lock a file; None where another process took its folder for abandoned before."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        os.write(lock, _TEXT)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        taken = os.fstat(lock).st_nlink == 0
    except BlockingIOError:
        taken = True
    except OSError:
        # A file system without locks, or a full one: under another name nobody looks at it.
        path.rename(path.with_name("unlocked"))
        return lock
    if taken:
        os.close(lock)
        return None
    return lock


def remove_abandoned(parent: Path) -> None:
    """Remove this user's working folders in `parent` whose processes have ended.

    What cannot be removed, or may be somebody else's, stays.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if (
                _NAME.fullmatch(entry.name)
                and entry.is_dir(follow_symlinks=False)
                and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
            ):
                _remove_abandoned(Path(entry.path))


def _remove_abandoned(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        # Killed before it had its lock, or after; rmdir removes nothing but an empty folder.
        with suppress(OSError):
            folder.rmdir()
        return
    except OSError:
        return
    try:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """The lock goes last: whoever is killed meanwhile leaves what can still be told apart."""
    lock = folder / _LOCK
    with suppress(OSError):
        for each in folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            elif each != lock:
                with suppress(OSError):
                    each.unlink()
        if set(folder.iterdir()) <= {lock}:
            lock.unlink(missing_ok=True)
            folder.rmdir()

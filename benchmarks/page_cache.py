"""Which pages of a file the kernel holds in memory, and how to make it forget them."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

#: more of the file than this in memory, and it does not count as cold
_MOST_CACHED = 0.01


def drop(path: Path) -> None:
    """Take a file out of the page cache.

    Raises:
        RuntimeError: it is still there, because a process maps it or the file system lives in
            memory (tmpfs): nothing cold can be measured then.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if (share := cached_share(path)) > _MOST_CACHED:
        raise RuntimeError(f"{share:.0%} of {path} stays in memory; use a folder on a disk")


def fill(path: Path) -> None:
    """Read a file into the page cache."""
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(1 << 24)
        while file.readinto(buffer):
            pass


def cached_share(path: Path) -> float:
    """Which part of a file is in memory, 0 to 1: see mincore(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    nbytes = path.stat().st_size
    pages = -(-nbytes // mmap.PAGESIZE)
    resident = (ctypes.c_ubyte * pages)()
    # Copy-on-write, as ctypes wants memory that may be written to tell its address.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as view:
        start = ctypes.c_char.from_buffer(view)
        address = ctypes.c_void_p(ctypes.addressof(start))
        failed = libc.mincore(address, ctypes.c_size_t(nbytes), resident)
        del start
    if failed:
        raise OSError(ctypes.get_errno(), f"mincore of {path}")
    return sum(byte & 1 for byte in bytes(resident)) / pages

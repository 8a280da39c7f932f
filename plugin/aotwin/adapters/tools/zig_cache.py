"""The manifests of zig's cache, made to fit files that were laid out anew.

zig 0.17 keeps, for each thing that it has compiled, a list of the files that went into it: size,
inode, time and digest of each. A file whose inode or time is another counts as changed, so a cache
that was copied, or restored by a CI service, is cold: minutes of compiling. Where the files are
known to be the same, their inodes and times are written anew into the lists, and zig takes what it
has.

A list is `<cache>/h/<32 hex digits>`, little endian: for each file 8 bytes size, 8 inode, 8 time of
the last change in nanoseconds, 16 digest, 1 place (what the path is relative to), then the path and
a zero byte; a zero byte ends the list. (lib/std/Build/Cache.zig is zig's own description.)
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from aotwin.adapters.storage.files import replacing, storage_errors

#: the versions whose lists have this form
KNOWN_VERSIONS = re.compile(r"0\.17\.")
NAME = re.compile(r"[0-9a-f]{32}")
_STAMP = struct.Struct("<QQQ")
_DIGEST_NBYTES = 16
#: place of a path: below zig's lib folder
_IN_LIB = 4
#: below the cache itself
_IN_CACHE = 12


class UnknownFormError(Exception):
    """A list is not of the form that this module knows. It is left as it is."""


def entries(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Each file of a list: where its row starts, its size, the place of its path, its path.

    Raises:
        UnknownFormError: the bytes are no such list.
    """
    at = 0
    while at < len(data) - 1:
        path = at + _STAMP.size + _DIGEST_NBYTES + 1
        end = data.find(b"\0", path)
        if end <= path:
            raise UnknownFormError(f"a row at byte {at} has no path")
        yield at, _STAMP.unpack_from(data, at)[0], data[path - 1], data[path:end]
        at = end + 1
    if data[at:] not in (b"", b"\0"):
        raise UnknownFormError("it does not end as a list does")


class Stamps:
    """Inode and time of files below zig's lib folder and its cache, each asked for once."""

    def __init__(self, lib_dir: Path, cache: Path) -> None:
        self._roots: Mapping[int, Path] = {_IN_LIB: lib_dir, _IN_CACHE: cache}
        self._known: dict[tuple[int, bytes], os.stat_result | None] = {}

    def of(self, place: int, path: bytes) -> os.stat_result | None:
        """What the disk says of a file; None where it is elsewhere, or missing."""
        key = (place, path)
        if key not in self._known:
            try:
                root = self._roots.get(place)
                self._known[key] = None if root is None else (root / os.fsdecode(path)).stat()
            except (OSError, ValueError):
                self._known[key] = None
        return self._known[key]


def stamped(data: bytes, stamps: Stamps) -> bytes:
    """A list with the inodes and times that its files have here.

    A file of another size keeps its old ones, so that zig looks at it again.

    Raises:
        UnknownFormError: the bytes are no such list.
    """
    changed = bytearray(data)
    for at, nbytes, place, path in entries(data):
        status = stamps.of(place, path)
        if status is not None and status.st_size == nbytes:
            _STAMP.pack_into(changed, at, nbytes, status.st_ino, status.st_mtime_ns)
    return bytes(changed)


def stamp_cache(cache: Path, lib_dir: Path) -> int:
    """Write the lists of a cache anew, whose files are the same under other inodes and times.

    Args:
        cache: zig's cache.
        lib_dir: its lib folder, with the content that it had when the cache was filled.

    Returns:
        How many lists were changed.

    Raises:
        StorageError: the cache cannot be written.
    """
    stamps = Stamps(lib_dir, cache)
    count = 0
    with storage_errors(cache):
        lists = [path for path in cache.glob("h/*") if NAME.fullmatch(path.name)]
        for path in lists:
            data = path.read_bytes()
            try:
                new = stamped(data, stamps)
            except UnknownFormError:
                continue
            if new != data:
                with replacing(path) as file:
                    file.write(new)
                count += 1
    return count

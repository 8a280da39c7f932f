"""Digests of large files, which are not read again as long as nobody has touched them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import BinaryIO

from aotwin.adapters.storage.results import key_of, recall, remember

#: A file that changed so short a time before it was read may change again under the same time.
_SETTLED_NS = 2_000_000_000
_KIND = "digests"


def content_digest(path: Path) -> str:
    """The sha256 of a file, hex.

    It is remembered under the file's place on its disk, size and times. The time at which its
    status last changed is among them, which no program can set back.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        started = time.time_ns()
        status = os.fstat(file.fileno())
        key = key_of("sha256", str(path.resolve()), identity_of(status))
        known = recall(_KIND, key)
        if known is not None:
            return known.decode("ascii", "replace")
        digest = _digest(file)
        after = os.fstat(file.fileno())
        if _is_settled(status, started) and identity_of(after) == identity_of(status):
            remember(_KIND, key, digest.encode())
        return digest


def settled_identity(path: Path) -> str:
    """`identity_of` a file, or "" where it changed so lately that the next change may not show."""
    started = time.time_ns()
    try:
        status = path.stat()
    except OSError:
        return ""
    return identity_of(status) if _is_settled(status, started) else ""


def identity_of(status: os.stat_result) -> str:
    """What a file is known by: its place on its disk, size and times."""
    return json.dumps(
        [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    )


def _is_settled(status: os.stat_result, started: int) -> bool:
    return max(status.st_ctime_ns, status.st_mtime_ns) < started - _SETTLED_NS


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
    return digest.hexdigest()

"""Results that a later build finds again, under a digest of everything that went into them.

Each is one file, `results/<kind>/<key>`: a line of JSON that says what the file is (kind, key,
bytes and sha256 of the rest), then the content. It is written under another name and renamed, and
it is believed only where that line fits: what is damaged, cut off or somebody else's is no result.
The files that were used longest ago make room for new ones. A cache that cannot be read or written
costs time and never a build.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.storage import shared_results
from aotwin.adapters.storage.cache import cache_dir
from aotwin.adapters.storage.files import replacing
from aotwin.adapters.storage.seals import opened, sealed
from aotwin.errors import ConfigurationError, StorageError
from aotwin.progress import note

#: what a stage says where its result was found
REMEMBERED = "remembered"
#: kind -> what it holds
KINDS = {
    "programs": "what a saved program becomes, without importing torch",
    "wrappers": "the C++ of exported programs",
    "objects": "compiled wrappers",
    "dlls": "linked DLLs",
    "digests": "digests of large files",
    "wheels": "what the wheels that builds left were made of",
}
#: of use on this machine alone
OF_THIS_MACHINE = frozenset({"digests", "wheels"})
_FOLDER = "results"
_DEFAULT_NBYTES = 5 << 30
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: of the bound, what is left after making room, so that not every result makes room anew
_KEPT_SHARE = 0.9
#: what `remember` was given since `hand_over`; None where it keeps results itself
_handed_over: list[tuple[str, str, bytes]] | None = None
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def enabled() -> bool:
    """False where `AOTWIN_NO_CACHE` is set, to anything but 0."""
    return os.environ.get("AOTWIN_NO_CACHE", "0") in ("", "0")


def max_nbytes() -> int:
    """Bytes that all results may take: `AOTWIN_CACHE_SIZE` ("5G", "500M"), 0 for no bound.

    Raises:
        ConfigurationError: the variable is no size.
    """
    text = os.environ.get("AOTWIN_CACHE_SIZE", "").strip()
    if not text:
        return _DEFAULT_NBYTES
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f"AOTWIN_CACHE_SIZE is {text!r}, which is no size",
            cause="it takes a number of bytes, or one with K, M, G or T",
            next_step="Set it to 5G, for instance, or to 0 for no bound.",
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def check_cache_settings() -> None:
    """Stop at settings of the cache that no build could follow, before anything is built.

    Raises:
        ConfigurationError: `AOTWIN_CACHE_SIZE`, `AOTWIN_CACHE_URL` or `AOTWIN_CACHE_KEY` is of no
            use.
    """
    if enabled():
        max_nbytes()
        shared_results.require_usable()


def key_of(*parts: str | bytes) -> str:
    """A name for whatever these parts, in this order, decide.

    Args:
        parts: told apart by their lengths, so that no two lists of parts give one key.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def hand_over() -> list[tuple[str, str, bytes]]:
    """Let another process keep what is remembered in this one from here on.

    Returns:
        A list that kinds, keys and contents of results are added to, for that process to
        `remember`. A shared store, its patience and its messages are left to it as well.
    """
    global _handed_over  # noqa: PLW0603 - of the process, which is one that was forked for a job
    _handed_over = []
    return _handed_over


def recall(kind: str, key: str) -> bytes | None:
    """The content that was remembered, whole and unchanged, or None."""
    if not enabled():
        return None
    found = _kept_here(kind, key)
    if found is not None or kind in OF_THIS_MACHINE or _handed_over is not None:
        return found
    content = shared_results.fetch(kind, key)
    if content is not None:
        _store(_path(kind, key), sealed(content, kind, key))
    return content


def _kept_here(kind: str, key: str) -> bytes | None:
    path = _path(kind, key)
    try:
        content = opened(path.read_bytes(), kind, key)
    except OSError:
        return None
    with suppress(OSError):
        # The time of its last use; a cache that may only be read is used all the same.
        os.utime(path) if content is not None else path.unlink()
    return content


def remember(kind: str, key: str, content: bytes) -> None:
    """Keep a result for later builds, here and where `AOTWIN_CACHE_URL` says."""
    if not enabled():
        return
    if _handed_over is not None:
        _handed_over.append((kind, key, content))
        return
    _store(_path(kind, key), sealed(content, kind, key))
    if kind not in OF_THIS_MACHINE:
        shared_results.send(kind, key, content)


def remembered(kind: str, key: str, make: Callable[[], bytes]) -> bytes:
    """A result, made where it is not known; a second process that wants it waits for the first.

    The stage that is under way says so where nothing was made.

    Raises:
        Whatever `make` raises.
    """
    found = recall(kind, key)
    if found is None:
        with _alone(key):
            found = _kept_here(kind, key) if enabled() else None
            if found is None:
                found = make()
                remember(kind, key, found)
                return found
    note(REMEMBERED)
    return found


@dataclass(frozen=True)
class Kept:
    """What the cache of results holds of one kind."""

    kind: str
    count: int
    nbytes: int


def kept() -> list[Kept]:
    """What is kept, kind by kind."""
    files = list(_files())
    return [
        Kept(
            kind,
            sum(1 for each in files if each.kind == kind),
            sum(each.nbytes for each in files if each.kind == kind),
        )
        for kind in KINDS
    ]


def clear() -> int:
    """Remove all results on this machine; a shared store is left alone.

    Returns:
        Bytes that were removed.

    Raises:
        StorageError: something cannot be removed.
    """
    removed = sum(each.nbytes for each in _files())
    folder = results_dir()
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be removed",
            cause=str(error),
            next_step="Check that it is yours, and try again.",
        ) from error
    return removed


def results_dir() -> Path:
    """Where results are kept on this machine."""
    return cache_dir() / _FOLDER


def _path(kind: str, key: str) -> Path:
    return results_dir() / kind / key


def _store(path: Path, data: bytes) -> None:
    bound = max_nbytes()
    if bound and len(data) > bound * _KEPT_SHARE:
        return
    with suppress(StorageError, OSError):
        with replacing(path) as file:
            file.write(data)
        if bound:
            _make_room(bound)


@dataclass(frozen=True)
class _File:
    path: Path
    kind: str
    nbytes: int
    used_ns: int


def _files() -> Iterator[_File]:
    for kind in KINDS:
        with suppress(OSError), os.scandir(results_dir() / kind) as entries:
            for entry in entries:
                # Others may remove files meanwhile; folders are those of writes under way.
                with suppress(OSError):
                    if entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield _File(Path(entry.path), kind, status.st_size, status.st_mtime_ns)


def _make_room(bound: int) -> None:
    files = sorted(_files(), key=lambda each: (each.used_ns, each.path.name))
    total = sum(each.nbytes for each in files)
    if total <= bound:
        return
    for each in files:
        if total <= bound * _KEPT_SHARE:
            return
        with suppress(OSError):
            each.path.unlink(missing_ok=True)
            total -= each.nbytes


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """Keep others waiting who want the same; without locks everybody works for himself."""
    path = results_dir() / "locks" / key[:2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        yield
        return
    with file:
        yield

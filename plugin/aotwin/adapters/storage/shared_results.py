"""The store of results that machines share: `AOTWIN_CACHE_URL`, any place that fsspec reaches.

It is an offer and never a need. Each request is made in a thread of its own and waited for a few
seconds at most; after the first one that fails or takes longer, or when its answers have cost too
much time for nothing, the store is left alone until the process ends. One that takes no results is
still read. What it gives is verified. Sending goes on beside the build.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache, partial
from queue import SimpleQueue
from typing import Any, TypeVar

from aotwin.adapters.storage.seals import opened, sealed, secret_of_builds
from aotwin.errors import ConfigurationError

#: seconds that one request may take, and all sending together after the build
PATIENCE = 10.0
#: seconds that all requests which brought nothing may take
MAX_WASTE = 30.0
#: a result is a few megabytes; what is larger than this is not read to its end
MAX_NBYTES = 256 << 20
_CHUNK_NBYTES = 1 << 20
#: what a message of a library may give away: names and passwords before a host, tokens after a path
_SECRETS = re.compile(r"(?<=://)[^/@\s'\"]*@|\?[^\s'\")]*")

_Value = TypeVar("_Value")


@dataclass
class _Store:
    """One store, for the life of the process."""

    url: str
    read_only: bool
    #: signs what is sent, and must have signed what is taken; empty: neither
    secret: bytes
    #: why it is left alone; why nothing is sent to it; why it may not be read
    trouble: str = ""
    full: str = ""
    denied: str = ""
    #: results that were taken, that were not signed by a build of ours, that were damaged
    taken: int = 0
    unsigned: int = 0
    damaged: int = 0
    #: seconds of requests that brought nothing
    wasted: float = 0.0
    told: set[str] = field(default_factory=set)
    #: None ends the thread
    waiting: SimpleQueue[Callable[[], None] | None] = field(default_factory=SimpleQueue)
    sender: threading.Thread | None = None
    _files: Any = None
    _root: str = ""

    def place(self, kind: str, key: str) -> tuple[Any, str]:
        """The file system, and the path of a result in it."""
        if self._files is None:
            import fsspec

            files, self._root = fsspec.core.url_to_fs(self.url)
            self._files = files
        return self._files, f"{self._root.rstrip('/')}/{kind}/{key}"

    def messages(self) -> list[str]:
        """What a user should know of it, a line each."""
        said = []
        if self.trouble:
            said.append(f"the shared cache was left alone: {self.trouble}")
        if self.full and not self.trouble:
            said.append(f"the shared cache takes no results: {self.full}")
        if self.denied and not self.taken:
            said.append(f"the shared cache may not be read: {self.denied}")
        if self.unsigned:
            said.append(
                f"{_results(self.unsigned)} of the shared cache not taken: not signed with "
                "AOTWIN_CACHE_KEY; made here"
            )
        if self.damaged:
            said.append(
                f"{_results(self.damaged)} of the shared cache not taken: damaged; made here"
            )
        return said


def require_usable() -> None:
    """Stop at a store that no build could ever use.

    Raises:
        ConfigurationError: the secret is too short to be one; fsspec, or what it needs for this
            kind of URL, is not installed; or it knows no such kind.
    """
    store = _store()
    if store is None:
        return
    try:
        import fsspec
    except ImportError as error:
        raise ConfigurationError(
            "AOTWIN_CACHE_URL is set, and fsspec is not installed",
            cause=str(error),
            next_step='Install it: pip install "aotwin[remote-cache]", or unset the variable.',
        ) from error
    protocol = fsspec.utils.get_protocol(store.url)
    try:
        fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(
            f"AOTWIN_CACHE_URL is of a kind ({protocol}) that cannot be reached from here",
            cause=str(error).strip().partition("\n")[0],
            next_step="Install what fsspec names, in the build's environment, or correct the URL.",
        ) from error


def fetch(kind: str, key: str) -> bytes | None:
    """The content of a result, verified; None where there is none to be had."""
    store = _store()
    if store is None or store.trouble:
        return None
    began = time.monotonic()
    try:
        data = _in_time(partial(_read, store, kind, key))
    except Exception as error:
        store.trouble = _told(error)
        return None
    content = None if data is None else _verified(store, data, kind, key)
    if content is not None:
        store.taken += 1
        return content
    store.wasted += time.monotonic() - began
    if store.wasted > MAX_WASTE:
        store.trouble = f"{store.wasted:.0f} s were waited for answers that brought nothing"
    return None


def _read(store: _Store, kind: str, key: str) -> bytes | None:
    """What the store has, whatever it is; None where it has nothing, or far too much."""
    files, path = store.place(kind, key)
    http = "http" in files.protocol
    try:
        if files.async_impl and not http:
            # One request, which ends when its time is over.
            data: bytes = files.cat_file(path, start=0, end=MAX_NBYTES + 1, timeout=PATIENCE)
        else:
            # By itself http asks for a size first, and takes a failing server for an empty one.
            with files.open(path, "rb", **({"block_size": 0, "size": 1} if http else {})) as file:
                data = _read_bounded(file)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        # Where nobody may list a bucket, this is what S3 says of a result that is not there.
        store.denied = _told(error)
        return None
    return data if len(data) <= MAX_NBYTES else None


def _read_bounded(file: Any) -> bytes:
    """A file to its end, or more than `MAX_NBYTES` of it; an answer may come in pieces."""
    until = time.monotonic() + PATIENCE
    data = bytearray()
    while len(data) <= MAX_NBYTES and (chunk := file.read(_CHUNK_NBYTES)):
        data += chunk
        if time.monotonic() > until:
            raise _late()
    return bytes(data)


def _verified(store: _Store, data: bytes, kind: str, key: str) -> bytes | None:
    content = opened(data, kind, key, store.secret)
    if content is None:
        if opened(data, kind, key) is None:
            store.damaged += 1
        else:
            store.unsigned += 1
    return content


def send(kind: str, key: str, content: bytes) -> None:
    """Offer a result to the store, beside what the build does next."""
    store = _store()
    if store is None or store.trouble or store.full or store.read_only:
        return
    if len(content) > MAX_NBYTES:
        return

    def write() -> None:
        files, path = store.place(kind, key)
        data = sealed(content, kind, key, store.secret)
        limit = {"timeout": PATIENCE} if files.async_impl and "http" not in files.protocol else {}
        try:
            files.pipe_file(path, data, **limit)
        except FileNotFoundError:
            # A file system with folders.
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            files.pipe_file(path, data, **limit)

    store.waiting.put(write)
    if store.sender is None:
        store.sender = threading.Thread(
            target=_send_all, args=(store,), name="aotwin-sender", daemon=True
        )
        store.sender.start()


def settle() -> list[str]:
    """Wait for what is being sent, within bounds.

    Returns:
        What went wrong with the store, a line each, told once. No URL is in it, as URLs may hold
        passwords.
    """
    store = _store()
    if store is None:
        return []
    if store.sender is not None:
        store.waiting.put(None)
        store.sender.join(PATIENCE)
        if store.sender.is_alive():
            store.full = store.full or f"it took more than {PATIENCE:.0f} s to send what was made"
        store.sender = None
    fresh = [line for line in store.messages() if line not in store.told]
    store.told.update(fresh)
    return fresh


def described() -> str:
    """What is shared, for people; "" without a store."""
    store = _store()
    if store is None:
        return ""
    kinds = (("read only", store.read_only), ("signed", store.secret))
    said = ", ".join(name for name, holds in kinds if holds)
    plain = _SECRETS.sub("", store.url)
    return f"{plain} ({said})" if said else plain


def _send_all(store: _Store) -> None:
    while (write := store.waiting.get()) is not None:
        if store.trouble or store.full:
            continue
        try:
            _in_time(write)
        except Exception as error:
            store.full = _told(error)


def _in_time(act: Callable[[], _Value]) -> _Value:
    """Run something that may never return, and wait for it `PATIENCE` seconds at most."""
    future: Future[_Value] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="aotwin-request", daemon=True).start()
    if not futures.wait([future], PATIENCE).done:
        raise _late()
    return future.result()


def _late() -> TimeoutError:
    return TimeoutError(f"no answer within {PATIENCE:.0f} s")


def _told(error: BaseException) -> str:
    """An error in one line, without what nobody should read in a log."""
    if isinstance(error, TimeoutError) and not str(error):
        error = _late()
    line = " ".join(str(error).split())[:300]
    return _SECRETS.sub("", f"{type(error).__name__}: {line}")


def _results(count: int) -> str:
    return "1 result" if count == 1 else f"{count} results"


def _store() -> _Store | None:
    url = os.environ.get("AOTWIN_CACHE_URL", "").strip()
    if not url:
        return None
    read_only = os.environ.get("AOTWIN_CACHE_READ_ONLY", "0") not in ("", "0")
    return _known(url, read_only, secret_of_builds())


@cache
def _known(url: str, read_only: bool, secret: bytes) -> _Store:
    return _Store(url, read_only, secret)

"""The store of results that machines share: `AOTWIN_CACHE_URL`, any place that fsspec reaches.

It is an offer and never a need. Each request is made in a thread of its own and waited for a few
seconds at most; after the first one that fails or takes longer, the store is left alone until the
process ends. Whoever asks verifies what it gave. Sending goes on beside the build.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from queue import SimpleQueue
from typing import Any, TypeVar

from aotwin.errors import ConfigurationError

#: seconds that one request may take, and all sending together after the build
PATIENCE = 10.0
#: a result is a few megabytes; what is larger than this is not read to its end
MAX_NBYTES = 256 << 20

_Value = TypeVar("_Value")


@dataclass
class _Store:
    """One store, for the life of the process."""

    url: str
    read_only: bool
    #: why it is left alone
    trouble: str = ""
    told: bool = False
    #: None ends the thread
    waiting: SimpleQueue[Callable[[], None] | None] = field(default_factory=SimpleQueue)
    sender: threading.Thread | None = None
    _files: Any = None
    _root: str = ""

    def place(self, kind: str, key: str) -> tuple[Any, str]:
        """The file system, and the path of a result in it."""
        if self._files is None:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(self.url)
        return self._files, f"{self._root.rstrip('/')}/{kind}/{key}"

    def give_up(self, error: BaseException) -> None:
        """Ask nothing more of it."""
        if not self.trouble:
            self.trouble = f"{type(error).__name__}: {error}".partition("\n")[0]


def require_usable() -> None:
    """Stop at a store that no build could ever use.

    Raises:
        ConfigurationError: fsspec, or what it needs for this kind of URL, is not installed; or it
            knows no such kind.
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
    """The file of a result, whatever it holds; None where there is none to be had."""
    store = _store()
    if store is None or store.trouble:
        return None

    def read() -> bytes | None:
        files, path = store.place(kind, key)
        try:
            with files.open(path, "rb") as file:
                data: bytes = file.read(MAX_NBYTES + 1)
        except FileNotFoundError:
            return None
        return data if len(data) <= MAX_NBYTES else None

    try:
        return _in_time(read)
    except Exception as error:
        store.give_up(error)
        return None


def send(kind: str, key: str, data: bytes) -> None:
    """Offer the file of a result to the store, beside what the build does next."""
    store = _store()
    if store is None or store.trouble or store.read_only or len(data) > MAX_NBYTES:
        return

    def write() -> None:
        files, path = store.place(kind, key)
        try:
            files.pipe_file(path, data)
        except FileNotFoundError:
            # A file system with folders.
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            files.pipe_file(path, data)

    store.waiting.put(write)
    if store.sender is None:
        store.sender = threading.Thread(target=_send_all, args=(store,), daemon=True)
        store.sender.start()


def settle() -> str:
    """Wait for what is being sent, within bounds.

    Returns:
        Why the store was left alone, where it was: told once. No URL is in it, as URLs may hold
        passwords.
    """
    store = _store()
    if store is None:
        return ""
    if store.sender is not None:
        store.waiting.put(None)
        store.sender.join(PATIENCE)
        if store.sender.is_alive():
            store.give_up(TimeoutError(f"it took more than {PATIENCE:.0f} s to send results"))
        store.sender = None
    if not store.trouble or store.told:
        return ""
    store.told = True
    return store.trouble


def described() -> str:
    """What is shared, for people; "" without a store."""
    store = _store()
    if store is None:
        return ""
    # A password may stand before the host.
    protocol, mark, rest = store.url.partition("://")
    plain = protocol + mark + rest.rpartition("@")[2] if mark else store.url
    return f"{plain} (read only)" if store.read_only else plain


def _send_all(store: _Store) -> None:
    while (write := store.waiting.get()) is not None:
        if store.trouble:
            continue
        try:
            _in_time(write)
        except Exception as error:
            store.give_up(error)


def _in_time(act: Callable[[], _Value]) -> _Value:
    """Run something that may never return, and wait for it `PATIENCE` seconds at most."""
    future: Future[_Value] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(PATIENCE)
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {PATIENCE:.0f} s") from error


def _store() -> _Store | None:
    url = os.environ.get("AOTWIN_CACHE_URL", "").strip()
    if not url:
        return None
    return _known(url, os.environ.get("AOTWIN_CACHE_READ_ONLY", "0") not in ("", "0"))


@cache
def _known(url: str, read_only: bool) -> _Store:
    return _Store(url, read_only)

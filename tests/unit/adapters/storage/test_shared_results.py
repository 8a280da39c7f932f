"""The store that machines share: used where it is of use, and never a hindrance."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from aotwin.adapters.storage import results, shared_results
from aotwin.adapters.storage.results import key_of, recall, remember, remembered
from aotwin.adapters.storage.shared_results import settle
from aotwin.errors import ConfigurationError

KEY = key_of("a key")
#: ends what a store of a test waits for
RELEASED = threading.Event()


class Unwell(MemoryFileSystem):  # type: ignore[misc]
    """A store in memory that can be told what is wrong with it."""

    protocol = "unwell"
    cachable = False
    wrong = ""
    requests = 0

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        self._request()
        return super()._open(path, mode, **kwargs)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        self._request()
        if Unwell.wrong == "full":
            raise OSError(28, "No space left on device")
        if Unwell.wrong == "truncates":
            value = value[: len(value) // 2]
        if Unwell.wrong == "lies":
            value = results.sealed(b"a lie", "objects", key_of("another"))
        super().pipe_file(path, value, mode, **kwargs)

    def _request(self) -> None:
        Unwell.requests += 1
        if Unwell.wrong == "down":
            raise ConnectionRefusedError("nobody is there")
        if Unwell.wrong == "hangs":
            RELEASED.wait(60)
        if Unwell.wrong == "secretive":
            raise PermissionError("no")


fsspec.register_implementation("unwell", Unwell, clobber=True)


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("AOTWIN_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(shared_results, "PATIENCE", 0.5)
    monkeypatch.setattr(Unwell, "wrong", "")
    monkeypatch.setattr(Unwell, "requests", 0)
    RELEASED.clear()
    on_machine("first", tmp_path, monkeypatch)
    yield
    RELEASED.set()
    MemoryFileSystem.store.clear()
    Unwell.store.clear()
    shared_results._known.cache_clear()


def on_machine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on with an empty cache, in what may be another process."""
    settle()
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / name))
    shared_results._known.cache_clear()


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_what_one_machine_made_another_finds(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "memory://bucket/aotwin" if kind == "memory" else (tmp_path / "share").as_uri()
    monkeypatch.setenv("AOTWIN_CACHE_URL", url)
    assert remembered("objects", KEY, lambda: b"content") == b"content"
    assert settle() == []
    on_machine("second", tmp_path, monkeypatch)
    assert recall("objects", KEY) == b"content"
    assert recall("dlls", KEY) is None
    monkeypatch.delenv("AOTWIN_CACHE_URL")
    assert recall("objects", KEY) == b"content", "it is kept here as well"


def test_a_store_that_is_read_only_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "memory://bucket")
    remember("objects", KEY, b"content")
    on_machine("second", tmp_path, monkeypatch)
    monkeypatch.setenv("AOTWIN_CACHE_READ_ONLY", "1")
    assert recall("objects", KEY) == b"content"
    remember("objects", key_of("other"), b"of a pull request")
    on_machine("third", tmp_path, monkeypatch)
    assert recall("objects", key_of("other")) is None


def test_a_store_that_hides_what_is_not_there_is_asked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 does so where a bucket may not be listed; where nothing is ever found, it is told of."""
    monkeypatch.setenv("AOTWIN_CACHE_URL", "unwell://bucket")
    remember("objects", KEY, b"content")
    for found in (False, True):
        on_machine(f"found {found}", tmp_path, monkeypatch)
        monkeypatch.setattr(Unwell, "wrong", "secretive")
        assert recall("dlls", KEY) is None
        monkeypatch.setattr(Unwell, "wrong", "")
        if found:
            assert recall("objects", KEY) == b"content"
        lines = settle()
        expected = "the shared cache may not be read: PermissionError: no"
        assert lines == ([] if found else [expected])


@pytest.mark.parametrize("text", ["my dog", "0" * 31])
def test_a_secret_that_could_be_guessed_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "memory://bucket")
    monkeypatch.setenv("AOTWIN_CACHE_KEY", text)
    with pytest.raises(ConfigurationError, match="AOTWIN_CACHE_KEY has") as error:
        results.check_cache_settings()
    assert text not in str(error.value)


@pytest.mark.parametrize("wrong", ["lies", "truncates"])
def test_what_is_not_the_result_is_not_taken_and_is_replaced(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "unwell://bucket")
    monkeypatch.setattr(Unwell, "wrong", wrong)
    remember("objects", KEY, b"content")
    on_machine("second", tmp_path, monkeypatch)
    monkeypatch.setattr(Unwell, "wrong", "")
    assert recall("objects", KEY) is None
    assert remembered("objects", KEY, lambda: b"content") == b"content"
    on_machine("third", tmp_path, monkeypatch)
    assert recall("objects", KEY) == b"content"


@pytest.mark.parametrize(
    ("wrong", "said"), [("down", "nobody is there"), ("hangs", "no answer"), ("full", "No space")]
)
def test_a_store_that_fails_is_asked_once_and_told_of_once(
    wrong: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "unwell://bucket")
    monkeypatch.setattr(Unwell, "wrong", wrong)
    assert remembered("objects", key_of("0"), lambda: b"made") == b"made"
    (line,) = settle()
    assert said in line
    asked = Unwell.requests
    for number in range(5):
        assert remembered("objects", key_of(str(number)), lambda: b"made") == b"made"
    assert settle() == []
    # One that takes nothing may still have something.
    assert Unwell.requests == (asked + 4 if wrong == "full" else asked)
    assert asked <= 2
    assert recall("objects", key_of("0")) == b"made"


def test_a_store_that_disappears_between_two_requests_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "unwell://bucket")
    remember("objects", KEY, b"content")
    on_machine("second", tmp_path, monkeypatch)
    assert recall("objects", KEY) == b"content"
    monkeypatch.setattr(Unwell, "wrong", "down")
    assert remembered("dlls", KEY, lambda: b"linked") == b"linked"
    assert recall("objects", KEY) == b"content"
    (line,) = settle()
    assert "nobody is there" in line


def test_what_is_far_too_large_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "memory://bucket")
    monkeypatch.setattr(shared_results, "MAX_NBYTES", 1000)
    MemoryFileSystem().pipe_file(f"/bucket/objects/{KEY}", bytes(2000))
    assert shared_results.fetch("objects", KEY) is None


def test_no_cache_means_no_store_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "unwell://bucket")
    monkeypatch.setenv("AOTWIN_NO_CACHE", "1")
    results.check_cache_settings()
    assert remembered("objects", KEY, lambda: b"made") == b"made"
    assert Unwell.requests == 0


def test_a_missing_fsspec_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "memory://bucket")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigurationError) as error:
        results.check_cache_settings()
    assert 'pip install "aotwin[remote-cache]"' in str(error.value)


def test_a_kind_of_store_that_nobody_knows_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "nothing://user:secret@bucket")
    with pytest.raises(ConfigurationError, match=r"AOTWIN_CACHE_URL is of a kind \(nothing\)") as e:
        results.check_cache_settings()
    assert "secret" not in str(e.value)


def test_what_a_library_says_loses_its_secrets() -> None:
    error = OSError("Cannot reach\nhttps://me:secret@host/path?sig=secret, at all")
    assert shared_results._told(error) == "OSError: Cannot reach https://host/path at all"


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_URL", "https://user:secret@host/cache")
    monkeypatch.setenv("AOTWIN_CACHE_READ_ONLY", "1")
    assert shared_results.described() == "https://host/cache (read only)"
    monkeypatch.setenv("AOTWIN_CACHE_URL", "https://host/cache?token=secret")
    monkeypatch.setenv("AOTWIN_CACHE_KEY", "0123456789" * 4)
    assert shared_results.described() == "https://host/cache (read only, signed)"

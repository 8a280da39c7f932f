"""Digests of large files are those of their bytes, however often they are asked for."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from aotwin.adapters.storage import file_digest
from aotwin.adapters.storage.file_digest import content_digest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AOTWIN_NO_CACHE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was read."""
    files: list[object] = []
    original = file_digest._digest

    def counting(file: object) -> str:
        files.append(file)
        return original(file)  # type: ignore[arg-type]

    monkeypatch.setattr(file_digest, "_digest", counting)
    return files


def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an hour pass."""
    now = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(file_digest.time, "time_ns", lambda: now)


def test_a_file_that_lies_still_is_read_once(
    tmp_path: Path, read: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(3_000_000))
    settled(monkeypatch)
    digest = hashlib.sha256(bytes(3_000_000)).hexdigest()
    assert [content_digest(path) for _ in range(3)] == [digest] * 3
    assert len(read) == 1


def test_a_file_that_was_written_a_moment_ago_is_read_again(
    tmp_path: Path, read: list[object]
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    content_digest(path)
    content_digest(path)
    assert len(read) == 2


def test_other_bytes_under_the_old_size_and_time_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    settled(monkeypatch)
    before = path.stat()
    first = content_digest(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_digest(path) != first
    path.unlink()
    path.write_bytes(b"333")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_digest(path) == hashlib.sha256(b"333").hexdigest()

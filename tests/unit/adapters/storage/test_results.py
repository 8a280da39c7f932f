"""Results that builds remember: found again whole or not at all, bounded, and never a hindrance."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aotwin.adapters.storage import results
from aotwin.adapters.storage.results import key_of, recall, remember, remembered
from aotwin.errors import ConfigurationError
from aotwin.progress import Progress

KEY = key_of("a key")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("AOTWIN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path))
    return tmp_path


def entry(cache: Path, kind: str = "objects", key: str = KEY) -> Path:
    return cache / "results" / kind / key


def test_what_is_remembered_is_found_under_its_kind_and_key_only() -> None:
    remember("objects", KEY, b"content")
    assert recall("objects", KEY) == b"content"
    assert recall("dlls", KEY) is None
    assert recall("objects", key_of("another")) is None


def test_a_stage_says_whether_its_result_was_made_or_found() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    for _ in range(2):
        with progress.stage("compile"):
            assert remembered("objects", KEY, lambda: b"content") == b"content"
    lines = [line.partition("  ")[0] for line in stream.getvalue().splitlines()]
    assert lines == ["✓ compile", "✓ compile (remembered)"]


def test_no_two_lists_of_parts_give_one_key() -> None:
    lists: list[tuple[str | bytes, ...]] = [
        (), ("",), ("", ""), ("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), (b"\0", "a"),
    ]  # fmt: skip
    assert len({key_of(*parts) for parts in lists}) == len(lists)
    assert key_of("ab") == key_of(b"ab")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"",
        lambda data: data[:40],
        lambda data: data.replace(b"content", b"c0ntent"),
        lambda data: data.replace(b'"nbytes": 7', b'"nbytes": 8'),
        lambda data: data.replace(b"objects", b"wrapper"),
        lambda data: results.sealed(b"content", "objects", key_of("another")),
        lambda data: results.sealed(b"content", "dlls", KEY),
        lambda data: bytes(len(data)),
    ],
)  # fmt: skip
def test_what_is_damaged_or_another_result_is_none_and_is_made_anew(
    damage: object, cache: Path
) -> None:
    remember("objects", KEY, b"content")
    path = entry(cache)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert recall("objects", KEY) is None
    assert not path.exists()
    assert remembered("objects", KEY, lambda: b"content") == b"content"
    assert recall("objects", KEY) == b"content"


def test_a_folder_or_a_link_to_nowhere_in_its_place_is_no_result(cache: Path) -> None:
    entry(cache).mkdir(parents=True)
    assert remembered("objects", KEY, lambda: b"made") == b"made"
    other = key_of("other")
    entry(cache, key=other).symlink_to(cache / "nowhere")
    assert remembered("objects", other, lambda: b"made") == b"made"


def test_nothing_is_read_or_written_where_the_user_does_not_want_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("objects", KEY, b"old")
    monkeypatch.setenv("AOTWIN_NO_CACHE", "1")
    assert recall("objects", KEY) is None
    assert remembered("objects", KEY, lambda: b"new") == b"new"
    remember("objects", key_of("other"), b"new")
    assert [path.name for path in (cache / "results" / "objects").iterdir()] == [KEY]
    monkeypatch.setenv("AOTWIN_NO_CACHE", "0")
    assert recall("objects", KEY) == b"old"


def test_a_cache_that_cannot_be_written_hinders_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "file"))
    remember("objects", KEY, b"content")
    assert remembered("objects", KEY, lambda: b"made") == b"made"
    assert results.kept()[0].count == 0
    assert results.clear() == 0


def test_what_was_used_longest_ago_makes_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_SIZE", "10K")
    keys = [key_of(str(index)) for index in range(12)]
    for age, key in enumerate(keys[:9]):
        remember("objects", key, bytes(700))
        os.utime(entry(cache, key=key), (1000 + age, 1000 + age))
    assert recall("objects", keys[0]) is not None, "used now"
    for key in keys[9:]:
        remember("objects", key, bytes(1500))
    found = [key for key in keys if entry(cache, key=key).exists()]
    assert keys[0] in found
    assert set(keys[9:]) <= set(found)
    assert keys[1] not in found
    total = sum(each.nbytes for each in results.kept())
    assert total <= 10 << 10


def test_what_is_larger_than_the_whole_cache_is_not_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("objects", KEY, b"small")
    monkeypatch.setenv("AOTWIN_CACHE_SIZE", "1K")
    remember("objects", key_of("large"), bytes(2000))
    assert [path.name for path in (cache / "results" / "objects").iterdir()] == [KEY]


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [("", 5 << 30), ("0", 0), ("1000", 1000), ("5G", 5 << 30), ("1.5 k", 1536), ("2MiB", 2 << 20)],
)
def test_the_bound_is_a_size(text: str, nbytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_SIZE", text)
    assert results.max_nbytes() == nbytes


@pytest.mark.parametrize("text", ["much", "-1", "5X", "5 5"])
def test_a_bound_that_is_no_size_is_the_user_s_mistake(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_SIZE", text)
    with pytest.raises(ConfigurationError, match="AOTWIN_CACHE_SIZE"):
        results.check_cache_settings()


def test_what_many_want_at_once_is_made_once() -> None:
    made: list[int] = []
    start = threading.Barrier(8)

    def make() -> bytes:
        made.append(1)
        return b"content"

    def want() -> None:
        start.wait()
        assert remembered("objects", KEY, make) == b"content"

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_what_could_not_be_made_is_not_remembered(cache: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        remembered("objects", KEY, fail)
    assert remembered("objects", KEY, lambda: b"then") == b"then"


WRITER = """
import os, sys
from aotwin.adapters.storage.results import key_of, remember
print("ready", flush=True)
for number in range(1_000_000):
    remember("objects", key_of(str(number % 20)), bytes([number % 251]) * 300_000)
"""


def test_a_kill_at_any_point_leaves_whole_results_and_nothing_else(cache: Path) -> None:
    for moment in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        # At some point of its work: as soon as so many results have been there.
        while sum(1 for path in cache.glob("results/objects/*") if path.is_file()) < 5 * moment + 1:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for path in (cache / "results" / "objects").iterdir():
            if path.is_file():
                content = results.opened(path.read_bytes(), "objects", path.name)
                assert content is not None
                assert len(set(content)) == 1
    # The next write removes what the kills have left.
    remember("objects", KEY, b"content")
    assert all(path.is_file() for path in (cache / "results" / "objects").iterdir())


def test_all_is_counted_and_cleared(cache: Path) -> None:
    remember("objects", KEY, bytes(1000))
    remember("dlls", KEY, bytes(3000))
    counts = {each.kind: each.count for each in results.kept()}
    none = {"programs": 0, "wrappers": 0, "digests": 0, "wheels": 0}
    assert counts == {"objects": 1, "dlls": 1, **none}
    assert results.clear() > 4000
    assert not (cache / "results").exists()
    assert recall("objects", KEY) is None


def test_a_result_says_what_it_is(cache: Path) -> None:
    remember("dlls", KEY, b"content")
    first, _, rest = entry(cache, "dlls").read_bytes().partition(b"\n")
    header = json.loads(first)
    assert (header["aotwin"], header["kind"], header["key"]) == (1, "dlls", KEY)
    assert (header["nbytes"], rest) == (7, b"content")

"""The user cache is filled once, whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from aotwin.adapters.storage import cache
from aotwin.adapters.storage.cache import build_once, cached, clean
from aotwin.errors import StorageError


def _fill(folder: Path) -> None:
    (folder / "content").write_text("whole")


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "folder"
    assert build_once(directory, _fill) == directory
    (directory / "content").write_text("first")
    build_once(directory, _fill)
    assert (directory / "content").read_text() == "first"


def test_a_build_that_fails_leaves_nothing_and_may_be_tried_again(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        _fill(folder)
        raise KeyboardInterrupt

    directory = tmp_path / "folder"
    with pytest.raises(KeyboardInterrupt):
        build_once(directory, fails)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.lock"]
    assert (build_once(directory, _fill) / "content").read_text() == "whole"


def _build_and_count(directory: Path, started: Event, others: Event, count: Path) -> None:
    def build(folder: Path) -> None:
        with count.open("a") as file:
            file.write("built\n")
        started.set()
        others.wait()
        _fill(folder)

    build_once(directory, build)


def test_two_processes_build_once_and_both_have_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    first_began, go_on = context.Event(), context.Event()
    directory, count = tmp_path / "folder", tmp_path / "count"
    arguments = (directory, first_began, go_on, count)
    processes = [context.Process(target=_build_and_count, args=arguments) for _ in range(2)]
    processes[0].start()
    assert first_began.wait(60)
    processes[1].start()
    # The second waits at the lock, or comes when all is done: either way it builds nothing.
    assert not directory.exists()
    go_on.set()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert count.read_text() == "built\n"
    assert (directory / "content").read_text() == "whole"


def _build_and_be_killed(directory: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    build_once(directory, build)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    directory = tmp_path / "folder"
    process = multiprocessing.get_context("spawn").Process(
        target=_build_and_be_killed, args=(directory,)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".folder-")]
    build_once(directory, _fill)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "folder.lock"]


def test_a_neighbour_of_a_longer_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "folder-2").mkdir()
    build_once(tmp_path / "folder", _fill)
    assert (tmp_path / "folder-2").is_dir()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"the cache folder .* cannot be written") as error:
        build_once(tmp_path / "file" / "folder", _fill)
    assert "AOTWIN_CACHE_DIR" in error.value.next_step


def test_the_variable_chooses_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "chosen"))
    assert cache.cache_dir() == tmp_path / "chosen"
    monkeypatch.setenv("AOTWIN_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_dir() == tmp_path / "aotwin"


def test_what_is_cached_is_listed_and_nothing_else_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path))
    for name in ("objects/a", "sysroots/b", "of the user/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(bytes(1000))
    assert [(entry.path.name, entry.nbytes) for entry in cached()] == [
        ("a", 1000),
        ("c", 1000),
        ("b", 1000),
    ]
    assert clean() == 2000
    assert [path.name for path in tmp_path.iterdir()] == ["of the user"]

"""A working folder goes with its process: by itself, or by the hand of the next build."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import shutil
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from aotwin.adapters.storage.claims import claim_folder, remove_abandoned
from aotwin.adapters.storage.files import replacing, working_folder

SPAWN = multiprocessing.get_context("spawn")


def _be_killed_in(parent: Path) -> None:
    with working_folder(parent) as folder:
        (folder / "model").mkdir()
        (folder / "model" / "half.dll").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _be_killed_while_writing(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def _work_in(parent: Path, begun: Event, go_on: Event) -> None:
    with working_folder(parent) as folder:
        (folder / "model").touch()
        begun.set()
        go_on.wait()
        assert (folder / "model").exists()


@pytest.mark.parametrize("left_by", [_be_killed_in, _be_killed_while_writing])
def test_what_a_killed_process_left_goes_with_the_next(left_by: object, tmp_path: Path) -> None:
    place = tmp_path / "whole.whl" if left_by is _be_killed_while_writing else tmp_path
    process = SPAWN.Process(target=left_by, args=(place,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".aotwin-")
    assert b"its next build beside this folder removes it" in (left / "lock").read_bytes()
    with working_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_two_builds_in_one_place_leave_each_other_alone(tmp_path: Path) -> None:
    begun, go_on = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=_work_in, args=(tmp_path, begun, go_on))
    process.start()
    assert begun.wait(60)
    with working_folder(tmp_path):
        assert len(list(tmp_path.iterdir())) == 2
    with replacing(tmp_path / "whole"):
        assert len(list(tmp_path.iterdir())) == 2
    go_on.set()
    process.join(60)
    assert process.exitcode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize(
    "name",
    [".aotwin-notes", ".aotwin-0123456789ABCDEF", "aotwin-0123456789abcdef", ".aotwin-0123"],
)
def test_a_folder_of_another_name_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "lock").touch()
    remove_abandoned(tmp_path)
    assert (tmp_path / name / "lock").exists()


def test_what_is_no_folder_stays_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".aotwin-0123456789abcdef").touch()
    (tmp_path / "of the user").mkdir()
    (tmp_path / "of the user" / "lock").touch()
    (tmp_path / ".aotwin-fedcba9876543210").symlink_to(tmp_path / "of the user")
    remove_abandoned(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / "of the user" / "lock").exists()


def test_a_folder_without_a_lock_goes_only_if_it_is_empty(tmp_path: Path) -> None:
    for name, file in (("0" * 16, None), ("1" * 16, "file")):
        folder = tmp_path / f".aotwin-{name}"
        folder.mkdir()
        if file:
            (folder / file).touch()
    remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f".aotwin-{'1' * 16}"]


def test_a_folder_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / f".aotwin-{'0' * 16}"
    folder.mkdir()
    (folder / "lock").touch()
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    remove_abandoned(tmp_path)
    assert folder.exists()


def test_where_there_are_no_locks_a_folder_is_taken_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        claim = claim_folder(tmp_path)
    remove_abandoned(tmp_path)
    assert claim.folder.is_dir()
    claim.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_taken_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another build may look at the folder at any moment between mkdir and flock."""
    made: list[str] = []
    urandom, opened, locked = os.urandom, os.open, fcntl.flock

    def interfering(nbytes: int) -> bytes:
        name = urandom(nbytes)
        made.append(name.hex())
        return name

    def taken_when_empty(path: Path, flags: int, *mode: int, **more: int | None) -> int:
        if len(made) == 1 and flags & os.O_EXCL:
            remove_abandoned(tmp_path)
        return opened(path, flags, *mode, **more)

    def taken_before_its_lock(lock: int, kind: int) -> None:
        if len(made) == 2:
            shutil.rmtree(tmp_path / f".aotwin-{made[1]}")
        locked(lock, kind)

    monkeypatch.setattr(os, "urandom", interfering)
    monkeypatch.setattr(os, "open", taken_when_empty)
    monkeypatch.setattr(fcntl, "flock", taken_before_its_lock)
    claim = claim_folder(tmp_path)
    assert claim.folder.name == f".aotwin-{made[2]}"
    assert list(tmp_path.iterdir()) == [claim.folder]
    claim.remove()

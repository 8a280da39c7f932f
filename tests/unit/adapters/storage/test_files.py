"""Files and folders are whole or not there, and what the disk says reaches the user."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from aotwin.adapters.storage.files import replacing, storage_errors, working_folder
from aotwin.errors import StorageError

ENDS = [
    pytest.param(RuntimeError, id="an error"),
    pytest.param(KeyboardInterrupt, id="Ctrl-C"),
]


@pytest.mark.parametrize("end", ENDS)
def test_a_file_that_was_there_stays_after(end: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(end), replacing(path) as file:
        file.write(b"half")
        raise end
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("end", ENDS)
def test_a_working_folder_is_gone_with_its_parents_after(
    end: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(end), working_folder(tmp_path / "a" / "b") as folder:
        (folder / "file").touch()
        raise end
    assert list(tmp_path.iterdir()) == []


def test_parents_that_hold_something_stay(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), working_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "of the user").touch()
        raise RuntimeError
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["of the user"]


def test_a_working_folder_that_ended_well_leaves_its_parent(tmp_path: Path) -> None:
    with working_folder(tmp_path / "a") as folder:
        assert folder.parent == tmp_path / "a"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
    assert list((tmp_path / "a").iterdir()) == []


def test_a_folder_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="file/folder cannot be written"),
        working_folder(tmp_path / "file" / "folder"),
    ):
        pytest.fail("there is no such folder")


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with (
        pytest.raises(StorageError, match="the disk is full: /dev/full") as error,
        storage_errors(full),
    ):
        full.write_bytes(b"x")
    assert "bytes are free in /dev" in error.value.cause


REFUSALS = {
    "a quota": (errno.EDQUOT, "the disk is full", "Make room"),
    "a limit on files' sizes": (errno.EFBIG, "becomes larger than the disk or a limit", "ulimit"),
    "missing rights": (errno.EACCES, "cannot be written", "you may write"),
}


@pytest.mark.parametrize(("number", "fact", "next_step"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_told_from_others_for(
    number: int, fact: str, next_step: str, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match=fact) as error, storage_errors(tmp_path / "file"):
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in error.value.cause
    assert next_step in error.value.next_step

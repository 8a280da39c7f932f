"""`python -m <package> --check` tells sound files from changed ones, without torch or Windows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_folder import CONSTANTS, build_files, write_model

import aotwin.payload.model_main
from aotwin.stages.weights import trailer

MAIN = Path(aotwin.payload.model_main.__file__)
BLOB = "classifier_weights.blob"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "demo").mkdir()
    files = {**build_files(), "__main__.py": MAIN.read_bytes(), "__init__.py": b""}
    return write_model(tmp_path / "demo/classifier", files)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-E", "-S", "-m", "demo.classifier", *arguments]
    return subprocess.run(
        command, cwd=folder.parents[1], capture_output=True, text=True, check=False
    )


def change(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("full", [(), ("--full",)], ids=["default", "full"])
def test_sound_files_pass(folder: Path, full: tuple[str, ...]) -> None:
    result = run(folder, "--check", *full)
    assert (result.returncode, result.stdout) == (
        0,
        f"{folder.resolve()}: the files are the ones that were built\n",
    )


CHANGES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "dll": ("classifier.dll", lambda data: change(data, 99), "classifier.dll: changed"),
    "loader": ("__init__.py", lambda data: b"import os\n", "__init__.py: changed"),
    "this-program": ("__main__.py", lambda data: data + b"#\n", "__main__.py: changed"),
    "short-blob": (BLOB, lambda data: data[:-1], f"{BLOB}: 255 bytes, built 256"),
    "other-blob": (
        BLOB,
        lambda data: CONSTANTS + trailer(len(CONSTANTS), bytes(32)),
        f"{BLOB}: its trailer is that of another build",
    ),
    "manifest": ("aotwin.json", lambda data: b"{}", "aotwin.json: cannot be read: KeyError"),
    "newer": (
        "aotwin.json",
        lambda data: data.replace(b'"version": 1', b'"version": 2', 1),
        "aotwin.json: version 2, expected 1",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_file_is_named(folder: Path, case: str) -> None:
    name, alter, message = CHANGES[case]
    (folder / name).write_bytes(alter((folder / name).read_bytes()))
    result = run(folder, "--check")
    assert result.returncode == 1
    assert result.stdout.startswith(message)
    assert "Install the package again" in result.stderr


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "classifier.dll").unlink()
    result = run(folder, "--check")
    assert (result.returncode, result.stdout) == (
        1,
        "classifier.dll: cannot be read: No such file or directory\n",
    )


def test_a_changed_weight_is_found_when_asked_for(folder: Path) -> None:
    (folder / BLOB).write_bytes(change((folder / BLOB).read_bytes(), 7))
    assert run(folder, "--check").returncode == 0
    assert run(folder, "--check", "--full").stdout.startswith(f"{BLOB}: changed")


def test_without_a_command_it_tells_its_usage(folder: Path) -> None:
    result = run(folder)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: python -m demo.classifier")

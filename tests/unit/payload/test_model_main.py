"""`python -m <package> --check` tells sound files from changed ones, without torch or Windows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_folder import CONSTANTS, build_files, sha256, write_model, write_sharing_model
from signed_image import sign

import aotwin.payload.__main__
from aotwin.stages.weights import trailer

MAIN = Path(aotwin.payload.__main__.__file__)
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


@pytest.mark.parametrize("place", ["libs/", "../../demo.libs/"], ids=["folder", "wheel"])
def test_the_run_times_dlls_are_compared(folder: Path, place: str) -> None:
    name = f"{place}aotwin-1a2b3c4d.dll"
    library = folder / name
    library.parent.mkdir()
    library.write_bytes(b"run time")
    manifest = json.loads((folder / "aotwin.json").read_text())
    manifest["libs"] = {"library": name, "files": {name: sha256(b"run time")}}
    (folder / "aotwin.json").write_text(json.dumps(manifest))
    assert run(folder, "--check").returncode == 0
    library.write_bytes(b"run tine")
    assert run(folder, "--check").stdout.startswith(f"{name}: changed: sha256")


def test_without_a_command_it_tells_its_usage(folder: Path) -> None:
    result = run(folder)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: python -m demo.classifier")


def test_a_blob_of_another_model_is_looked_at_where_the_dll_looks(folder: Path) -> None:
    decoder = write_sharing_model(folder.with_name("decoder"))
    shutil.copyfile(MAIN, decoder / "__main__.py")
    command = [sys.executable, "-E", "-S", str(decoder), "--check", "--full"]

    def output() -> tuple[int, str]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert output()[0] == 0
    (decoder / BLOB).write_bytes(CONSTANTS + trailer(len(CONSTANTS), bytes(32)))
    assert output()[0] == 1
    (decoder / BLOB).unlink()
    (folder / BLOB).unlink()
    code, text = output()
    assert (code, BLOB in text) == (1, True)


def with_signature(folder: Path, *, asked: bool) -> bytes:
    """Sign the model's DLL; returns it unsigned. With `asked`, its manifest knows."""
    path = folder / "classifier.dll"
    unsigned = path.read_bytes()
    signed = sign(unsigned)
    path.write_bytes(signed)
    if asked:
        manifest = json.loads((folder / "aotwin.json").read_text())
        manifest["dlls"][0]["signature"] = {
            "sha256": sha256(signed), "nbytes": len(signed), "value_sha256": "0" * 64,
        }  # fmt: skip
        (folder / "aotwin.json").write_text(json.dumps(manifest))
    return unsigned


def test_a_dll_that_the_build_signed_passes(folder: Path) -> None:
    with_signature(folder, asked=True)
    assert run(folder, "--check").returncode == 0


def test_what_happened_to_a_signature_is_told_apart_from_changed_code(folder: Path) -> None:
    unsigned = with_signature(folder, asked=False)
    path = folder / "classifier.dll"
    said = "classifier.dll: its signature {}; the code is as it was built\n"
    assert run(folder, "--check").stdout == said.format("was added after the build")
    path.write_bytes(unsigned)
    with_signature(folder, asked=True)
    path.write_bytes(sign(unsigned, value=b"another signer"))
    assert run(folder, "--check").stdout == said.format("is not the one that the build made")
    path.write_bytes(unsigned)
    assert run(folder, "--check").stdout == said.format("was taken away")
    path.write_bytes(change(sign(unsigned), 0x700))
    assert run(folder, "--check").stdout.startswith("classifier.dll: changed: sha256")

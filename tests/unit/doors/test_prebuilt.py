"""Folders of models that were built elsewhere: what is refused by reading their manifests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_folder import build_files, manifest_of, sha256

from aotwin.assembly import payload_of
from aotwin.errors import AotwinError
from aotwin.formats.manifest import generator_name
from aotwin.model_spec import ModelSpec
from aotwin.prebuilt import shared_libs
from aotwin.prebuilt_folder import Prebuilt, open_prebuilt
from aotwin.stages.pack import PackedFile
from aotwin.target.toolchain import load_toolchain

TOOLCHAIN = load_toolchain("windows")
NAME = "demo.classifier"
Change = Callable[[dict[str, bytes], dict[str, Any]], None]


def opened(folder: Path, change: Change = lambda files, manifest: None) -> Prebuilt:
    """A sound folder with something changed, opened."""
    files = build_files() | payload_of("torch")
    manifest = manifest_of(files) | {"generator": generator_name(), "name": NAME}
    change(files, manifest)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "aotwin.json").write_text(json.dumps(manifest))
    return open_prebuilt(ModelSpec(NAME, None, None, (), prebuilt=folder), TOOLCHAIN)


def refusal(folder: Path, change: Change) -> str:
    with pytest.raises(AotwinError) as caught:
        opened(folder, change)
    return str(caught.value)


def test_a_sound_folder_is_opened(tmp_path: Path) -> None:
    assert opened(tmp_path / "model").manifest.name == NAME


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", "demo.other", "holds the model demo.other, not demo.classifier"),
        ("target", "windows-arm64", "was built for the target windows-arm64"),
        ("generator", "aotwin 9.9", "was built by another version: aotwin 9.9"),
        ("version", 7, "holds no built model"),
        ("dlls", [{"file": "../../evil.dll"}], "holds no built model"),
    ],
)
def test_another_model_or_maker_is_refused(
    tmp_path: Path, key: str, value: object, said: str
) -> None:
    assert said in refusal(tmp_path / "model", lambda _, manifest: manifest.update({key: value}))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    def change(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["blob"]["file"] = "../encoder/encoder_weights.blob"

    assert "it needs ../encoder/encoder_weights.blob" in refusal(tmp_path / "model", change)


@pytest.mark.parametrize("name", ["../../demo.libs/aotwin-00000000.dll", "libs/evil.dll"])
def test_a_run_time_elsewhere_or_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    def change(_: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest |= {"runtime": "own", "libs": {"library": name, "files": {name: "0" * 64}}}

    assert f"it needs {name}" in refusal(tmp_path / "model", change)


@pytest.mark.parametrize("name", ["__init__.py", "extra.py", "extra.exe", "classifier.pyd"])
def test_code_that_is_not_aotwins_is_refused_though_the_manifest_names_it(
    tmp_path: Path, name: str
) -> None:
    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        files[name] = b"import os; os.abort()\n"
        manifest["files"][name] = sha256(files[name])

    assert f"is not packed for its file {name}" in refusal(tmp_path / "model", change)


def test_a_folder_without_a_model_and_a_link_in_place_of_a_manifest(tmp_path: Path) -> None:
    spec = ModelSpec(NAME, None, None, (), prebuilt=tmp_path)
    with pytest.raises(AotwinError, match="holds no built model"):
        open_prebuilt(spec, TOOLCHAIN)
    (tmp_path / "aotwin.json").symlink_to("/dev/zero")
    with pytest.raises(AotwinError, match="a symbolic link"):
        open_prebuilt(spec, TOOLCHAIN)


def test_one_name_is_one_file_of_the_run_time() -> None:
    first = PackedFile("demo.libs/aotwin-1.dll", b"", "1")
    assert shared_libs([first, first]) == [first]
    with pytest.raises(AotwinError, match="come with different files"):
        shared_libs([first, PackedFile("demo.libs/aotwin-1.dll", b"", "2")])

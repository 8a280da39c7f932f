"""A model DLL finds its blob wherever both lie."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from counting_model import WIDTH, eager
from weights_host import outputs

from windows_on_wine import WindowsPython

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import WeightsHost


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param("with some spaces", id="spaces"),
        pytest.param("Größe 模型 🙂", id="non-ascii"),
        pytest.param("/".join(["folder-with-a-rather-long-name" * 4] * 3), id="over-260"),
        pytest.param("/".join(["模型" * 20] * 12), id="non-ascii-over-260"),
    ],
)
def test_the_blob_is_found_beside_the_dll_in_any_folder(
    folder: str, counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path / folder)
    loaded, created, ran, info = host.run(
        ("load", dll), ("create", 0, 1), ("run", 0, WIDTH), ("info", 0)
    )
    assert loaded["loaded"], loaded
    assert created["error"] == 0, created["message"]
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    found = Path(info["path"].removeprefix("\\\\?\\").removeprefix("Z:").replace("\\", "/"))
    assert found == dll.with_name(counting.blob.path.name)


@pytest.mark.parametrize("folder", ["short", "/".join(["模型" * 20] * 12)], ids=["short", "long"])
def test_a_blob_of_another_model_is_found_by_its_relative_path(
    folder: str, counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    home = tmp_path / folder
    reference = f"../../encoder/{counting.blob.path.name}"
    own = home / "tools/decoder"
    own.mkdir(parents=True)
    dll = counting.link(dataclasses.replace(counting.blob, shared_from=reference), own).path
    script = (("load", dll), ("create", 0, 1), ("run", 0, WIDTH), ("info", 0))
    _, _, missing, _ = host.run(*script)
    assert missing["error"] == 1
    assert f"encoder\\{counting.blob.path.name}" in missing["message"]
    counting.copied_to(home / "encoder")
    _, _, ran, info = host.run(*script)
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    assert info["path"].endswith(f"\\encoder\\{counting.blob.path.name}")
    assert ".." not in info["path"]
    # A host program that ships this model alone puts the blob beside the DLL.
    shutil.move(home / "encoder" / counting.blob.path.name, own)
    _, _, ran, info = host.run(*script)
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    assert info["path"].endswith(f"\\decoder\\{counting.blob.path.name}")


def test_a_renamed_dll_finds_the_blob_that_it_was_linked_with(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path, dll_name="counting.wrapper.pyd")
    _, _, ran, info = host.run(("load", dll), ("create", 0, 1), ("run", 0, WIDTH), ("info", 0))
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    assert info["path"].endswith("\\counting_weights.blob")


def test_a_dll_loaded_by_a_relative_path_finds_its_blob(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    counting.copied_to(tmp_path / "model")
    loaded, _, ran = host.run(
        ("load", ".\\model\\counting.dll", "relative"),
        ("create", 0, 1),
        ("run", 0, WIDTH),
        cwd=tmp_path,
    )
    assert loaded["loaded"], loaded
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)


def test_paths_get_the_form_without_a_length_limit(
    windows: WindowsPython, paths_host: Path
) -> None:
    pairs = {
        "C:\\models\\a.dll": "\\\\?\\C:\\models\\a.dll",
        "C:/models/../x/a.dll": "\\\\?\\C:\\x\\a.dll",
        "\\\\server\\share\\m\\a.dll": "\\\\?\\UNC\\server\\share\\m\\a.dll",
        "\\\\?\\C:\\models\\a.dll": "\\\\?\\C:\\models\\a.dll",
        "\\\\?\\UNC\\server\\share\\a.dll": "\\\\?\\UNC\\server\\share\\a.dll",
        "C:\\Größe\\模型.dll": "\\\\?\\C:\\Größe\\模型.dll",
        "C:\\" + "long\\" * 100 + "a.dll": "\\\\?\\C:\\" + "long\\" * 100 + "a.dll",
    }
    done = windows.exe(paths_host, list(pairs))
    assert done.stdout.splitlines() == list(pairs.values())

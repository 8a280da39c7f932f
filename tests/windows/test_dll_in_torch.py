"""torch's own Windows loaders run a model DLL and replace its constants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from counting_model import eager
from torch.export.pt2_archive._package import PT2ArchiveWriter

from windows_on_wine import WindowsPython

if TYPE_CHECKING:
    from model_dlls import ModelDll

SCRIPT = Path(__file__).with_name("torch_runner.py")


def save_constants(model: ModelDll, dll: Path) -> None:
    """The module's constants for the script, by the names that the program knows them under."""
    module = model.module
    constants = {name: tensor.detach() for name, tensor in module.state_dict().items()}
    if hasattr(module, "table"):
        constants["_tensor_constant0"] = module.table
    torch.save(constants, f"{dll}.constants")


def write_package(model: ModelDll, path: Path) -> Path:
    """A .pt2 as torch's Windows loader wants it: the library is a .pyd."""
    folder = "data/aotinductor/model"
    metadata = json.dumps({**model.wrapper.metadata, "AOTI_PLATFORM": "windows"})
    with PT2ArchiveWriter(str(path)) as archive:
        archive.write_bytes(f"{folder}/{model.name}.wrapper.pyd", model.dll.read_bytes())
        archive.write_bytes(f"{folder}/{model.blob.path.name}", model.blob.path.read_bytes())
        archive.write_bytes(f"{folder}/{model.name}.wrapper_metadata.json", metadata.encode())
    return path


@pytest.fixture(scope="module")
def told(
    models: dict[str, ModelDll],
    windows: WindowsPython,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("in torch")
    dlls = [models[name].copied_to(directory / name) for name in ("counting", "folding")]
    for dll in dlls:
        save_constants(models[dll.stem], dll)
    package = write_package(models["counting"], directory / "counting.pt2")
    done = windows.python([SCRIPT, dlls[0], package, dlls[1]], timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "stderr": done.stderr}


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        pytest.param("found", 1, id="weights-found-by-the-dll"),
        pytest.param("updated", 2, id="update_constant_buffer"),
        pytest.param("inactive_waits", 2, id="update-of-the-inactive-buffer"),
        pytest.param("swapped", 3, id="swap_constant_buffer"),
        pytest.param("freed", 3, id="free_inactive_constant_buffer"),
        pytest.param("user_managed", 4, id="user-managed"),
        pytest.param("user_managed_zeroed", 0, id="user-managed-tensors-are-not-copied"),
        pytest.param("after_errors", 0, id="after-errors"),
    ],
)
def test_the_runner_uses_and_replaces_constants(
    step: str, factor: float, told: dict[str, Any], counting: ModelDll
) -> None:
    assert told["runner"][step] == pytest.approx(eager(counting, factor), abs=1e-5)


def test_the_runner_knows_the_constants_by_the_programs_names(
    told: dict[str, Any], counting: ModelDll
) -> None:
    assert told["runner"]["fqns"] == sorted(each.fqn for each in counting.wrapper.constants)


def test_the_runner_gets_an_error_where_its_map_cannot_be_filled(told: dict[str, Any]) -> None:
    assert "API call failed" in told["runner"]["extract"]
    assert "AOTInductorModelContainerExtractConstantsMapEntries" in told["stderr"]


def test_the_runner_gets_an_error_for_a_tensor_of_another_shape(told: dict[str, Any]) -> None:
    assert "API call failed" in told["runner"]["wrong_shape"]
    assert "expected shape" in told["stderr"]


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        pytest.param("found", 1, id="weights-of-the-archive"),
        pytest.param("user_managed", 2, id="load_constants-user-managed"),
        pytest.param("copied", 3, id="load_constants"),
    ],
)
def test_aoti_load_package_uses_and_replaces_constants(
    step: str, factor: float, told: dict[str, Any], counting: ModelDll
) -> None:
    assert told["package"][step] == pytest.approx(eager(counting, factor), abs=1e-5)


@pytest.mark.parametrize(("step", "factor"), [("found", 1), ("folded", 2)])
def test_folding_at_run_time_works_in_the_runner(
    step: str, factor: float, told: dict[str, Any], models: dict[str, ModelDll]
) -> None:
    with torch.no_grad():
        expected = models["folding"].module(torch.ones(2, 8)).flatten() * factor
    assert told["folding"][step] == pytest.approx(expected.tolist(), abs=1e-4)

"""What the tests under Wine share: the Windows environment, models built into DLLs, C hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from windows_on_wine import WindowsPython, ensure

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from sdk_build import Sdk
    from weights_host import WeightsHost

# What imports torch is imported by the fixture that needs it.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("wine")


@pytest.fixture(scope="session")
def windows() -> WindowsPython:
    return ensure()


@pytest.fixture(scope="session")
def without_torch(windows: WindowsPython) -> WindowsPython:
    """A Windows Python where torch is not installed, nor the VC++ run time that it needs."""
    return windows.without_torch


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelDll]:
    from model_dlls import MODELS, build_dll

    directory = tmp_path_factory.mktemp("models")
    return {name: build_dll(name, directory / name) for name in MODELS}


@pytest.fixture(scope="session")
def counting(models: dict[str, ModelDll]) -> ModelDll:
    return models["counting"]


@pytest.fixture(scope="session")
def host(windows: WindowsPython, tmp_path_factory: pytest.TempPathFactory) -> WeightsHost:
    from model_dlls import build_host
    from weights_host import WeightsHost

    return WeightsHost(windows, build_host("weights_host.c", tmp_path_factory.mktemp("hosts")))


@pytest.fixture(scope="session")
def paths_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from model_dlls import build_host

    return build_host("paths_host.cpp", tmp_path_factory.mktemp("hosts"))


@pytest.fixture(scope="session")
def torch_sdk(windows: WindowsPython, tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    """The SDK beside models over torch."""
    from sdk_build import build_sdk

    return build_sdk(windows, tmp_path_factory.mktemp("sdk"), "torch")


@pytest.fixture(scope="session")
def own_sdk(windows: WindowsPython, tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    """The SDK beside models over our own run time."""
    from sdk_build import build_sdk

    return build_sdk(windows, tmp_path_factory.mktemp("sdk"), "own")


@pytest.fixture(scope="session", params=["own", "torch"])
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """The SDK beside models over each run time."""
    made: Sdk = request.getfixturevalue(f"{request.param}_sdk")
    return made

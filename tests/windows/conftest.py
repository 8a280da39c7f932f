"""Models, C hosts and the Windows environment that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_dlls import MODELS, ModelDll, build_dll, build_host
from weights_host import WeightsHost
from windows_on_wine import WindowsPython, ensure


@pytest.fixture(scope="session")
def windows() -> WindowsPython:
    return ensure()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelDll]:
    directory = tmp_path_factory.mktemp("models")
    return {name: build_dll(name, directory / name) for name in MODELS}


@pytest.fixture(scope="session")
def counting(models: dict[str, ModelDll]) -> ModelDll:
    return models["counting"]


@pytest.fixture(scope="session")
def host(windows: WindowsPython, tmp_path_factory: pytest.TempPathFactory) -> WeightsHost:
    program = build_host("weights_host.c", tmp_path_factory.mktemp("hosts"))
    return WeightsHost(windows, program)


@pytest.fixture(scope="session")
def paths_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_host("paths_host.cpp", tmp_path_factory.mktemp("hosts"))

"""The fake run time, compiled once, and models over it that may be loaded on Linux."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_model import Fake, compile_fake, write_model

import aotwin.payload
from aotwin.payload import Model


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Fake libraries by what is odd about them."""
    folder = tmp_path_factory.mktemp("fake_libraries")
    return {
        name: compile_fake(folder / f"aotwin-{name}.so", *definitions)
        for name, definitions in {
            "plain": ("-DAPI_VERSION=1",),
            "newer": ("-DAPI_VERSION=2",),
            "without_memory": ("-DAPI_VERSION=1", "-DWITHOUT_MEMORY"),
        }.items()
    }


class Maker:
    """Writes models into folders of their own and loads them."""

    def __init__(self, folder: Path, libraries: dict[str, Path]) -> None:
        self.folder = folder
        self.libraries = libraries
        self.count = 0

    def write(self, *does: str, library: str = "plain", **model: Any) -> Path:
        self.count += 1
        folder = self.folder / f"model{self.count}"
        return write_model(folder, self.libraries[library], does, **model)

    def load(self, *does: str, num_threads: int | None = None, **model: Any) -> Model:
        return Model(self.write(*does, **model), num_threads=num_threads)

    def load_folder(self, folder: Path) -> Model:
        return Model(folder)

    def fake(self, model: Model) -> Fake:
        """The library of a loaded model."""
        return Fake(model.directory / model.manifest["libs"]["library"])


@pytest.fixture
def make(tmp_path: Path, libraries: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Maker:
    monkeypatch.setattr(aotwin.payload, "_require_windows", lambda name, platform: None)
    return Maker(tmp_path, libraries)
